from .search import (
    LargeNeighborhoodSearch,
)

__all__ = [
    "LargeNeighborhoodSearch",
]
