"""Files of models and trained networks: exact, checked, atomic, never pickled.

Files of older format versions must stay readable: ``tests/fixtures`` keeps examples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from math import isfinite
from os import PathLike
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array
from formulations.errors import InvalidInputError
from formulations.files.archive import read_archive, write_archive
from formulations.files.bounded import damaged
from formulations.files.forms import (
    model_arrays,
    model_content,
    network_arrays,
    network_content,
)
from formulations.files.layers import pack_layer, unpack_layer
from formulations.files.schema import Form, any_fields
from formulations.model.labels import Family, Labels, Names
from formulations.model.qcbo import QCBO
from formulations.network.network import Network, Weights
from formulations.network.splines import Spline

MODEL = "a QCBO model"
NETWORK = "a trained network"
T = TypeVar("T")


# -- models ---------------------------------------------------------------------------------------


def save_qcbo(model: QCBO, path: str | PathLike[str]) -> None:
    """Write ``model`` to ``path``, atomically.

    Numbered labels are stored as integers; labels that the user gave may be strings, numbers, None,
    and tuples of these.

    Raises
    ------
    InvalidInputError
        If a label cannot be written.
    FileAccessError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
    >>> model = QCBO.from_arrays([1, 2], [[1, 1]], [1])
    >>> save_qcbo(model, path)
    >>> load_qcbo(path).equals(model)
    True
    """
    names = ("linear", "rhs", "equality", "row_group", "products")
    arrays: dict[str, Array] = {name: getattr(model, name) for name in names}
    for name, matrix in (("quadratic", model.quadratic), ("rows", model.rows)):
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(matrix, part)
    content = {
        "sizes": {
            name: getattr(model, f"num_{name}") for name in ("variables", "rows", "products")
        },
        "offset": float(model.offset),
        "group_names": list(model.group_names),
        "labels": _pack_labels("labels", model.labels, arrays),
        "row_labels": _pack_labels("row_labels", model.row_labels, arrays),
    }
    write_archive(path, MODEL, content, arrays)


def load_qcbo(path: str | PathLike[str]) -> QCBO:
    """Read a model that :func:`save_qcbo` wrote, of this or an older format version.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    FileFormatError
        If it has another format, was written by a newer version, or is truncated or damaged.
    """
    content, arrays = read_archive(path, MODEL, model_content, model_arrays)
    return _read(path, lambda: _unpack_qcbo(content, arrays))


def _unpack_qcbo(content: dict[str, Any], arrays: dict[str, Array]) -> QCBO:
    """Build a model from a file of format version 1."""
    n, m = content["sizes"]["variables"], content["sizes"]["rows"]
    model = QCBO(
        linear=arrays["linear"],
        quadratic=_csr("quadratic", (n, n), arrays),
        offset=content["offset"],
        rows=_csr("rows", (m, n), arrays),
        rhs=arrays["rhs"],
        equality=arrays["equality"],
        row_group=arrays["row_group"],
        group_names=tuple(content["group_names"]),
        products=arrays["products"],
        labels=_unpack_labels("labels", content["labels"], arrays),
        row_labels=_unpack_labels("row_labels", content["row_labels"], arrays),
    )
    for numbers, count in ((model.products, n), (model.row_group, len(model.group_names))):
        if numbers.size and not (0 <= numbers.min() and numbers.max() < count):
            raise ValueError("a number points outside the model")
    entries = model.quadratic.tocoo()
    if (entries.row >= entries.col).any():
        raise ValueError("the couplers are not strictly upper triangular")
    for name, labels in (("variables", model.labels), ("rows", model.row_labels)):
        if not _distinct(labels):
            raise ValueError(f"labels of {name} are not distinct")
    return model


def _distinct(labels: Labels) -> bool:
    """Return True if all labels differ; numbered families are compared without making strings."""
    names = [family.name for family in labels.families if isinstance(family, Family)]
    if len(set(names)) < len(labels.families):
        return len(labels.positions()) == len(labels)
    return all(
        len(np.unique(family.indices, axis=0)) == len(family)
        for family in labels.families
        if isinstance(family, Family)
    )


def _csr(name: str, shape: tuple[int, int], arrays: Mapping[str, Array]) -> sp.csr_array:
    """Build a sparse matrix from its three arrays and check its indices."""
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    matrix = sp.csr_array((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    canonical = matrix.copy()
    canonical.sum_duplicates()
    if canonical.nnz != matrix.nnz:
        raise ValueError(f"an entry of {name} occurs twice")
    return matrix


def _pack_labels(key: str, labels: Labels, arrays: dict[str, Array]) -> list[dict[str, Any]]:
    """Convert families of labels to JSON, and add their indices to ``arrays``."""
    packed: list[dict[str, Any]] = []
    for number, family in enumerate(labels.families):
        if isinstance(family, Names):
            packed.append({"names": [_pack_label(name) for name in family.names]})
            continue
        arrays[f"{key}.{number}"] = family.indices
        packed.append(
            {"name": family.name, "fields": list(family.fields), "widths": list(family.digits)}
        )
    return packed


def _unpack_labels(key: str, packed: list[dict[str, Any]], arrays: Mapping[str, Array]) -> Labels:
    """Convert the JSON of :func:`_pack_labels` back to labels."""
    return Labels(
        tuple(
            Names(tuple(_unpack_label(name) for name in family["names"]))
            if "names" in family
            else Family(
                family["name"],
                tuple(family["fields"]),
                arrays[f"{key}.{number}"],
                tuple(family["widths"]),
            )
            for number, family in enumerate(packed)
        )
    )


def _pack_label(label: Hashable) -> Any:
    """Convert a label to JSON: a tuple becomes a list."""
    if isinstance(label, tuple):
        return [_pack_label(part) for part in label]
    if isinstance(label, np.generic):
        label = label.item()
    if label is None or isinstance(label, str) or (isinstance(label, int) and abs(label) < 2**63):
        return label
    if isinstance(label, float) and isfinite(label):
        return label
    raise InvalidInputError(
        f"label {label!r} cannot be written to a file: expected a string, a number, None or a "
        "tuple of these; relabel the variable first"
    )


def _unpack_label(packed: Any) -> Any:
    """Convert the JSON of :func:`_pack_label` back to a label."""
    return tuple(_unpack_label(part) for part in packed) if isinstance(packed, list) else packed


# -- trained networks -----------------------------------------------------------------------------


def save_weights(
    network: Network,
    weights: Weights,
    path: str | PathLike[str],
    *,
    about: Mapping[str, Any] = MappingProxyType({}),
    beside: Mapping[str, Array] = MappingProxyType({}),
) -> None:
    """Write a trained network, description and weights, to ``path``, atomically.

    Parameters
    ----------
    network : Network
    weights : Weights
    path : path-like
    about : mapping, optional
        Further details as JSON, returned by :func:`load_about`.
    beside : mapping of str to ndarray, optional
        Further arrays, returned by :func:`load_about`.

    Raises
    ------
    InvalidInputError
        If the weights do not fit the network, or an activation is a callable: files store names.
    FileAccessError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "network.npz"
    >>> net = Network.dense([2, 1])
    >>> save_weights(net, Weights((np.array([[1, -1]]),), (None,), ()), path)
    >>> net, weights = load_weights(path)
    >>> net.predict(weights, [[3, 1], [1, 3]]).tolist()
    [1, -1]
    """
    network.encode_bits(weights)  # raises if they do not fit
    arrays: dict[str, Array] = {f"about.{name}": array for name, array in beside.items()}
    for number, (matrix, bias) in enumerate(zip(weights.matrices, weights.biases, strict=True)):
        layer = network.layers[number]
        if layer.ties is not None:  # shared weights are stored once
            matrix, bias = layer.stored(matrix, bias)
            if layer.ties.window is None:
                arrays[f"numbers.{number}"] = layer.ties.numbers
                arrays[f"levels.{number}"] = layer.ties.levels
        arrays[f"matrix.{number}"] = np.asarray(matrix, dtype=np.int64)
        if layer.bias_code is not None and bias is not None:
            arrays[f"bias.{number}"] = np.asarray(bias, dtype=np.int64)
    for number, spline in enumerate(weights.splines):
        for part in ("breakpoints", "slopes", "intercepts"):
            arrays[f"spline.{number}.{part}"] = getattr(spline, part)
    content = {
        "layers": [pack_layer(layer, i) for i, layer in enumerate(network.layers, start=1)],
        "splines": [
            {"step": float(s.step), "error": float(s.error), "scale": float(s.scale)}
            for s in weights.splines
        ],
        "about": dict(about),
    }
    shared = any(layer.ties is not None for layer in network.layers)
    write_archive(path, NETWORK, content, arrays, version=1 + shared)


def load_weights(path: str | PathLike[str]) -> tuple[Network, Weights]:
    """Return the network and the weights that :func:`save_weights` wrote.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    FileFormatError
        If it has another format, was written by a newer version, or is truncated or damaged.
    """
    return load_network(path)[:2]


def load_about(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the details and arrays stored with a network; older files have none.

    Raises
    ------
    FileAccessError, FileFormatError
        As :func:`load_weights`.
    """
    return load_network(path)[2:]


