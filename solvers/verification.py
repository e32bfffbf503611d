"""Robustness of a network within a box of inputs: proofs and counter-examples.

1. Interval propagation: exact bounds of the first layer, then bounds layer by layer; the last layer
   is bounded as the right output minus a wrong one.
2. A search of the box: each candidate is the corner that one random weighting of the hidden units
   points at, argmin of v'x over the box with v = W_1' D_1 W_2' D_2 ... u and diagonal D > 0, drawn
   around those of the best corner so far.
3. The model of :mod:`formulations.training.free_inputs` by CP-SAT, which proves or finds, or by
   QCGD and any oracle, which finds.

A counter-example counts once ``Network.predict`` confirms it; columns that it does not need are
reset to the sample's values.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from formulations.arrays import BitArray, BoolArray, IntArray
from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO
from formulations.network.network import Network, Weights
from formulations.training.free_inputs import InputBox, box_bounds, input_model, rival
from solvers.cp_sat import solve_qcbo
from solvers.qcgd.qcgd import QCGD
from solvers.run.result import Status
from solvers.run.run import Progress


@dataclass(frozen=True)
class Verdict:
    """Verdict on one sample.

    Parameters
    ----------
    verdict : {"robust", "counter-example", "open"}
        ``robust``: it is proven that no input of the box is assigned another class.
    by : str
        What decided it: ``intervals``, ``sample`` (already wrong itself), ``search``, ``cp-sat`` or
        ``qcgd``.  For an open verdict, the reason: ``time limit``, ``interrupted``, or the method
        that found no counter-example.
    seconds : float
    counter_example : ndarray of int, shape (d,), or None
    """

    verdict: Literal["robust", "counter-example", "open"]
    by: str
    seconds: float = 0.0
    counter_example: IntArray | None = None


def decide(
    network: Network,
    weights: Weights,
    box: InputBox,
    right: int,
    *,
    method: str = "cp-sat",
    qcgd: QCGD | None = None,
    encoding: str | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    workers: int = 1,
) -> Verdict:
    """Return the verdict on one box.

    Parameters
    ----------
    right : int
        Class of the sample, as in ``Network.predict``.
    method : {"cp-sat", "qcgd", "search", "intervals"}
        Last method to try: intervals come first, then a search, then CP-SAT or QCGD.
    qcgd : QCGD, optional
        Solver for the method ``qcgd``; its time limit is the rest of the sample's.
    encoding : str, optional
        Encoding of the model.
    time_limit : float, optional
        Seconds.
    workers : int
        Threads of CP-SAT.

    Examples
    --------
    >>> net, weights = Network.dense([2, 1]), Weights((np.array([[1, 1]]),), (None,), ())
    >>> box = InputBox(np.array([[[-1], [1]], [[3], [3]]]), np.array([1, 0]))
    >>> decide(net, weights, box, 1).verdict, decide(net, weights, box, -1).verdict
    ('robust', 'counter-example')
    """
    started = time.perf_counter()

    def said(verdict: str, by: str, x: IntArray | None = None) -> Verdict:
        return Verdict(verdict, by, time.perf_counter() - started, x)  # type: ignore[arg-type]

    def left() -> float | None:
        return None if time_limit is None else time_limit - (time.perf_counter() - started)

    if network.predict(weights, box.sample[None])[0] != right:
        return said("counter-example", "sample", box.sample)
    single = network.num_outputs == 1
    classes = [-right] if single else [c for c in range(network.num_outputs) if c != right]
    pairs = [rival(network, right, wrong) for wrong in classes]
    rows = np.array([row for row, _ in pairs])
    greatest = np.array([most for _, most in pairs])
    least = box_bounds(network, weights, box, rows)[-1][0]
    open_ = np.flatnonzero(least <= greatest)
    if not len(open_):
        return said("robust", "intervals")
    if method == "intervals":
        return said("open", method)

    def fewest(x: IntArray) -> IntArray:
        return _fewest(network, weights, box, x, rows, greatest)

    for at in open_.tolist():
        x = _search(network, weights, box, rows[at], int(greatest[at]), seed)
        if network.predict(weights, x[None])[0] != right:
            return said("counter-example", "search", fewest(x))
    if method == "search":
        return said("open", method)
    unknown, stopped = "", False
    for at in open_[np.argsort((least - greatest)[open_], kind="stable")].tolist():
        seconds = left()
        if stopped or (seconds is not None and seconds <= 0):
            break
        demand = method == "cp-sat"
        model = input_model(
            network, weights, box, right, classes[at], encoding=encoding, demand=demand
        )
        place = model.labels.of_kind("x")
        if demand:
            try:
                found = solve_qcbo(model, time_limit=seconds, seed=seed, workers=workers)
            except InfeasibleModelError:  # It is proven that no input of the box is of this class.
                continue
            none = np.zeros((0, len(place)), dtype=np.int8)
            points = none if found.x is None else found.x[None, place]
            stopped = found.status is Status.INTERRUPTED
        else:
            points, bound, stopped = _asked(model, qcgd or QCGD(), int(greatest[at]), seconds, seed)
            if bound > greatest[at]:
                continue
            points = points[:, place]
        X = box.inputs(points)
        wrong = np.flatnonzero(network.predict(weights, X) != right)
        if len(wrong):
            return said("counter-example", method, fewest(X[wrong[0]]))
        unknown = "interrupted" if stopped else method
    else:
        return said("open", unknown) if unknown else said("robust", method)
    return said("open", "interrupted" if stopped else "time limit")


def _asked(
    model: QCBO, qcgd: QCGD, greatest: int, seconds: float | None, seed: int
) -> tuple[BitArray, float, bool]:
    """Ask QCGD for its best points, its proven bound on the gap, and whether Ctrl-C ended it."""

    def found(progress: Progress) -> bool:
        return progress.feasible and progress.loss <= greatest

    solver = replace(qcgd, time_limit=seconds, seed=seed, callbacks=(*qcgd.callbacks, found))
    samples = solver.sample_cqm(model.to_cqm())
    bound = samples.info.get("lower_bound")
    points = np.array([model.array(sample) for sample in samples.samples(sorted_by=None)])
    stopped = samples.info["status"] == Status.INTERRUPTED.value
    # The gap is a whole number, while the bound is a sum of doubles.
    return points, -np.inf if bound is None else float(np.ceil(bound - 1e-6)), stopped


def _search(
    network: Network,
    weights: Weights,
    box: InputBox,
    row: IntArray,
    greatest: int,
    seed: int,
    rounds: int = 10,
    corners: int = 128,
) -> IntArray:
    """Search for an input of the box whose gap ``row @ z`` is small."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    matrices = [np.asarray(matrix, dtype=float) for matrix in weights.matrices]
    values = box.values.astype(float)
    columns, _, each = values.shape
    best, least = box.own, np.inf
    centre = [np.zeros(len(matrix)) for matrix in matrices[:-1]]
    for _ in range(rounds):
        spread = [c + rng.normal(size=(corners, len(c))) for c in centre]
        for shares, c in zip(spread, centre, strict=True):
            shares[0] = c
        slope = np.broadcast_to(row @ matrices[-1], (corners, matrices[-1].shape[1]))
        for shares, matrix in zip(reversed(spread), reversed(matrices[:-1]), strict=True):
            slope = slope * np.exp(shares) @ matrix
        cost = np.einsum("rcm,ckm->rck", slope.reshape(corners, columns, each), values)
        cost[:, np.arange(columns), box.own] -= 1e-9  # Columns without influence keep their values.
        levels = cost.argmin(axis=2)
        gaps = network.pre_activations(weights, box.at(levels))[-1] @ row
        at = int(gaps.argmin())
        if gaps[at] < least:
            best, least = levels[at], gaps[at]
            centre = [shares[at] for shares in spread]
        if least <= greatest or not spread:
            break
    return box.at(best)


def _fewest(
    network: Network,
    weights: Weights,
    box: InputBox,
    x: IntArray,
    rows: IntArray,
    greatest: IntArray,
) -> IntArray:
    """Reset columns of a wrong input to the sample's values for as long as it stays wrong."""
    own = box.sample.reshape(len(box.own), -1)
    found = x.reshape(own.shape)

    def excess(put_back: BoolArray) -> IntArray:  # (R, C) -> (R,), wrong if at most 0
        X = np.where(put_back[..., None], own, found).reshape(len(put_back), -1)
        z = network.pre_activations(weights, X)[-1]
        return np.asarray((z @ rows.T - greatest).min(axis=1))

    while len(changed := np.flatnonzero((own != found).any(axis=1))):
        alone = np.eye(len(own), dtype=bool)[changed]
        order = np.argsort(excess(alone), kind="stable")  # Try the least harmful column first.
        together = np.asarray(np.logical_or.accumulate(alone[order]))
        wrong = np.flatnonzero(excess(together) <= 0)
        if not len(wrong):
            break
        found = np.where(together[wrong[-1], :, None], own, found)
    return found.ravel()
