"""One training run: its solver, its outputs, and how it is resumed."""
