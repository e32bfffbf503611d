"""Oracles that run on this computer, one per file."""
