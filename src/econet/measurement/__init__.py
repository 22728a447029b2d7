"""How good a file is: accuracy, latency, energy."""
