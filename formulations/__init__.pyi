from .errors import (
    QnnError,
)
from .model.qcbo import (
    QCBO,
)
from .network.codes import (
    WeightCode,
    bipolar,
    codebook,
    integer,
    ternary,
    uniform,
)
from .network.network import (
    Activation,
    Layer,
    Network,
    Weights,
)
from .network.splines import (
    Spline,
)
from .training.problem import (
    TrainingProblem,
)
from .training.sizes import (
    ModelSize,
    network_size,
)

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
    "integer",
    "network_size",
    "ternary",
    "uniform",
]
