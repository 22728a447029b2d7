"""Learning: the loop, its optimizers, schedules and checkpoints."""
