"""Classical ways to train the same networks."""
