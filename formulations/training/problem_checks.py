"""Checks of a training problem's network, inputs, targets and free weight bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_array
from formulations.arrays import Array, FloatArray, IntArray
from formulations.checks import shown
from formulations.errors import InvalidInputError
from formulations.network.losses import Loss
from formulations.network.network import Network


def check_network(network: Network) -> None:
    """Refuse anything but a network.

    Raises
    ------
    InvalidInputError
        Naming the value.
    """
    if not isinstance(network, Network):
        raise InvalidInputError(
            f"network={shown(network)}: expected a Network, such as Network.dense([16, 4, 1])"
        )


def check_inputs(X: npt.ArrayLike, inputs: int) -> IntArray:
    """Convert X to integers of shape (N, inputs)."""
    values = check_array("X", X)
    if values.ndim != 2 or not len(values) or values.shape[1] != inputs:
        raise InvalidInputError(
            f"X of shape {values.shape}: expected (N, {inputs}) with N > 0, the network's inputs"
        )
    if values.dtype.kind not in "iufb":
        raise InvalidInputError(f"X of type {values.dtype}: expected integers")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise InvalidInputError(
                f"X[{row}, {column}] is {values[row, column]}: fill in or drop missing values first"
            )
        if (values != np.rint(values)).any():
            row, column = np.argwhere(values != np.rint(values))[0]
            raise InvalidInputError(
                f"X[{row}, {column}] is {values[row, column]}, not an integer: put the inputs on "
                "an integer lattice first (qnn.data.datasets does it with levels=)"
            )
    if max(-float(values.min()), float(values.max())) > 2**31:
        raise InvalidInputError("X has values beyond 2^31: use fewer levels")
    return values.astype(np.int64)


def check_targets(y: Array, samples: int, outputs: int, loss: Loss) -> tuple[FloatArray, IntArray]:
    """Return the distinct targets (K,), and the index of each sample and output (N, C)."""
    if y.shape != (samples,):
        raise InvalidInputError(
            f"y of shape {y.shape}: expected ({samples},), one label per sample"
        )
    if y.dtype.kind not in "iufb" or (y.dtype.kind == "f" and not np.isfinite(y).all()):
        raise InvalidInputError(
            "y has labels that are not finite numbers: encode or drop them first"
        )
    values = y.astype(float)
    if outputs > 1:
        if (values != np.rint(values)).any() or values.min() < 0 or values.max() >= outputs:
            bad = values[(values != np.rint(values)) | (values < 0) | (values >= outputs)][0]
            raise InvalidInputError(
                f"label {bad:g}: a network of {outputs} outputs expects class indices "
                f"0 .. {outputs - 1}"
            )
        index = (values[:, None] == np.arange(outputs)).astype(np.int64)
        return np.array([-1.0, 1.0]), index
    if loss.is_quadratic:
        if np.abs(values).max() > 2**31:
            raise InvalidInputError("y has values beyond 2^31: scale the targets first")
        targets, inverse = np.unique(values, return_inverse=True)
        return targets, inverse.reshape(-1, 1).astype(np.int64)
    if not np.isin(values, (-1, 1)).all():
        bad = values[~np.isin(values, (-1, 1))][0]
        raise InvalidInputError(
            f"label {bad:g}: a network of one output expects -1 or +1 with the {loss.name} loss"
        )
    return np.array([-1.0, 1.0]), (values[:, None] > 0).astype(np.int64)


def check_free(
    free: Sequence[int | str] | npt.ArrayLike, num_bits: int, labels: Callable[[], list[str]]
) -> IntArray:
    """Convert numbers or labels of weight bits to a sorted free set of bit numbers."""
    values = check_array("free", free).ravel()
    if not len(values):
        raise InvalidInputError("the free set is empty: free at least one weight bit")
    if values.dtype.kind == "U":
        positions = {label: number for number, label in enumerate(labels())}
        unknown = [v for v in values.tolist() if v not in positions]
        if unknown:
            raise InvalidInputError(
                f"unknown weight bit {unknown[0]!r} in the free set: labels look like "
                f"{next(iter(positions))!r}"
            )
        values = np.array([positions[v] for v in values.tolist()])
    numbers = np.unique(values)
    if numbers.dtype.kind not in "iu" or numbers[0] < 0 or numbers[-1] >= num_bits:
        raise InvalidInputError(
            f"free set {values[:5].tolist()!r}: expected bit numbers 0 .. {num_bits - 1}"
        )
    return numbers.astype(np.int64)
