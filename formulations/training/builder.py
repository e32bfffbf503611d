"""Construction of a training problem's QCBO, layer by layer.

Whole and restricted problems use the same code: neurons that interval propagation decides are
constants, neurons that no undecided output needs are left out, and only the others get bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.constraints.parts import Parts
from formulations.model.assembly import Assembly, IndicatorStep, Step, Terms, ragged
from formulations.model.labels import Family
from formulations.model.qcbo import QCBO
from formulations.network.splines import Spline
from formulations.network.weight_bits import FreeLayer
from formulations.neurons import encoding_for
from formulations.neurons.base import Neurons, Values, linear_word
from formulations.training.instance import Instance
from formulations.training.pairs import Pairs


@dataclass(frozen=True)
class TrainingModel:
    """A training problem's QCBO, with the steps that complete weight bits."""

    model: QCBO
    steps: list[Step]

    def complete(self, bits: npt.ArrayLike, z: list[IntArray]) -> BitArray:
        """Return all variables for one weight-bit vector and its pre-activations z_l (N, n_l)."""
        x = np.zeros(self.model.num_variables, dtype=np.int8)
        x[self.model.weight_variables] = bits
        for step in self.steps:
            if isinstance(step, np.ndarray):
                u, v, w = step.T
                x[u] = x[v] & x[w]
            elif isinstance(step, IndicatorStep):
                t = step.terms
                sums = step.constant + np.bincount(
                    t.owner, t.coefficient * x[t.variable], minlength=len(step.constant)
                )
                x[step.variables] = sums > 0
            else:
                x[step.variables] = step.word(z[step.layer - 1][step.sample, step.unit])
        return x


