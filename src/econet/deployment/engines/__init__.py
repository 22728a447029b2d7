"""The runtimes that answer for a file, one module a format; `artifact_file.py` one floor up picks by the format."""
