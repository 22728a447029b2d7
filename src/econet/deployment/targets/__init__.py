"""Files for other runtimes than ONNX Runtime, each made from the artifact itself."""
