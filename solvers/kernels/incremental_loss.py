"""A training problem as the arrays that the compiled walks read, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BitArray, IntArray
from formulations.network.splines import Spline
from solvers.kernels.incremental import (
    DELTA,
    FAN_IN,
    LEVEL,
    NUM_DIRTY,
    PIECE,
    Z_NEW,
    A,
    Moves,
    State,
    Z,
    refresh,
)
from solvers.kernels.loss_form import LossForm

if TYPE_CHECKING:
    from formulations import TrainingProblem


LANES = 64
"""Samples are padded to a multiple of this, so that no sweep ends in a slow remainder."""


class IncrementalLoss:
    """The loss over the weights of a problem, walked one weight at a time.

    A *choice* is a number per movable weight: which of the levels that its free bits allow.

    Parameters
    ----------
    problem : TrainingProblem

    Attributes
    ----------
    state : State
        Arrays of the compiled walks; training loss = unit * (loss in there) + offset.
    moves : Moves
        The movable weights, those of the last layer first, and the choice that is set.
    floor : float
        A training loss that no weights can fall below.

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
        """Training loss of a loss in the state's unit."""
        return self.unit * value + self.offset

    def value(self, loss: float) -> float:
        """A training loss in the state's unit."""
        return (loss - self.offset) / self.unit

    def bits(self, choice: Array) -> BitArray:
        """Free weight bits of a choice, shape (num_free_bits,)."""
        words, used = self._words[self.moves.first + choice], self._slots >= 0
        bits = np.zeros(self._problem.num_free_bits, dtype=np.int8)
        bits[self._slots[used]] = words[used]
        return bits

    def bits_of(self, weights: Array) -> IntArray:
        """Positions of the free bits of some of the movable weights, ascending."""
        slots = self._slots[weights]
        return np.sort(slots[slots >= 0])

    def choice(self, bits: npt.ArrayLike) -> IntArray:
        """The choice that has the levels of free weight bits, shape (num_free_bits,)."""
        bits, moves = self._problem.repair_bits(bits), self.moves
        levels = np.zeros(len(moves.layer), dtype=np.int64)
        for number, free in enumerate(self._problem.free_layers):
            words = np.where(free.slot >= 0, bits[free.slot], 0)
            matrix = free.fixed + (free.coefficient * words).sum(axis=2)
            here = moves.layer == number
            levels[here] = matrix[moves.neuron[here], moves.source[here]]
        # levels ascend within a weight, so that the number of smaller ones is the place
        choice = np.zeros_like(levels)
        for place in range(1, int(moves.num_levels.max())):
            inside = place < moves.num_levels
            reached = moves.levels[moves.first[inside] + place] <= levels[inside]
            choice[inside] += reached
        return choice

    def set_choice(self, choice: Array) -> float:
        """Make a choice the state; return its training loss."""
        moves, plan = self.moves, self.state.plan
        moves.choice[:] = choice
        place = plan[moves.layer, LEVEL] + moves.neuron * plan[moves.layer, FAN_IN] + moves.source
        self.state.levels[place] = moves.levels[moves.first + moves.choice]
        return self.loss(refresh(self.state))

    def pre_activations(self, samples: IntArray) -> list[IntArray]:
        """Those of the state on some samples, an array (len(samples), n_l) for each layer."""
        plan, rows = self.state.plan, self.state.rows
        layers = zip(plan[:-1, Z], plan[1:, Z], strict=True)
        return [rows[first:end, samples].T.astype(np.int64) for first, end in layers]

    def set_bits(self, bits: npt.ArrayLike) -> float:
        """Make free weight bits the state; return their training loss."""
        return self.set_choice(self.choice(bits))

    def snapshot(self) -> dict[str, Array]:
        """What the state follows from, with the losses to the last digit of their sums."""
        return {"choice": self.moves.choice, "losses": self.state.losses}

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go back to a snapshot."""
        self.set_choice(snapshot["choice"])
        self.state.losses[:] = snapshot["losses"]


# -- the movable weights --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Weights of one layer with the same free bits in the same code.

    ``fixed`` (K,) is the level with the free bits at zero; ``change`` (L,), ascending, what word
    ``words`` (L, f) of the free bits adds; ``slots`` (K, f) where the bits stand in the problem.
    """

    layer: int
    neuron: IntArray
    source: IntArray
    fixed: IntArray
    change: IntArray
    words: BitArray
    slots: IntArray


def _movable_weights(problem: TrainingProblem, number: int) -> Iterator[_Group]:
    """Groups of the weights and thresholds of one layer that have a choice of levels."""
    layer, free = problem.network.layers[number], problem.free_layers[number]
    for code, first, stop in (
        (layer.code, 0, layer.inputs),
        (layer.bias_code, layer.inputs, layer.inputs + 1),
    ):
        if code is None:
            continue
        slot = free.slot[:, first:stop, : code.bits]
        for mask in np.unique((slot >= 0).reshape(-1, code.bits), axis=0):
            neuron, column = np.nonzero(((slot >= 0) == mask).all(axis=2))
            size = int(mask.sum())
            if code.one_hot:
                words = np.eye(size, dtype=np.int8)
            else:
                words = ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.int8)
            change = words.astype(np.int64) @ np.array(code.coefficients, dtype=np.int64)[mask]
            change, chosen = np.unique(change, return_index=True)
            if len(change) > 1:
                yield _Group(
                    number,
                    neuron,
                    column + first,
                    free.fixed[neuron, column + first],
                    change,
                    words[chosen],
                    slot[neuron, column][:, mask],
                )


