"""The front door: data sets, estimators, comparisons, and the command ``qnn``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qnn.datasets import Dataset, load
    from qnn.estimators import QNNClassifier, QNNRegressor

    __version__: str

__all__ = ["Dataset", "QNNClassifier", "QNNRegressor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Each name when it is asked for: help and completion need none of them."""
    if name in ("Dataset", "load"):
        from qnn import datasets

        return getattr(datasets, name)
    if name in ("QNNClassifier", "QNNRegressor"):
        from qnn import estimators

        return getattr(estimators, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("qnn-ising")
    raise AttributeError(f"module 'qnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, of which none may have been asked for yet."""
    return sorted({*globals(), *__all__})
