from .decomposed import (
    DecomposedQCGD,
)

__all__ = [
    "DecomposedQCGD",
]
