"""The front door: data sets, estimators, comparisons, and the command ``qnn``."""

from typing import TYPE_CHECKING, Any

from qnn.datasets import Dataset, load

if TYPE_CHECKING:
    from qnn.estimators import QNNClassifier, QNNRegressor

__all__ = ["Dataset", "QNNClassifier", "QNNRegressor", "load"]


def __getattr__(name: str) -> Any:
    """The estimators, which bring scikit-learn, when they are asked for."""
    if name in ("QNNClassifier", "QNNRegressor"):
        from qnn import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'qnn' has no attribute {name!r}")
