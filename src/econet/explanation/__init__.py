"""Why: where a network looked for its answer, and whether what is said of that is true."""
