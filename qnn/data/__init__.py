"""Read data sets and models from files and packages as arrays."""
