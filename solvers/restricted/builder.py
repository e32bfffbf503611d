"""Restricted models from arrays that are kept from round to round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.model.labels import Family, Labels
from formulations.model.qcbo import QCBO
from solvers.restricted.bounds import LAYER, NEURON, TARGET, TIME, Plan, undecided
from solvers.restricted.rows import Rows, assemble

if TYPE_CHECKING:
    from formulations import TrainingProblem


def plan_of(problem: TrainingProblem) -> Plan | None:
    """The problem as arrays for the compiled builder; None for what that does not build.

    It builds networks of two-level activations whose weights are sums of bits, with a loss of one
    output at a time in two pieces (hinge, zero-one).

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
        # a loss without a breakpoint has it where no output comes
        breaks=np.array([*(s.breakpoints[0] if s.num_pieces == 2 else 2**60 for s in losses)]),
        slopes=np.array([np.resize(s.slopes, 2) for s in losses]),
        intercepts=np.array([np.resize(s.intercepts, 2) for s in losses]),
        target=np.ascontiguousarray(problem.target_index, dtype=np.int16),
    )


class RestrictedBuilder:
    """Builds the models of a problem's restrictions.

    The models are those of ``problem.subset(samples).restrict(free, bits).qcbo()``, number by
    number, in time proportional to what the free weights leave undecided.

    Parameters
    ----------
    problem : TrainingProblem
        One that :func:`plan_of` has a plan of.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, -1], [1, 1], [-1, 1]], [1, -1, -1]
    >>> problem = TrainingProblem(Network.dense([2, 2, 1]), X, y)
    >>> bits, free, samples = [1, 0, 1, 1, 1, 0], np.array([0, 5]), np.arange(3)
    >>> model = RestrictedBuilder(problem).build(free, bits, samples).qcbo()
    >>> model.equals(problem.restrict(free, bits).qcbo())
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
    ) -> RestrictedModel:
        """The model in which only some weight bits may change.

        Parameters
        ----------
        free : ndarray of int64
            Numbers of the bits, ascending.
        bits : array of int8, shape (n_w,)
            Values of all bits now.
        samples : ndarray of int64
            Positions of distinct samples.
        z : ndarray of int, shape (neurons, N), optional
            Pre-activations of ``bits`` on all samples; None finds them.
        most : int, optional
            Most variables: only the first samples are taken, as many as fit, at least one.
        """
        bits = np.asarray(bits, dtype=np.int8)
        if z is None:
            twin = self.problem.restrict(np.arange(len(bits)), bits)
            z = np.concatenate([layer[0].T for layer in twin.pre_activations(bits[None])])
        slot, limit = self._slot, 2**62 if most is None else most
        slot[free] = np.arange(len(free))
        records, starts, least, open_, counts = undecided(
            self.plan, free, slot, bits, samples, z, limit
        )
        samples = samples[: len(least)]
        if (samples[1:] < samples[:-1]).any():
            order = np.argsort(samples)
            samples, least, open_ = samples[order], least[order], open_[order]
            sizes = np.diff(starts)[order]
            first = np.cumsum(sizes) - sizes
            records = records[:, np.arange(sizes.sum()) + np.repeat(starts[order] - first, sizes)]
            records[TIME] = np.repeat(np.arange(len(sizes)), sizes)
        rows = assemble(self.plan, free, slot, bits, samples, z, records, counts)
        slot[free] = -1
        return RestrictedModel(self.problem, free, samples, records, counts, rows, least[~open_])


@dataclass(frozen=True)
class RestrictedModel:
    """A restricted model's numbers; labels are made only where the model itself is asked for.

    Parameters
    ----------
    problem : TrainingProblem
    free, samples : ndarray of int64
        Free bits, and the samples that the model is built on, both ascending.
    records : ndarray of int64, shape (6, E)
        The undecided neurons.
    counts : ndarray of int64, shape (3,)
        Variables beta, s and u; after them come the weight bits.
    rows : Rows
    decided : ndarray
        Losses that do not depend on the free bits.
    """

    problem: TrainingProblem
    free: IntArray
    samples: IntArray
    records: IntArray
    counts: IntArray
    rows: Rows
    decided: FloatArray

    @property
    def num_variables(self) -> int:
        """Number of variables n; the weight bits are the last ones."""
        return len(self.rows.linear)

    @property
    def is_decided(self) -> bool:
        """Whether nothing that is free can change a loss."""
        return not self.records.size

    @cached_property
    def offset(self) -> float:
        """Constant of the objective."""
        total = float(self.decided.sum())
        for target in range(len(self.problem.loss_splines)):
            of_target = self.records[TARGET] == target
            if of_target.any():
                total += float(self.rows.constants[of_target].sum())
        return total

    def qcbo(self) -> QCBO:
        """The model with its labels."""
        rows, n, m = self.rows, self.num_variables, len(self.rows.rhs)
        depth = int(self.records[LAYER].max(initial=0)) + 1
        groups = self.records[LAYER, rows.record] + 1
        present = [number for number in range(1, depth + 1) if (groups == number).any()]
        group = np.searchsorted(np.array(present), groups).astype(np.int64)
        return QCBO(
            linear=rows.linear,
            quadratic=sp.csr_array((rows.q_value, rows.q_column, rows.q_start), shape=(n, n)),
            offset=self.offset,
            rows=sp.csr_array((rows.value, rows.column, rows.start), shape=(m, n)),
            rhs=rows.rhs,
            equality=np.ones(m, dtype=bool),
            row_group=group,
            group_names=tuple(f"layer {number}" for number in present),
            products=rows.products,
            labels=self._labels(),
            row_labels=Labels((self._family("z", rows.record),)),
        )

    def _family(self, name: str, record: IntArray) -> Family:
        """Labels ``name[k=,l=,j=]`` of some records."""
        time, layer, neuron = self.records[[TIME, LAYER, NEURON]][:, record]
        number = self.problem.sample_numbers[self.samples[time]]
        table = np.stack([number, layer + 1, neuron], axis=1)
        return Family(name, ("k", "l", "j"), table, self._digits)

    @property
    def _digits(self) -> tuple[int, int, int]:
        widths = self.problem.network.widths
        largest = self.problem.num_samples_in_all - 1, len(widths), max(widths[1:]) - 1
        return len(str(largest[0])), len(str(largest[1])), len(str(largest[2]))

    def _labels(self) -> Labels:
        problem, rows = self.problem, self.rows
        with_word = np.flatnonzero(rows.length >= 0)
        beta = self._family("beta", with_word)
        sizes = rows.length[with_word]
        place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        of_bit = np.repeat(beta.indices, sizes, axis=0)
        s = Family("s", (*beta.fields, "r"), np.column_stack([of_bit, place]), (*self._digits, 2))
        table, widths = problem.bit_table, problem.network.widths
        record, bit = rows.origin.T
        u_table = np.column_stack([self._family("u", record).indices, table[bit, 2]])
        fields: tuple[str, ...] = (*beta.fields, "i")
        digits: tuple[int, ...] = (*self._digits, len(str(max(widths) - 1)))
        several = bool(table[:, 3].max() > 0)
        if several:
            u_table = np.column_stack([u_table, table[bit, 3], np.zeros_like(bit)])
            fields, digits = (*fields, "b", "q"), (*digits, 2, 4)
        columns = table[self.free, : 4 if several else 3]
        most = tuple(len(str(number)) for number in table.max(axis=0)[: columns.shape[1]])
        w = Family("w", ("",) * columns.shape[1], columns, most)
        return Labels((beta, s, Family("u", fields, u_table, digits), w))
