"""Shared parts of every solver's run: its loop, result, checkpoint and workers."""
