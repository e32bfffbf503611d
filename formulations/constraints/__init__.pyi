from .base import (
    Cardinality,
    Constraint,
)
from .fan_in import (
    FanIn,
)
from .linear_rows import (
    LinearRows,
)
from .monotone import (
    Monotone,
)
from .n_of_m import (
    NofM,
)
from .non_zeros import (
    NonZeros,
)
from .right import (
    Right,
)
from .robust import (
    Robust,
)
from .tied import (
    Tied,
)

__all__ = [
    "Cardinality",
    "Constraint",
    "FanIn",
    "LinearRows",
    "Monotone",
    "NofM",
    "NonZeros",
    "Right",
    "Robust",
    "Tied",
]
