"""To look at: the page and its charts."""
