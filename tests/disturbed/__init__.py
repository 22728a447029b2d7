"""Runs that are disturbed: killed, cut, failed, delayed or lied to at each operation on the disk, and at any moment."""
