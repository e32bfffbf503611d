"""Write, measure and check a trained network in every export format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike

from formulations.errors import InvalidInputError
from formulations.files.writing import check_distinct, check_regular
from qnn.export.c_source import c_contents, write_with_folders
from qnn.export.embedded import embedded_contents
from qnn.export.onnx_graph import to_onnx, to_qonnx
from qnn.export.packed import pack
from qnn.export.trained import TrainedModel
from qnn.export.verify import check_c, check_onnx, check_packed, check_verilog
from qnn.export.verilog import to_verilog

Path = str | PathLike[str]


@dataclass(frozen=True)
class Exported:
    """A network in one form.

    Parameters
    ----------
    form : str
    path : str or None
        File or folder; None if nothing was written.
    size : int
        Bytes of the file; for a C program, of the constants that hold the network.
    checked : int or None
        Number of random inputs on which it matched the network exactly; None: not checked.
    """

    form: str
    path: str | None
    size: int
    checked: int | None


def export(
    model: TrainedModel,
    *,
    packed: Path | None = None,
    c: Path | None = None,
    embedded: Path | None = None,
    onnx: Path | None = None,
    qonnx: Path | None = None,
    verilog: Path | None = None,
    raw: bool = False,
) -> list[Exported]:
    """Write a trained network in the requested forms after checking all: all or none are written.

    Parameters
    ----------
    model : TrainedModel
    packed, onnx, qonnx, verilog : path-like, optional
        Files; Verilog requires at most six inputs per unit, see :mod:`qnn.export.verilog`.
    c, embedded : path-like, optional
        Folders, created if missing: for a C program that reads a packed network, and for C
        dedicated to this network.
    raw : bool
        True if inputs are raw numbers rather than integers of the lattice.

    Returns
    -------
    list of Exported
        Always the packed form, for its size; then the requested forms.

    Raises
    ------
    MissingExtraError
        For ONNX and QONNX without the extra ``onnx``.
    InvalidInputError
        If a form cannot hold the network, or two forms share a file.
    FileAccessError
        If a file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> net, weights = Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ())
    >>> export(TrainedModel(net, weights, span=(-1, 1, 2)))
    [Exported(form='packed', path=None, size=29, checked=1000)]
    """
    folders = [path for path in (c, embedded) if path is not None]
    files = [path for path in (packed, onnx, qonnx, verilog) if path is not None]
    check_distinct([*files, *folders])  # refused before the slow work
    for path in files:
        check_regular(path)
    data = pack(model, raw=raw)
    found = [Exported("packed", _text(packed), len(data), check_packed(model, data, raw=raw))]
    contents: dict[Path, bytes] = {packed: data} if packed is not None else {}
    if onnx is not None:
        proto = to_onnx(model, raw=raw)
        contents[onnx] = proto.SerializeToString()
        checked = check_onnx(model, proto, raw=raw)
        found.append(Exported("ONNX", _text(onnx), len(contents[onnx]), checked))
    if qonnx is not None:
        contents[qonnx] = to_qonnx(model, raw=raw).SerializeToString()
        found.append(Exported("QONNX", _text(qonnx), len(contents[qonnx]), None))
    if verilog is not None:
        if raw:
            raise InvalidInputError(
                "Verilog of raw numbers: expected inputs=levels, whose bits are the module's inputs"
            )
        module = to_verilog(model)
        contents[verilog] = module.encode()
        checked = check_verilog(model, module)
        found.append(Exported("Verilog", _text(verilog), len(module), checked))
    if c is not None:
        sources = c_contents(data, c)
        checked = check_c(model, sources, raw=raw)
        found.append(Exported("C", _text(c), len(data), checked))
        contents = {**contents, **sources}
    if embedded is not None:
        sources, size = embedded_contents(model, embedded, raw=raw)
        checked = check_c(model, sources, raw=raw)
        found.append(Exported("embedded C", _text(embedded), size, checked))
        contents = {**contents, **sources}
    write_with_folders(contents, *folders)
    return found


def usual_sizes(model: TrainedModel) -> Iterator[Exported]:
    """Yield the sizes of weights and thresholds in float32 and in int8."""
    layers = model.network.layers
    numbers = sum(sum(layer.num_stored) for layer in layers)
    yield Exported("as float32", None, 4 * numbers, None)
    yield Exported("as int8", None, numbers, None)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
