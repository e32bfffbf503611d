from .saved import (
    load_about,
    load_network,
    load_qcbo,
    load_weights,
    save_qcbo,
    save_weights,
)
from .writing import (
    atomic_write,
)

__all__ = [
    "atomic_write",
    "load_about",
    "load_network",
    "load_qcbo",
    "load_weights",
    "save_qcbo",
    "save_weights",
]
