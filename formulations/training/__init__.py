"""The training problem, and how it becomes a model."""
