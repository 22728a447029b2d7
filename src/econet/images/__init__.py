"""One image: decoding and preprocessing."""
