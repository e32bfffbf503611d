"""Sources of candidates besides the oracle, one per file, and their time sharing."""
