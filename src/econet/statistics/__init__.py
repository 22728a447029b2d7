"""Intervals and calibration; numpy alone, no idea of networks."""
