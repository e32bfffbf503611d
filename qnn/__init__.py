"""The front door: data sets, estimators, comparisons, and the command ``qnn``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qnn.datasets import Dataset, load
    from qnn.estimators import QNNClassifier, QNNRegressor

__all__ = ["Dataset", "QNNClassifier", "QNNRegressor", "load"]


def __getattr__(name: str) -> Any:
    """Each name when it is asked for: help and completion need none of them."""
    if name in ("Dataset", "load"):
        from qnn import datasets

        return getattr(datasets, name)
    if name in ("QNNClassifier", "QNNRegressor"):
        from qnn import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'qnn' has no attribute {name!r}")
