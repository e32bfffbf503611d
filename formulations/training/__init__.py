"""The training problem and the construction of its model."""