def _moves(groups: list[_Group]) -> tuple[Moves, BitArray, IntArray]:
    """All groups as one list, with the word of each level and the slots of each weight.

    Weights of a group with the same fixed level share their levels.  Words and slots are padded to
    the longest word, slots by -1.
    """
    levels, firsts, words, slots = [], [], [], []
    total, widest = 0, max(group.words.shape[1] for group in groups)
    for group in groups:
        base, which = np.unique(group.fixed, return_inverse=True)
        levels.append((base[:, None] + group.change).ravel())
        firsts.append(total + which * len(group.change))
        total += len(levels[-1])
        missing = ((0, 0), (0, widest - group.words.shape[1]))
        words.append(np.tile(np.pad(group.words, missing), (len(base), 1)))
        slots.append(np.pad(group.slots, missing, constant_values=-1))
    sizes = [len(group.neuron) for group in groups]
    moves = Moves(
        layer=np.repeat([group.layer for group in groups], sizes),
        neuron=np.concatenate([group.neuron for group in groups]),
        source=np.concatenate([group.source for group in groups]),
        first=np.concatenate(firsts),
        num_levels=np.repeat([len(group.change) for group in groups], sizes),
        levels=np.concatenate(levels),
        choice=np.zeros(sum(sizes), dtype=np.int64),
    )
    return moves, np.concatenate(words), np.concatenate(slots)


# -- the network on all samples -------------------------------------------------------------------


def _state(problem: TrainingProblem, form: LossForm) -> State:
    """The rows and the plan; weights that cannot move are set, the others wait for a choice."""
    layers, outputs = problem.network.layers, problem.network.num_outputs
    fan_in = np.array([la.inputs + (la.bias_code is not None) for la in layers])
    sizes = np.array([la.outputs for la in layers])
    splines = [*problem.splines]
    counts = {
        FAN_IN: fan_in,
        A: fan_in,
        Z: sizes,
        Z_NEW: sizes,
        DELTA: np.append(sizes[:-1], 0),
        LEVEL: fan_in * sizes,
        PIECE: np.array([*(s.num_pieces for s in splines), form.pieces.shape[1]]),
    }
    plan = np.zeros((len(layers) + 1, NUM_DIRTY + 1), dtype=np.int64)
    for column, count in counts.items():
        plan[1:, column] = np.cumsum(count)
    plan[:-1, FAN_IN] = fan_in
    row = 0
    for column in (A, Z, Z_NEW, DELTA):
        size = plan[-1, column]
        plan[:, column] += row
        row += size
    kind = _integer_type(problem, form)
    width = -(-problem.num_samples // LANES) * LANES
    rows = np.zeros((row + 2 * outputs + 2, width), dtype=kind)
    samples = slice(0, problem.num_samples)
    rows[: problem.X.shape[1], samples] = problem.X.T
    for number, layer in enumerate(layers):
        if layer.bias_code is not None:
            rows[plan[number, A] + layer.inputs, samples] = problem.units[number]
    rows[row : row + outputs, samples] = form.sign
    rows[row + outputs : row + 2 * outputs, samples] = form.shift
    pieces = np.concatenate([*(_increments(s) for s in splines), form.pieces], axis=1)
    pieces[0] = np.clip(pieces[0], np.iinfo(kind).min, np.iinfo(kind).max)
    levels = [
        free.fixed[:, :inputs].ravel()
        for free, inputs in zip(problem.free_layers, fan_in, strict=True)
    ]
    return State(
        rows=rows,
        levels=np.concatenate(levels).astype(kind),
        pieces=pieces.astype(kind),
        plan=plan,
        dirty=np.zeros((len(layers), int(sizes.max())), dtype=np.int64),
        target=np.ascontiguousarray(form.target),
        table=form.table,
        start=np.ascontiguousarray(form.start),
        losses=np.zeros((2, outputs)),
    )


def _increments(spline: Spline) -> IntArray:
    """Start of each piece, and by how much slope and intercept change there, shape (3, P)."""
    starts = np.concatenate([[np.iinfo(np.int64).min], spline.breakpoints])
    coefficients = [np.rint(c).astype(np.int64) for c in (spline.slopes, spline.intercepts)]
    return np.stack([starts, *(np.diff(c, prepend=0) for c in coefficients)])


def _integer_type(problem: TrainingProblem, form: LossForm) -> type[np.signedinteger[Any]]:
    """The smallest type for every input, pre-activation, activation, margin and loss.

    Sums may wrap around on the way: only their ends have to fit.
    """
    largest = max(form.bound, *problem.units, *(abs(la.code.low) for la in problem.network.layers))
    for bounds in problem.bounds:
        ends = (bounds.a_low, bounds.a_high, bounds.z_low, bounds.z_high)
        largest = max(largest, *(int(np.abs(end).max()) for end in ends))
    for kind in (np.int16, np.int32):
        if largest < np.iinfo(kind).max:
            return kind
    return np.int64
