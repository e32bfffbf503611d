"""What is trained, and the training problem as a constrained quadratic binary model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from formulations.errors import QnnError

if TYPE_CHECKING:
    from formulations.codes import WeightCode, bipolar, codebook, ternary, uniform
    from formulations.network import Activation, Layer, Network, Weights
    from formulations.problem import TrainingProblem
    from formulations.qcbo import QCBO
    from formulations.sizes import ModelSize, network_size
    from formulations.splines import Spline

__all__ = [
    "QCBO",
    "Activation",
    "Layer",
    "ModelSize",
    "Network",
    "QnnError",
    "Spline",
    "TrainingProblem",
    "WeightCode",
    "Weights",
    "bipolar",
    "codebook",
    "network_size",
    "ternary",
    "uniform",
]


def __getattr__(name: str) -> Any:
    """Each name when it is asked for, so that an error alone loads nothing else."""
    if name in __all__:
        for module in ("codes", "network", "problem", "qcbo", "sizes", "splines"):
            found = getattr(import_module(f"formulations.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module 'formulations' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, of which none may have been asked for yet."""
    return sorted({*globals(), *__all__})
