"""What every solver's run has in common: its loop, result, checkpoint and workers."""
