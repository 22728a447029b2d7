"""ExecuTorch: an artifact becomes a .pte file, its layers handed to XNNPACK on the artifact's own scales."""
