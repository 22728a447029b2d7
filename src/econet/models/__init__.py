"""Networks, described as data and built from it."""
