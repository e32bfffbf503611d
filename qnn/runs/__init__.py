"""Single training runs: solver, outputs, and resuming."""