def load_network(
    path: str | PathLike[str], about: Form = any_fields
) -> tuple[Network, Weights, dict[str, Any], dict[str, Array]]:
    """Return a network, its weights, and the details and arrays stored with them.

    Parameters
    ----------
    path : path-like
    about : form, optional
        Schema of the details, see :mod:`formulations.files.schema`.

    Raises
    ------
    FileAccessError, FileFormatError
        As :func:`load_weights`.
    """
    content, arrays = read_archive(path, NETWORK, network_content(about), network_arrays)
    kept = {name.removeprefix("about."): a for name, a in arrays.items() if name[:6] == "about."}
    network, weights = _read(path, lambda: _unpack_weights(content, arrays))
    return network, weights, dict(content.get("about", {})), kept


def _unpack_weights(content: dict[str, Any], arrays: dict[str, Array]) -> tuple[Network, Weights]:
    """Build a trained network from a file's content."""
    network = Network(
        tuple(unpack_layer(layer, i, arrays) for i, layer in enumerate(content["layers"]))
    )
    splines = tuple(
        Spline(
            arrays[f"spline.{i}.breakpoints"],
            arrays[f"spline.{i}.slopes"],
            arrays[f"spline.{i}.intercepts"],
            **fields,
        )
        for i, fields in enumerate(content["splines"])
    )
    parts = [(arrays[f"matrix.{i}"], arrays.get(f"bias.{i}")) for i in range(len(network.layers))]
    none = np.zeros(0, dtype=np.int64)
    parts = [
        (matrix, bias)
        if layer.ties is None
        else layer.expand(matrix, none if bias is None else bias)
        for layer, (matrix, bias) in zip(network.layers, parts, strict=True)
    ]
    weights = Weights(tuple(part[0] for part in parts), tuple(part[1] for part in parts), splines)
    network.encode_bits(weights)  # raises if they do not fit
    return network, weights


# -- reading --------------------------------------------------------------------------------------


def _read(path: str | PathLike[str], unpack: Callable[[], T]) -> T:
    """Call ``unpack``; any error means that the file is damaged."""
    try:
        return unpack()
    except Exception as error:
        raise damaged(path, str(error)) from error
