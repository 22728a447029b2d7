"""LiteRT: an artifact becomes a .tflite file, node by node, on the artifact's own scales."""
