from .penalty import (
    PenaltyMethod,
)
from .qcgd import (
    QCGD,
)
from .sampler import (
    QCGDSampler,
)

__all__ = [
    "PenaltyMethod",
    "QCGD",
    "QCGDSampler",
]
