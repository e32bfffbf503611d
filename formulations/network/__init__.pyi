from .codes import (
    WeightCode,
    bipolar,
    codebook,
    ternary,
    uniform,
)
from .losses import (
    Loss,
)
from .network import (
    Activation,
    Layer,
    Network,
    Weights,
    activation,
)
from .splines import (
    Spline,
)

__all__ = [
    "Activation",
    "Layer",
    "Loss",
    "Network",
    "Spline",
    "WeightCode",
    "Weights",
    "activation",
    "bipolar",
    "codebook",
    "ternary",
    "uniform",
]
