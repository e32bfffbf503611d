from .hybrid import (
    HybridBQM,
)
from .qpu import (
    QPU,
)

__all__ = [
    "HybridBQM",
    "QPU",
]
