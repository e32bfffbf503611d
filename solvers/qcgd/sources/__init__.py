"""Sources of candidates besides the oracle, a file each, and how the time is shared."""
