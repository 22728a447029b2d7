"""What ships: the file, its graph, its predictor and the proof that it answers alike."""
