"""Build restricted models from arrays that are kept between rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, IntArray
from solvers.restricted.bounds import TIME, Plan, undecided
from solvers.restricted.rows import Rows, assemble


def plan_of(problem: TrainingProblem) -> Plan | None:
    """Return the problem as arrays for the compiled builder, or None if unsupported.

    The builder supports two-level activations, weights that are sums of bits, and a loss per output
    with two pieces (hinge, zero-one).

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, -1], [1, 1]], [1, -1]
    >>> plan_of(TrainingProblem(Network.dense([2, 2, 1]), X, y)) is None
    False
    >>> plan_of(TrainingProblem(Network.dense([2, 2, 1], activation="relu"), X, y)) is None
    True
    """
    layers, losses = problem.network.layers, problem.loss_splines
    codes = [code for la in layers for code in (la.code, la.bias_code) if code is not None]
    if (
        any(code.one_hot for code in codes)
        or any(s.num_pieces != 2 or s.order for s in problem.splines)
        or problem.loss_kind.is_joint
        or not losses
        or any(s.num_pieces > 2 for s in losses)
        or any(la.ties is not None for la in layers)
        or problem.constraints
    ):
        return None
    numbers, rows = [], 0
    for number, layer in enumerate(layers):
        bias = layer.bias_code
        numbers.append(
            (
                layer.inputs, layer.outputs, layer.code.bits, bias.bits if bias else 0,
                problem.network.bit_offsets()[number], layer.num_bits // layer.outputs, rows,
                problem.bias_units[number], layer.code.offset, bias.offset if bias else 0,
            )
        )  # fmt: skip
        rows += layer.outputs
    table = problem.bit_table
    coefficient = [
        free.coefficient[table[table[:, 0] == number + 1, 2], table[table[:, 0] == number + 1, 3]]
        for number, free in enumerate(problem.free_layers)
    ]
    splines = [(s.breakpoints[0], *s.intercepts.astype(np.int64)) for s in problem.splines]
    small = np.abs(problem.X).max() < 2**15
    return Plan(
        X=np.ascontiguousarray(problem.X.T, dtype=np.int16 if small else np.int64),
        layers=np.array(numbers, dtype=np.int64),
        table=np.ascontiguousarray(table),
        coefficient=np.concatenate(coefficient),
        splines=np.array(splines, dtype=np.int64).reshape(-1, 3),
        # without a breakpoint, put it beyond all outputs
        breaks=np.array([*(s.breakpoints[0] if s.num_pieces == 2 else 2**60 for s in losses)]),
        slopes=np.array([np.resize(s.slopes, 2) for s in losses]),
        intercepts=np.array([np.resize(s.intercepts, 2) for s in losses]),
        target=np.ascontiguousarray(problem.target_index, dtype=np.int16),
    )


class RestrictedBuilder:
    """Builder of models of a problem's restrictions.

    The models equal ``problem.subset(samples).restrict(free, bits).qcbo()``, and building one takes
    time proportional to what the free weights leave undecided.

    Parameters
    ----------
    problem : TrainingProblem
        A problem for which :func:`plan_of` returns a plan.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, -1], [1, 1], [-1, 1]], [1, -1, -1]
    >>> problem = TrainingProblem(Network.dense([2, 2, 1]), X, y)
    >>> bits, free, samples = [1, 0, 1, 1, 1, 0], np.array([0, 5]), np.arange(3)
    >>> rows, _ = RestrictedBuilder(problem).build(free, bits, samples)
    >>> bool((rows.linear == problem.restrict(free, bits).qcbo().linear).all())
    True
    """

    def __init__(self, problem: TrainingProblem) -> None:
        plan = plan_of(problem)
        assert plan is not None
        self.problem, self.plan = problem, plan
        self._slot = np.full(problem.network.num_weight_bits, -1, dtype=np.int64)

    def build(
        self,
        free: IntArray,
        bits: Sequence[int] | BitArray,
        samples: IntArray,
        z: IntArray | None = None,
        most: int | None = None,
    ) -> tuple[Rows, IntArray]:
        """Return the model in which only some weight bits may change, and its samples.

        The weight bits are the last variables.  Without undecided neurons (``rows.length`` is
        empty) they do not affect the loss.

        Parameters
        ----------
        free : ndarray of int64
            Indices of the free bits, ascending.
        bits : array of int8, shape (n_w,)
            Current values of all bits.
        samples : ndarray of int64
            Positions of distinct samples.
        z : ndarray of int, shape (neurons, N), optional
            Pre-activations of ``bits`` on all samples; None computes them.
        most : int, optional
            Maximum number of variables: as many of the first samples as fit are used, at least one.
        """
        bits = np.asarray(bits, dtype=np.int8)
        if z is None:
            twin = self.problem.restrict(np.arange(len(bits)), bits)
            z = np.concatenate([layer[0].T for layer in twin.pre_activations(bits[None])])
        slot, limit = self._slot, 2**62 if most is None else most
        slot[free] = np.arange(len(free))
        records, starts, counts = undecided(self.plan, free, slot, bits, samples, z, limit)
        samples = samples[: len(starts) - 1]
        if (samples[1:] < samples[:-1]).any():
            order = np.argsort(samples)
            samples = samples[order]
            sizes = np.diff(starts)[order]
            first = np.cumsum(sizes) - sizes
            records = records[:, np.arange(sizes.sum()) + np.repeat(starts[order] - first, sizes)]
            records[TIME] = np.repeat(np.arange(len(sizes)), sizes)
        rows = assemble(self.plan, free, slot, bits, samples, z, records, counts)
        slot[free] = -1
        return rows, samples
