"""The front door: data sets, comparisons, and the command ``qnn``."""

from qnn.datasets import Dataset, load

__all__ = ["Dataset", "load"]
