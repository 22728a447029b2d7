"""Smaller: from a trained network to fewer bytes."""
