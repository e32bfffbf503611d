"""The model as sparse arrays, and its labels."""
