"""One run: its folder and its records."""
