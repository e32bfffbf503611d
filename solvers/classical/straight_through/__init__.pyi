from .solver import (
    LongRunWarning,
    StraightThrough,
)

__all__ = [
    "LongRunWarning",
    "StraightThrough",
]