@dataclass
class ModelBuilder:
    """Builder of the QCBO of one problem in one encoding."""

    problem: Instance
    encoding: str | None

    def __post_init__(self) -> None:
        problem = self.problem
        self.assembly = Assembly()
        encodings = [
            encoding_for(self.encoding, s) for s in (*problem.splines, *problem.loss_splines)
        ]
        self.indexed = any(e.name != "twos-complement" for e in encodings)
        # several bits per weight, or several terms per activation
        several_terms = any(s.num_pieces > 2 or s.order for s in problem.splines)
        self.wide = self.indexed or several_terms or problem.bit_table[:, 3].max() > 0
        widths = problem.network.widths
        self.digits = (
            len(str(problem.num_samples_in_all + _num_states(problem) - 1)),
            len(str(len(widths) - (not problem.loss_kind.is_joint))),
            len(str(max(widths[1:]) - 1)),
        )

    def build(self) -> TrainingModel:
        """Build weight bits, hidden layers, losses and constraints."""
        self.weight_variable = self._weight_bits()
        values = _Forms.inputs(self.problem.X)
        for number in range(len(self.problem.splines)):
            neurons = self._pre_activations(number, values)
            encoded = self._encode(neurons, self.problem.splines[number], reduce=True)
            values = self._activations(number, neurons, encoded)
        self._losses(self._pre_activations(len(self.problem.splines), values))
        self.constrain()
        model, steps = self.assembly.finish()
        return TrainingModel(model, steps)

    def constrain(self) -> None:
        """Add the rows of the constraints and the states of their samples."""
        problem, held = self.problem, self.problem.incumbent_bits.astype(np.int64)
        if not problem.constraints:
            return
        held[problem.free] = 0
        parts = Parts(
            self.assembly,
            problem,
            problem.free_layers,
            problem.free,
            held,
            self.weight_variable,
            lambda neurons, spline: self._encode(neurons, spline, reduce=True),
            self.digits,
            position=problem.num_samples,
            number=problem.num_samples_in_all,
        )
        for number, constraint in enumerate(problem.constraints):
            constraint.add_rows(parts, number)

    # -- weight bits ------------------------------------------------------------------------------

    def _weight_bits(self) -> IntArray:
        """Add variables of the free bits, and a row for every free one-hot word."""
        problem = self.problem
        table = problem.bit_table[problem.free]
        widths = tuple(len(str(m)) for m in problem.bit_table.max(axis=0))
        several = problem.bit_table[:, 3].max() > 0
        columns = table.T if several else table.T[:3]
        ids = self.assembly.variables(
            "w", ("",) * len(columns), widths[: len(columns)], list(columns)
        )
        for words in problem.free_words:
            owner = np.repeat(np.arange(len(words)), words.shape[1])
            self.assembly.rows(
                Terms.linear(owner, ids[words.ravel()], 1.0),
                np.ones(len(words)),
                "codebook",
                Family("codebook", ("", "", ""), table[words[:, 0], :3], widths[:3]),
            )
        return ids

    # -- one layer --------------------------------------------------------------------------------

    def _pre_activations(self, number: int, values: _Forms) -> Neurons:
        """Return z of every undecided neuron: a constant and linear terms, with products."""
        layer, free = self.problem.network.layers[number], self.problem.free_layers[number]
        bounds = self.problem.bounds[number]
        unit_one = self.problem.bias_units[number]
        sample, unit = np.nonzero(self.problem.undecided[number])
        n_in = layer.inputs
        units, position = np.unique(unit, return_inverse=True)
        rows = free.fixed[units]
        inputs = values.constant @ rows[:, :-1].T.astype(float)
        constant = (inputs + unit_one * rows[:, -1])[sample, position]
        parts = [self._fixed_inputs(free, values, sample, unit, n_in, unit_one)]
        owner, term = ragged(values.start[sample], values.count[sample])
        j, i = unit[owner], values.input[term]
        parts.append(
            Terms.linear(owner, values.variable[term], free.fixed[j, i] * values.coefficient[term])
        )
        parts.append(self._products(number, free, values, sample, owner, term, j, i))
        return Neurons(
            number + 1,
            sample,
            unit,
            self.problem.sample_numbers[sample],
            bounds.z_low[sample, unit],
            bounds.z_high[sample, unit],
            constant,
            Terms.join(parts),
            self.digits,
        )

    def _fixed_inputs(
        self,
        free: FreeLayer,
        values: _Forms,
        sample: IntArray,
        unit: IntArray,
        n_in: int,
        unit_one: int,
    ) -> Terms:
        """Return the terms of free weight bits times the constant part of their input."""
        j, i, b = np.nonzero(free.slot >= 0)
        starts = np.searchsorted(j, np.arange(len(free.fixed)))
        counts = np.bincount(j, minlength=len(free.fixed))
        owner, entry = ragged(starts[unit], counts[unit])
        column = i[entry]
        inputs = np.where(
            column < n_in, values.constant[sample[owner], np.minimum(column, n_in - 1)], unit_one
        )
        slots = free.slot[j, i, b]
        weight = free.coefficient[i, b]
        return Terms.linear(owner, self.weight_variable[slots[entry]], weight[entry] * inputs)

    def _products(
        self,
        number: int,
        free: FreeLayer,
        values: _Forms,
        sample: IntArray,
        owner: IntArray,
        term: IntArray,
        j: IntArray,
        i: IntArray,
    ) -> Terms:
        """Add u = w * state for every free bit of a weight and every term of its input."""
        parts = []
        widest = len(str(max(self.problem.network.widths) - 1))
        fields: tuple[str, ...] = ("k", "l", "j", "i")
        widths: tuple[int, ...] = (*self.digits, widest)
        if self.wide:
            fields, widths = (*fields, "b", "q"), (*widths, 2, 4)
        for b in range(free.slot.shape[2]):
            slot = free.slot[j, i, b]
            at = np.flatnonzero(slot >= 0)
            if not len(at):
                continue
            k, state = sample[owner[at]], values.variable[term[at]]
            indices = [self.problem.sample_numbers[k], np.full(len(at), number + 1), j[at], i[at]]
            if self.wide:
                indices += [np.full(len(at), b), values.rank[term[at]]]
            u = self.assembly.variables("u", fields, widths, indices)
            self.assembly.products(u, self.weight_variable[slot[at]], state)
            weight = free.coefficient[i[at], b] * values.coefficient[term[at]]
            parts.append(Terms.linear(owner[at], u, weight))
        return Terms.join(parts)

    def _encode(self, neurons: Neurons, spline: Spline, reduce: bool) -> Values:
        return encoded(self.assembly, neurons, spline, self.encoding, reduce, self.indexed)

    def _activations(self, number: int, neurons: Neurons, encoded: Values) -> _Forms:
        """Return the inputs of the next layer: constants if decided, else forms of state bits."""
        constant = self.problem.bounds[number + 1].a_low.astype(float)
        constant[neurons.sample, neurons.unit], terms = encoded
        return _Forms.of(constant, neurons, terms)

    # -- outputs ----------------------------------------------------------------------------------

    def _losses(self, neurons: Neurons) -> None:
        """Add the losses to the objective; decided losses are a constant."""
        problem = self.problem
        outputs = problem.bounds[-1]
        self.assembly.offset += problem.decided_loss(outputs.z_low, outputs.z_high)
        if problem.loss_kind.is_joint:
            neurons = Pairs.of(problem, neurons.sample, neurons.unit).neurons(neurons)
            self._encode_losses(neurons, problem.loss_splines[0])
            return
        target = problem.target_index[neurons.sample, neurons.unit]
        if problem.loss_kind.is_quadratic:
            self._squares(neurons, problem.targets[target])
            return
        for index, spline in enumerate(problem.loss_splines):
            chosen = np.flatnonzero(target == index)
            if len(chosen):
                self._encode_losses(neurons.take(chosen), spline)

    def _encode_losses(self, neurons: Neurons, spline: Spline) -> None:
        """Add the loss of each neuron's integer to the objective."""
        constant, terms = self._encode(neurons, spline, reduce=False)
        self.assembly.offset += float(constant.sum())
        self.assembly.objective(terms)

    def _squares(self, neurons: Neurons, target: FloatArray) -> None:
        """Add sum_e (step z_e - y_e)^2, expanded over the terms of z by one sparse product."""
        step = self.problem.out_step
        residual = step * neurons.constant - target
        terms = neurons.terms
        shape = (len(neurons), self.assembly.count)
        A = sp.csr_array((step * terms.coefficient, (terms.owner, terms.variable)), shape=shape)
        square = sp.coo_array(sp.triu(A.T @ A, format="coo"))
        weight = np.where(square.row == square.col, 1.0, 2.0) * square.data
        none = np.zeros(len(weight), dtype=np.int64)
        self.assembly.objective(
            Terms(none, square.row.astype(np.int64), weight, square.col.astype(np.int64))
        )
        linear = np.asarray(2.0 * (A.T @ residual))
        columns = np.flatnonzero(linear)
        self.assembly.objective(Terms.linear(np.zeros_like(columns), columns, linear[columns]))
        self.assembly.offset += float(residual @ residual)


