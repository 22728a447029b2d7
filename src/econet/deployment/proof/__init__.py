"""A file's own proof: photos with the answers they must give, and what tells why they do not. No torch."""
