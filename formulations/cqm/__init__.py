"""dimod's constrained models: read into bits, presolved, and written back."""
