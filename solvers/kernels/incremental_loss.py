"""Conversion of a training problem to the arrays of the compiled walks, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BitArray, IntArray
from solvers.kernels.compiled import GROUP, LANES
from solvers.kernels.incremental import Moves, refresh
from solvers.kernels.loss_form import LossForm
from solvers.kernels.output_losses import FIRST, KIND, PIECES
from solvers.kernels.sweeps import (
    DELTA,
    FAN_IN,
    LEVEL,
    LINE,
    NEW,
    NO_CLIP,
    PIECE,
    SIZE,
    SOURCE,
    UNITS,
    State,
    clip_and_shift,
    increments,
    lists_of_ties,
    set_shared,
)

if TYPE_CHECKING:
    from formulations import TrainingProblem


SOME_BITS = 3
"""Bits of a wide integer that a restricted problem frees."""


class IncrementalLoss:
    """Loss of a problem over its weights, updated one weight at a time.

    A *choice* is a number per movable weight: the index of one of the levels that its free bits
    allow.

    Attributes
    ----------
    state : State
        Arrays of the compiled walks; training loss = unit * (its loss) + offset.
    moves : Moves
        Movable weights, those of the last layer first, and the current choice.
    floor : float
        Lower bound on the training loss of any weights.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 1], weights="ternary")
    >>> landscape = IncrementalLoss(TrainingProblem(net, [[1, -1], [1, 1]], [1, -1]))
    >>> landscape.num_choices
    9
    >>> landscape.set_bits([1, 0, 0, 0]), landscape.moves.choice.tolist()
    (0.0, [1, 0])
    """

    def __init__(self, problem: TrainingProblem) -> None:
        self._problem = problem
        groups = [
            group
            for number in range(len(problem.network.layers))
            for group in _movable_weights(problem, number)
        ]
        groups.sort(key=lambda group: -group.layer)
        self.moves, self._words, self._slots = _moves(groups)
        form = LossForm.of(problem)
        self.unit, self.offset, self.floor = form.unit, form.offset, form.floor
        self.state = _state(problem, form)

    @property
    def num_choices(self) -> int:
        """Number of distinct weight vectors: the product of the numbers of levels."""
        return prod(self.moves.num_levels.tolist())

    def loss(self, value: float) -> float:
        """Convert a loss in the state's unit to a training loss."""
        return self.unit * value + self.offset

    def value(self, loss: float) -> float:
        """Convert a training loss to the state's unit."""
        return (loss - self.offset) / self.unit

    def bits(self, choice: Array) -> BitArray:
        """Return the free weight bits of a choice, shape (num_free_bits,)."""
        moves, used = self.moves, self._slots >= 0
        counted = (choice[:, None] >> np.arange(self._slots.shape[1])) & 1
        place = np.where(moves.gap == 0, moves.first + choice, 0)
        words = np.where(moves.gap[:, None] == 0, self._words[place], counted)
        bits = np.zeros(self._problem.num_free_bits, dtype=np.int8)
        bits[self._slots[used]] = words[used]
        return bits

    def bits_of(self, weights: Array) -> IntArray:
        """Return positions of the free bits of some of the movable weights, ascending."""
        slots = self._slots[weights]
        return np.sort(slots[slots >= 0])

    def some_bits_of(self, weights: Array, rng: np.random.Generator) -> IntArray:
        """Like :meth:`bits_of`, with only a few adjacent bits of a wide integer, drawn evenly."""
        slots = self._slots[weights]
        wide = self.moves.gap[weights] > 0
        sizes = (slots >= 0).sum(axis=1)
        first = (rng.random(len(slots)) * np.maximum(sizes - SOME_BITS + 1, 1)).astype(np.int64)
        column = np.arange(slots.shape[1])
        near = (column >= first[:, None]) & (column < first[:, None] + SOME_BITS)
        return np.sort(slots[(slots >= 0) & (near | ~wide[:, None])])

    def choice(self, bits: npt.ArrayLike) -> IntArray:
        """Return the choice with the levels of free weight bits, shape (num_free_bits,)."""
        bits, moves = self._problem.repair_bits(bits), self.moves
        levels = np.zeros(len(moves.layer), dtype=np.int64)
        for number, free in enumerate(self._problem.free_layers):
            words = np.where(free.slot >= 0, bits[free.slot], 0)
            matrix = free.fixed + (free.coefficient * words).sum(axis=2)
            here = moves.layer == number
            levels[here] = matrix[moves.neuron[here], moves.source[here]]
        counted = moves.gap > 0
        choice = np.where(counted, (levels - moves.first) // np.maximum(moves.gap, 1), 0)
        # Levels ascend within a weight, so the number of smaller levels is the index.
        most = int(moves.num_levels[~counted].max(initial=0))
        for place in range(1, most):
            inside = (place < moves.num_levels) & ~counted
            reached = moves.levels[moves.first[inside] + place] <= levels[inside]
            choice[inside] += reached
        return choice

    def random_choice(self, rng: np.random.Generator) -> IntArray:
        """Draw a choice evenly, except wide integer thresholds, which are set nearest to 0.

        Most of their levels are far beyond any pre-activation in the data.
        """
        choice, moves = rng.integers(self.moves.num_levels), self.moves
        inputs = np.array([layer.inputs for layer in self._problem.network.layers])
        counted = (moves.gap > 0) & (moves.source == inputs[moves.layer])
        zero = -moves.first[counted] // moves.gap[counted]
        choice[counted] = np.clip(zero, 0, moves.num_levels[counted] - 1)
        return np.asarray(choice)

    def linear_term(self, linear: Array) -> Array:
        """Convert a number per free bit to one per level of each weight, or per bit of an integer.

        Shape (K, L), as for ``anneal_with_linear_term``.
        """
        moves, used = self.moves, self._slots >= 0
        per_bit = np.where(used, linear[self._slots], 0.0)
        counted = moves.gap > 0
        most = int(moves.num_levels[~counted].max(initial=1))
        term = np.zeros((len(moves.layer), max(most, per_bit.shape[1])))
        term[counted, : per_bit.shape[1]] = per_bit[counted]
        for place in range(most):
            row = np.where(counted, 0, moves.first + np.minimum(place, moves.num_levels - 1))
            words = self._words[row]
            term[~counted, place] = (words * per_bit).sum(axis=1)[~counted]
        return term

    def set_choice(self, choice: Array) -> float:
        """Set the state to a choice; return its training loss."""
        moves, plan = self.moves, self.state.plan
        moves.choice[:] = choice
        place = plan[moves.layer, LEVEL] + moves.source * plan[moves.layer, SIZE] + moves.neuron
        listed = moves.levels[np.where(moves.gap == 0, moves.first + choice, 0)]
        self.state.levels[place] = np.where(
            moves.gap == 0, listed, moves.first + moves.gap * choice
        )
        set_shared(self.state.levels, self.state.ties, plan, moves.layer, place)
        return self.loss(refresh(self.state))

    def pre_activation_rows(self) -> Array:
        """Return the pre-activations of all units on all samples, shape (units, N)."""
        state, count, rows = self.state, self._problem.num_samples, []
        for number, layer in enumerate(state.plan[:-1]):
            z = state.z.reshape(-1, state.rows.size // state.plan[-1, SOURCE])[:, :count]
            if number > 0 or len(state.plan) == 2:
                z = state.lines[layer[LINE] :][: layer[SIZE] * count].reshape(count, -1).T
            rows.append(z[: layer[UNITS]])
        return np.concatenate(rows)

    def pre_activations(self, samples: IntArray) -> list[IntArray]:
        """Return pre-activations on some samples, an array (len(samples), n_l) for each layer."""
        ends = np.cumsum(self.state.plan[:-1, UNITS])[:-1]
        rows = self.pre_activation_rows()[:, samples].T.astype(np.int64)
        return np.split(rows, ends, axis=1)

    def set_bits(self, bits: npt.ArrayLike) -> float:
        """Set the state to free weight bits; return their training loss."""
        return self.set_choice(self.choice(bits))

    def snapshot(self) -> dict[str, Array]:
        return {"choice": self.moves.choice}

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        self.set_choice(snapshot["choice"])


# -- the movable weights --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Weights of one layer with the same free bits in the same code.

    ``fixed`` (K,) is the level with the free bits at zero; ``change`` (L,), ascending, the amount
    that word ``words`` (L, f) of the free bits adds; ``slots`` (K, f) the positions of the bits in
    the problem.  With a ``gap``, levels are not listed: there are ``size`` of them, ``gap`` apart.
    """

    layer: int
    neuron: IntArray
    source: IntArray
    fixed: IntArray
    change: IntArray
    words: BitArray
    slots: IntArray
    size: int
    gap: int = 0


def _movable_weights(problem: TrainingProblem, number: int) -> Iterator[_Group]:
    """Group the weights and thresholds of one layer that have a choice of levels."""
    layer, free = problem.network.layers[number], problem.free_layers[number]
    for code, first, stop in (
        (layer.code, 0, layer.inputs),
        (layer.bias_code, layer.inputs, layer.inputs + 1),
    ):
        if code is None:
            continue
        slot = free.slot[:, first:stop, : code.bits]
        here = np.full((layer.outputs, layer.inputs + 1), layer.ties is None)
        if layer.ties is not None:  # A shared weight moves once, at its first place.
            here.ravel()[layer.ties.first] = True
        for mask in np.unique((slot >= 0).reshape(-1, code.bits), axis=0):
            neuron, column = np.nonzero(((slot >= 0) == mask).all(axis=2) & here[:, first:stop])
            size, free_bits = int(mask.sum()), np.flatnonzero(mask)
            place, slots = (neuron, column + first), slot[neuron, column][:, mask]
            if code.is_integer and size and free_bits[-1] - free_bits[0] == size - 1:
                gap = int(code.coefficients[free_bits[0]])
                none = np.zeros(0, dtype=np.int64), np.zeros((0, size), dtype=np.int8)
                yield _Group(number, *place, free.fixed[place], *none, slots, 2**size, gap)
                continue
            if code.one_hot:
                words = np.eye(size, dtype=np.int8)
            else:
                words = ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.int8)
            change = words.astype(np.int64) @ np.array(code.coefficients, dtype=np.int64)[mask]
            change, chosen = np.unique(change, return_index=True)
            if len(change) > 1:
                words = words[chosen]
                yield _Group(number, *place, free.fixed[place], change, words, slots, len(change))


def _moves(groups: list[_Group]) -> tuple[Moves, BitArray, IntArray]:
    """Join all groups into one list, with the word of each level and the slots of each weight.

    Weights of a group with the same fixed level share their levels.  Words and slots are padded to
    the longest word, slots by -1.
    """
    levels, firsts, words, slots = [], [], [], []
    total, widest = 0, max(group.slots.shape[1] for group in groups)
    for group in groups:
        missing = ((0, 0), (0, widest - group.slots.shape[1]))
        slots.append(np.pad(group.slots, missing, constant_values=-1))
        if group.gap:
            firsts.append(group.fixed)
            continue
        base, which = np.unique(group.fixed, return_inverse=True)
        levels.append((base[:, None] + group.change).ravel())
        firsts.append(total + which * len(group.change))
        total += len(levels[-1])
        words.append(np.tile(np.pad(group.words, missing), (len(base), 1)))
    if not levels:
        levels, words = [np.zeros(1, dtype=np.int64)], [np.zeros((1, widest), dtype=np.int8)]
    sizes = [len(group.neuron) for group in groups]
    moves = Moves(
        layer=np.repeat([group.layer for group in groups], sizes),
        neuron=np.concatenate([group.neuron for group in groups]),
        source=np.concatenate([group.source for group in groups]),
        first=np.concatenate(firsts),
        num_levels=np.repeat([group.size for group in groups], sizes),
        gap=np.repeat([group.gap for group in groups], sizes),
        levels=np.concatenate(levels),
        choice=np.zeros(sum(sizes), dtype=np.int64),
    )
    return moves, np.concatenate(words), np.concatenate(slots)


# -- the network on all samples -------------------------------------------------------------------


def _state(problem: TrainingProblem, form: LossForm) -> State:
    """Build the arrays and the plan; fixed weights are set, the others wait for a choice."""
    layers, count = problem.network.layers, problem.num_samples
    fan_in = np.array([la.inputs + (la.bias_code is not None) for la in layers])
    units = np.array([la.outputs for la in layers])
    group = np.where(units > GROUP, 2 * GROUP, GROUP)
    sizes = np.where(units == 1, 1, -(-units // group) * group)
    in_lines = sizes * ((np.arange(len(layers)) > 0) | (len(layers) == 1))
    hidden = np.append(in_lines[:-1], 0)
    plan = np.zeros((len(layers) + 1, PIECE + 1), dtype=np.int64)
    for column, count_of in {
        SOURCE: fan_in,
        LINE: in_lines * count,
        NEW: in_lines * count,
        DELTA: hidden * count,
        LEVEL: fan_in * sizes,
        PIECE: np.array([*(s.num_pieces for s in problem.splines), form.pieces.shape[1]]),
    }.items():
        plan[1:, column] = np.cumsum(count_of)
    plan[:-1, FAN_IN], plan[:-1, UNITS], plan[:-1, SIZE] = fan_in, units, sizes
    plan[-1, SOURCE] += 1  # a scratch row
    plan[:, DELTA] += plan[-1, NEW]
    plan[-1, NEW] = plan[-1, DELTA]  # scratch lines
    clips = [clip_and_shift(spline) for spline in problem.splines]
    kind, narrow = _integer_types(problem, form, clips)
    samples, width = slice(0, count), -(-count // LANES) * LANES
    rows = np.zeros((plan[-1, SOURCE], width), dtype=narrow)
    rows[: problem.X.shape[1], samples] = problem.X.T
    for number, layer in enumerate(layers):
        if layer.bias_code is not None:
            rows[plan[number, SOURCE] + layer.inputs, samples] = problem.bias_units[number]
    pieces = np.concatenate([*(increments(s) for s in problem.splines), form.pieces], axis=1)
    pieces[0] = np.clip(pieces[0], np.iinfo(kind).min, np.iinfo(kind).max)
    levels = [
        np.pad(free.fixed[:, :inputs].T, ((0, 0), (0, size - len(free.fixed)))).ravel()
        for free, inputs, size in zip(problem.free_layers, fan_in, sizes, strict=True)
    ]
    numbers, alone = form.form.copy(), units[-1] == 1 and len(layers) <= 2
    numbers[FIRST] = plan[-2, PIECE]
    two = form.form[KIND] == PIECES and form.pieces.shape[1] == 2
    fits = 2 * form.bound < np.iinfo(kind).max and all(any(clip) for clip in clips)
    ties = lists_of_ties(layers, fan_in, sizes)
    swept = alone and two and fits and ties is None
    return State(
        rows=rows.ravel(),
        z=np.zeros((2 + units[0] * (len(layers) > 1)) * width, dtype=kind),
        lines=np.zeros(plan[-1, LINE] + LANES, dtype=kind),
        part=np.zeros(plan[-1, NEW] + int(hidden.max()) * count + LANES, dtype=kind),
        samples=None if swept else np.zeros(width + 3, dtype=np.uint32),
        deltas=np.zeros(width + 3, dtype=kind),
        levels=np.concatenate(levels).astype(kind),
        clips=np.array([*clips, NO_CLIP]).astype(kind),
        pieces=pieces.astype(kind),
        plan=plan,
        form=numbers,
        table=form.table if form.table.size else None,
        reals=form.reals if form.reals.size else None,
        labels=np.pad(form.labels.astype(kind), (0, width - count)),
        losses=np.zeros(2, dtype=np.int64),
        sample_losses=None if swept else np.zeros((2, count), dtype=np.int64),
        ties=ties,
    )


def _integer_types(
    problem: TrainingProblem, form: LossForm, clips: list[tuple[int, ...]]
) -> tuple[Any, Any]:
    """Choose the smallest type for all pre-activations, margins and losses, and one for inputs.

    Intermediate sums may wrap around; only the results must fit.
    """
    inputs = max(problem.bias_units)
    largest = max(form.bound, *(abs(la.code.low) for la in problem.network.layers))
    largest = max(
        [largest, int(form.labels.max()), *(abs(end) for clip in clips for end in clip[:2])]
    )
    for bounds in problem.bounds:
        z = max(int(np.abs(end).max()) for end in (bounds.z_low, bounds.z_high))
        inputs = max(inputs, *(int(np.abs(end).max()) for end in (bounds.a_low, bounds.a_high)))
        largest = max(largest, z)
    largest = max(largest, inputs)
    for kind in (np.int16, np.int32):
        if largest < np.iinfo(kind).max:
            return kind, np.int8 if kind is np.int16 and inputs < np.iinfo(np.int8).max else kind
    return np.int64, np.int64
