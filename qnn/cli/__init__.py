"""The command ``qnn``."""
