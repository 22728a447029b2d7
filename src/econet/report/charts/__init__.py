"""Charts drawn as SVG for the page: one chart a file, colours from the page's style sheet."""
