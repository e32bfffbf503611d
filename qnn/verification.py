"""Robustness verification: proofs and counter-examples near samples.

The radius is in levels of the raw numbers.  A raw number v is at level #{thresholds < v} of its
column.  A box holds the levels within the radius that some raw number can reach; if the data are
integers, only integers within their range count.  So a step of one level in a thermometer code of T
inputs changes one of them, not arbitrary bits.  For images, the raw numbers are the sums over their
blocks.  Integers without levels are levels themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.checks import check_number, check_whole, choose
from formulations.errors import InvalidInputError
from formulations.neurons import ENCODINGS
from formulations.training.free_inputs import InputBox
from qnn.data.images import pool
from qnn.data.levels import level_values, whole_numbers
from qnn.export.trained import TrainedModel
from solvers.cp_sat import import_cp_model
from solvers.oracles import Oracle
from solvers.qcgd.qcgd import QCGD
from solvers.run.option_checks import MOST_WORKERS
from solvers.verification import Verdict, decide

OnVerdict = Callable[[int, Verdict], object]


def verify(
    network: Any,
    X: npt.ArrayLike,
    y: Sequence[object] | npt.ArrayLike,
    radius: int = 1,
    *,
    solver: str | None = None,
    oracle: Oracle | None = None,
    encoding: str | None = None,
    time_limit: float | None = 10.0,
    seed: int = 0,
    workers: int = 1,
    on_verdict: OnVerdict | None = None,
) -> list[Verdict]:
    """Prove that samples are robust for all inputs within a radius, or find counter-examples.

    Interval propagation comes first, then a quick search for a counter-example, then the solver.
    Ctrl-C leaves the remaining samples open.

    Parameters
    ----------
    network : TrainedModel, path or estimator
        A classifier, in any form that :meth:`~qnn.export.trained.TrainedModel.of` accepts.
    X : array, shape (N, raw numbers)
        Raw samples, as for ``TrainedModel.predict``.
    y : array, shape (N,)
        Name of each sample's class.
    radius : int
        Radius in levels of the raw numbers, see :mod:`qnn.verification`.
    solver : {"cp-sat", "qcgd", "search", "intervals"}, optional
        CP-SAT proves or finds; QCGD finds, and proves by the bounds of an exact oracle; the other
        two stop after the search, or after intervals.  None: qcgd if an oracle is given, else
        cp-sat if installed (extra ``exact``), else search.
    oracle : Oracle, optional
        Oracle of qcgd.
    encoding : str, optional
        Encoding of hidden units in the model; None: two rows for each breakpoint of an activation.
    time_limit : float, optional
        Seconds per sample.
    workers : int
        Threads of CP-SAT.
    on_verdict : callable, optional
        Called with each sample's number and verdict.

    Returns
    -------
    list of Verdict
        One per sample; a counter-example is an input of ``network.predict``, and
        :func:`raw_example` converts it to raw numbers.

    Raises
    ------
    InvalidInputError
        For a regression, or if classes or columns differ from the network's.
    MissingExtraError
        For cp-sat if it is not installed.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> weights = Weights((np.array([[2, 1]]),), (None,), ())
    >>> net = TrainedModel(Network.dense([2, 1], weights="integer:3"), weights, span=(-3, 3, 1))
    >>> found = verify(net, [[3, 3], [1, -1]], ["+1", "+1"], radius=2)
    >>> [(v.verdict, v.counter_example) for v in found]
    [('robust', None), ('counter-example', array([-1, -1]))]
    """
    model = TrainedModel.of(network)
    if model.line is not None:
        raise InvalidInputError("verify: the network is a regression; expected a classifier")
    check_whole("radius", radius, least=0)
    check_whole("workers", workers, most=MOST_WORKERS)
    if time_limit is not None:
        check_number("time_limit", time_limit)
    if encoding is not None:
        choose("encoding", encoding, list(ENCODINGS))
    if solver is None:
        solver = "cp-sat" if find_spec("ortools") else "search"
        solver = solver if oracle is None else "qcgd"
    if choose("solver", solver, ["cp-sat", "qcgd", "search", "intervals"]) == "cp-sat":
        import_cp_model()
    if oracle is not None and solver != "qcgd":
        raise InvalidInputError(f"oracle: solver {solver!r} asks none; expected solver='qcgd'")
    number = _classes(model, y)
    single = model.network.num_outputs == 1
    raw = _raw(model, X)
    if len(number) != len(raw):
        raise InvalidInputError(f"y of {len(number)} classes for {len(raw)} samples")
    ladder = None if model.thresholds is None else _ladder(model)
    qcgd = QCGD(oracle=oracle, iterations=20)  # for each class that the sample may be confused with
    found: list[Verdict] = []
    try:
        for k, right in enumerate((2 * number - 1 if single else number).tolist()):
            verdict = decide(
                model.network, model.weights, _box(model, ladder, raw[k], radius), right,
                method=solver, qcgd=qcgd,
                encoding=encoding, time_limit=time_limit, seed=seed, workers=workers,
            )  # fmt: skip
            found.append(verdict)
            if on_verdict is not None:
                on_verdict(k, verdict)
            if verdict.by == "interrupted":
                break
    except KeyboardInterrupt:
        pass
    return found + [Verdict("open", "interrupted")] * (len(number) - len(found))


def _classes(model: TrainedModel, y: Any) -> IntArray:
    """Return the number of each class name; ``1`` also matches ``+1``."""
    places = {name: place for place, name in enumerate(model.names)}
    places.update({name.removeprefix("+"): place for name, place in [*places.items()]})
    named = [str(label) for label in np.asarray(y).tolist()]
    unknown = [name for name in named if name not in places]
    if unknown:
        raise InvalidInputError(
            f"class {unknown[0]!r}: expected one of the network's, {', '.join(model.names[:12])}"
        )
    return np.array([places[name] for name in named], dtype=np.int64)


def _raw(model: TrainedModel, X: npt.ArrayLike) -> FloatArray:
    """Return one number per column: raw numbers, or block sums of images."""
    X = np.asarray(X, dtype=np.float64)
    columns = model.num_inputs // model.repeat
    if X.ndim != 2 or X.shape[1] not in (model.num_raw, columns):
        raise InvalidInputError(
            f"X of shape {X.shape}: expected (N, {model.num_raw}), the raw numbers of a sample"
        )
    if model.thresholds is None:
        X = whole_numbers(X, "X").astype(np.float64)
    return pool(X, model.image, columns)


def _ladder(model: TrainedModel) -> tuple[FloatArray, IntArray, FloatArray, BoolArray]:
    """Return upper ends of a column's levels, inputs and a raw number per level, and reachability.

    Shapes (C, T), (C, T+1, m), (C, T+1) and (C, T+1).  Level n has the raw numbers v with
    end n-1 < v <= end n, if any.
    """
    given, each = np.asarray(model.thresholds, dtype=np.float64), model.repeat
    columns = model.num_inputs // each
    ends = given.reshape(-1, columns, each).transpose(1, 0, 2).reshape(columns, -1)
    order = np.argsort(ends, axis=1, kind="stable")
    passed = np.zeros((columns, ends.shape[1] + 1, each), dtype=np.int64)
    passed[:, 1:] = np.cumsum((order % each)[..., None] == np.arange(each), axis=1)
    ends = np.take_along_axis(ends, order, axis=1)
    if model.raw_span is None:
        sides, inner = (-np.inf, np.inf), ends
    else:  # integers, and sums of as many as a block has pixels
        side = round(columns**0.5)
        block = 1 if model.image is None else (model.image[0] // side) * (model.image[1] // side)
        sides = (model.raw_span[0] * block - 1, model.raw_span[1] * block)
        inner = np.clip(np.floor(ends), *sides)
    bounds = np.pad(inner, ((0, 0), (1, 1)), constant_values=(sides,))
    numbers = bounds[:, 1:].copy()
    beyond = np.isinf(numbers[:, -1])
    numbers[beyond, -1] = ends[beyond, -1] + np.abs(ends[beyond, -1]) + 1
    return ends, level_values(len(given) + 1)[passed], numbers, np.diff(bounds, axis=1) > 0


def _box(
    model: TrainedModel,
    ladder: tuple[FloatArray, IntArray, FloatArray, BoolArray] | None,
    raw: FloatArray,
    radius: int,
) -> InputBox:
    """Return the box around one sample, raw numbers (C,)."""
    if ladder is None:
        low, high, step = model.span or (int(raw.min()) - radius, int(raw.max()) + radius, 1)
        radius = min(radius, (high - low) // step)
        moves = np.arange(-radius, radius + 1)
        n = raw.astype(np.int64)[:, None] + step * moves
        valid = ((low <= n) & (n <= high)) | (moves == 0)
        values = np.repeat(n[..., None], model.repeat, axis=2)
    else:
        ends, table, _, is_there = ladder
        top = ends.shape[1]
        radius = min(radius, top)
        moves, columns = np.arange(-radius, radius + 1), np.arange(len(raw))[:, None]
        n = (ends < raw[:, None]).sum(axis=1)[:, None] + moves
        inside = np.clip(n, 0, top)
        valid = ((n == inside) & is_there[columns, inside]) | (moves == 0)
        values = table[columns, inside]
    count = valid.sum(axis=1)
    place = np.minimum(np.arange(count.max()), count[:, None] - 1)
    chosen = np.take_along_axis(np.argsort(~valid, axis=1, kind="stable"), place, axis=1)
    return InputBox(
        np.take_along_axis(values, chosen[..., None], axis=1), valid[:, :radius].sum(axis=1)
    )


def raw_example(model: TrainedModel, sample: npt.ArrayLike, inputs: IntArray) -> FloatArray:
    """Return raw numbers (C,) that the network maps to some inputs (d,), near a raw sample.

    Columns with the sample's inputs keep its numbers.  For images, these are block sums, which
    :meth:`TrainedModel.predict` also accepts.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> weights = Weights((np.array([[1, 1, 1]]),), (None,), ())
    >>> net = TrainedModel(
    ...     Network.dense([3, 1]), weights, np.array([[0.5, 1.5, 2.5]]), repeat=3
    ... )
    >>> raw_example(net, [0.0], np.array([1, 1, -1])), net.on_lattice([[2.5]]).tolist()
    (array([2.5]), [[1, 1, -1]])
    """
    raw = _raw(model, np.asarray(sample, dtype=np.float64)[None])[0]
    wanted = inputs.reshape(len(raw), -1)
    if model.thresholds is None:
        return np.asarray(wanted[:, 0], dtype=np.float64)
    ends, table, numbers, is_there = _ladder(model)
    columns = np.arange(len(raw))
    moved = (table[columns, (ends < raw[:, None]).sum(axis=1)] != wanted).any(axis=1)
    level = ((table == wanted[:, None]).all(axis=2) & is_there).argmax(axis=1)
    return np.asarray(np.where(moved, numbers[columns, level], raw), dtype=np.float64)
