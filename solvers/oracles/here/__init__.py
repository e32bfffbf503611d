"""Oracles that run on this computer, one a file."""
