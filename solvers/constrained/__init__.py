"""Constraints in a search over weights: none of its steps breaks more than the one before."""
