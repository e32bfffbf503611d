"""The model as sparse arrays, its labels, and its assembly."""