def encoded(
    assembly: Assembly,
    neurons: Neurons,
    spline: Spline,
    encoding: str | None,
    reduce: bool,
    indexed: bool,
) -> Values:
    """Encode neurons that cross a breakpoint by state bits, and the others by plain words."""
    crossing = spline.piece(neurons.low) < spline.piece(neurons.high)
    encoder = encoding_for(encoding, spline)
    constant = np.zeros(len(neurons))
    parts = []
    for chosen in (np.flatnonzero(crossing), np.flatnonzero(~crossing)):
        if not len(chosen):
            continue
        group = neurons if len(chosen) == len(neurons) else neurons.take(chosen)
        if crossing[chosen[0]]:
            constant[chosen], terms = encoder.encode(assembly, group, spline, reduce, indexed)
        elif reduce and encoder.has_words:
            constant[chosen], terms = linear_word(assembly, group, spline)
        else:
            constant[chosen], terms = _sloped(group, spline)
        parts.append(Terms(chosen[terms.owner], terms.variable, terms.coefficient, terms.second))
    return constant, Terms.join(parts)


def _num_states(problem: Instance) -> int:
    """Count the samples, or corners of boxes, that constraints add."""
    bits = problem.incumbent_bits
    states = [constraint.states(problem, bits) for constraint in problem.constraints]
    return sum(len(layers[0]) for layers in states if layers)


def _sloped(neurons: Neurons, spline: Spline) -> Values:
    """Return slope z + intercept of neurons inside one piece, from the terms of z."""
    piece = spline.piece(neurons.low)
    slope = spline.slopes[piece]
    terms = neurons.terms
    weighted = Terms.linear(terms.owner, terms.variable, slope[terms.owner] * terms.coefficient)
    return slope * neurons.constant + spline.intercepts[piece], weighted


@dataclass(frozen=True)
class _Forms:
    """Inputs of a layer as affine forms, sorted by sample.

    ``constant`` has shape (N, n).  The entries of sample k are start[k] .. start[k] + count[k] - 1,
    each with its ``input`` i, ``variable``, ``coefficient`` and ``rank`` among the terms of (k, i).
    """

    constant: FloatArray
    start: IntArray
    count: IntArray
    input: IntArray
    variable: IntArray
    coefficient: FloatArray
    rank: IntArray

    @classmethod
    def inputs(cls, X: IntArray) -> _Forms:
        """Return the data as constants."""
        none = np.zeros(0, dtype=np.int64)
        zeros = np.zeros(len(X), dtype=np.int64)
        return cls(X.astype(float), zeros, zeros, none, none, none.astype(float), none)

    @classmethod
    def of(cls, constant: FloatArray, neurons: Neurons, terms: Terms) -> _Forms:
        """Return activations whose undecided parts are ``terms``, owned by ``neurons``."""
        order = np.argsort(terms.owner, kind="stable")  # neurons are sorted by sample, then unit
        terms = terms.take(order)
        sample = neurons.sample[terms.owner]
        count = np.bincount(sample, minlength=len(constant))
        start = np.cumsum(count) - count
        first = np.searchsorted(terms.owner, terms.owner)
        rank = np.arange(len(first)) - first
        return cls(
            constant,
            start,
            count,
            neurons.unit[terms.owner],
            terms.variable,
            terms.coefficient,
            rank,
        )
