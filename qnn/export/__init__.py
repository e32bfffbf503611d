"""Export of trained networks: ONNX, QONNX, a packed file, and C."""

from __future__ import annotations

from qnn.export.c_source import C_FILES
from qnn.export.embedded import EMBEDDED_FILES
from qnn.export.forms import Exported, export, usual_sizes
from qnn.export.onnx_graph import to_onnx, to_qonnx
from qnn.export.packed import pack
from qnn.export.packed_reader import Packed, unpack
from qnn.export.trained import TrainedModel

__all__ = [
    "Exported",
    "export",
    "usual_sizes",
    "TrainedModel",
    "pack",
    "unpack",
    "Packed",
    "to_onnx",
    "to_qonnx",
    "C_FILES",
    "EMBEDDED_FILES",
]
