"""Odd picture files, each made from nothing with the pixels or the reason that must come out of it."""
