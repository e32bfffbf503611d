"""Types of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Array of numbers or booleans."""

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

BitArray = npt.NDArray[np.int8]
"""Array of states of binary variables, zeros and ones."""

DeviceArray = Any
"""A NumPy array or a torch tensor, which have no common type."""
