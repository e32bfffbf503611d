"""Readers of constrained-model files, one module per format."""
