from .hedging import (
    ProgressiveHedging,
)

__all__ = [
    "ProgressiveHedging",
]
