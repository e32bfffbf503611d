"""Readers of files of constrained models, one file each."""
