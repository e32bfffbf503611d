"""Compiled inner loops, and what prepares a training problem for them."""
