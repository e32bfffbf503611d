"""Arrays for a problem's constraints, kept up to date by a guarded search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from formulations.arrays import Array, BitArray, IntArray
from formulations.constraints.base import Cardinality
from formulations.constraints.boxes import output_bounds
from formulations.constraints.linear_rows import LinearRows
from formulations.constraints.monotone import Monotone
from formulations.constraints.right import WRONG, Right
from formulations.model.assembly import ragged
from formulations.network.weight_bits import batch_levels, stored_numbers
from solvers.constrained.blocks import guarded_heat_bath
from solvers.constrained.guard import BITS, LISTED, NONZERO, ROWS, Guard, count_paths, judge
from solvers.kernels.incremental_loss import IncrementalLoss

if TYPE_CHECKING:
    from formulations import TrainingProblem

SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class Watch:
    """Violations of a problem's constraints by the state of an incremental loss.

    Parameters
    ----------
    problem : TrainingProblem
    landscape : IncrementalLoss
        Its movable weights are watched; :meth:`refresh` follows its choice.

    Attributes
    ----------
    guard : Guard

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from formulations.constraints import NonZeros
    >>> net = Network.dense([2, 1], weights="ternary")
    >>> problem = TrainingProblem(net, [[1, -1]], [1], constraints=[NonZeros(1)])
    >>> landscape = IncrementalLoss(problem)
    >>> watch = Watch(problem, landscape)
    >>> _ = landscape.set_bits([1, 1, 1, 1])
    >>> watch.refresh()
    1
    """

    def __init__(self, problem: TrainingProblem, landscape: IncrementalLoss) -> None:
        self.problem, self.landscape = problem, landscape
        self._counted = [c for c in problem.constraints if isinstance(c, Cardinality)]
        self._linear = [c for c in problem.constraints if isinstance(c, LinearRows)]
        self._boxed = [c for c in problem.constraints if isinstance(c, Right)]
        self.guard = self._guard()

    @property
    def broken(self) -> int:
        """Sum of all violations."""
        return int(self.guard.totals.sum())

    def _guard(self) -> Guard:
        problem, network = self.problem, self.problem.network
        layers, last = network.layers, len(network.layers)
        plan = np.zeros((last + 1, 6), dtype=np.int64)
        plan[:last, 0] = [layer.inputs + 1 for layer in layers]
        plan[:last, 3] = problem.bias_units
        counts = {
            1: [(layer.inputs + 1) * layer.outputs for layer in layers],
            2: [layer.outputs for layer in layers],
            4: [*(spline.num_pieces for spline in problem.splines), 0],
            5: network.widths[:-1],
        }
        for column, sizes in counts.items():
            plan[1:, column] = np.cumsum(sizes)
        pieces = [
            np.stack([
                np.concatenate([[np.iinfo(np.int64).min], spline.breakpoints]),
                np.rint(spline.slopes).astype(np.int64),
                np.rint(spline.intercepts).astype(np.int64),
            ])
            for spline in problem.splines
        ]  # fmt: skip
        starts, entries, values, limits = self._rows()
        begins, places = self._places()
        pairs = [
            (c.feature, c.direction, c.output, 0)
            for c in problem.constraints
            if isinstance(c, Monotone)
        ]
        samples = sum(len(np.asarray(c.y)) for c in self._boxed)
        asked = [np.stack([np.asarray(c.y), np.full(len(np.asarray(c.y)), c.margin)])
                 for c in self._boxed]  # fmt: skip
        widest = max(network.widths)
        zeros = np.zeros((int(plan[-1, 1]),), dtype=np.int64)
        return Guard(
            plan=plan,
            levels=zeros,
            box_levels=zeros.copy(),
            begins=begins,
            places=places,
            starts=starts,
            entries=entries,
            values=values,
            sums=np.zeros(len(limits), dtype=np.int64),
            limits=limits,
            pairs=np.array(pairs, dtype=np.int64).reshape(-1, 4),
            paths=np.zeros((4, widest), dtype=np.int64),
            a_low=np.zeros((sum(network.widths[:-1]), samples), dtype=np.int64),
            a_high=np.zeros((sum(network.widths[:-1]), samples), dtype=np.int64),
            z_low=np.zeros((sum(network.widths[1:]), samples), dtype=np.int64),
            z_high=np.zeros((sum(network.widths[1:]), samples), dtype=np.int64),
            pieces=np.concatenate([np.zeros((3, 0), dtype=np.int64), *pieces], axis=1),
            asked=np.concatenate([np.zeros((2, 0), dtype=np.int64), *asked], axis=1),
            totals=np.zeros(3, dtype=np.int64),
            dirty=np.zeros((2, widest), dtype=np.int64),
            heat=np.array([0.6 * (WRONG if samples else 1)]),
        )

    def _places(self) -> tuple[IntArray, IntArray]:
        """Return the first place of each movable weight, and all its neurons and inputs."""
        moves, found, counts = self.landscape.moves, [], [np.zeros(1, dtype=np.int64)]
        layers = self.problem.network.layers
        for number in reversed(range(len(layers))):  # The movable weights are in this order.
            here, numbers = moves.layer == number, layers[number].free_ties.numbers
            order = np.argsort(numbers, axis=None, kind="stable")
            asked, known = numbers[moves.neuron[here], moves.source[here]], numbers.ravel()[order]
            start, stop = (np.searchsorted(known, asked, side) for side in SIDES)
            at = order[ragged(start, stop - start)[1]]
            found.append(np.stack(np.divmod(at, numbers.shape[1]), axis=1))
            counts.append(stop - start)
        return np.cumsum(np.concatenate(counts)), np.ascontiguousarray(np.concatenate(found))

    def _rows(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Return the movable weights' entries by weight, their numbers, and the rows' limits."""
        moves, landscape = self.landscape.moves, self.landscape
        listed = moves.gap == 0
        values: list[Array] = [(moves.levels != 0).astype(np.int64)]
        found: list[Array] = [np.zeros((0, 4), dtype=np.int64)]  # weight, row, kind, first number
        limits: list[int] = []
        size = len(values[0])
        layers, first = self.problem.network.layers, 0
        mover = np.full(sum(layer.num_stored[0] for layer in layers), -1, dtype=np.int64)
        for number, layer in enumerate(layers):  # movable weight of each stored weight
            here = np.flatnonzero((moves.layer == number) & (moves.source < layer.inputs))
            own = stored_numbers(layer)[moves.neuron[here], moves.source[here]]
            mover[first + own] = here
            first += layer.num_stored[0]
        for constraint in self._counted:
            weights, owners, names = constraint.groups(self.problem.network)
            at = mover[weights]
            at, row = at[at >= 0], owners[at >= 0] + len(limits)
            kind = np.where(listed[at], LISTED, NONZERO)
            found.append(np.stack([at, row, kind, moves.first[at] * listed[at]], axis=1))
            limits += [constraint.most] * len(names)
        for linear in self._linear:
            A, b = linear.at_most()
            own = A[:, self.problem.free]
            for number, coefficients in enumerate(own):
                term = np.rint(landscape.linear_term(coefficients.astype(float))).astype(np.int64)
                for k in np.flatnonzero(term.any(axis=1)).tolist():
                    how = LISTED if listed[k] else BITS
                    found.append(np.array([[k, len(limits) + number, how, size]]))
                    values.append(term[k])
                    size += term.shape[1]
            limits += b.tolist()
        table = np.concatenate(found).astype(np.int64)
        table = table[np.argsort(table[:, 0], kind="stable")]
        starts = np.searchsorted(table[:, 0], np.arange(len(moves.layer) + 1))
        return (
            starts.astype(np.int64),
            np.ascontiguousarray(table[:, 1:]),
            np.concatenate(values),
            np.array(limits, dtype=np.int64),
        )

    def refresh(self) -> int:
        """Recompute everything for the landscape's current choice; return the violation."""
        problem, guard = self.problem, self.guard
        bits = problem.full_bits(self.landscape.bits(self.landscape.moves.choice))[None]
        parts = [
            layer.with_thresholds(matrix[0], None if bias is None else bias[0]).ravel()
            for layer, (matrix, bias) in zip(
                problem.network.layers, batch_levels(problem.network, bits), strict=True
            )
        ]
        guard.levels[:] = guard.box_levels[:] = np.concatenate(parts)
        sums = [c.counts(problem.network, bits)[0] for c in self._counted]
        sums += [c.at_most()[0] @ bits[0].astype(np.int64) for c in self._linear]
        if sums:
            guard.sums[:] = np.concatenate(sums)
        guard.totals[ROWS] = np.maximum(guard.sums - guard.limits, 0).sum()
        count_paths(guard)
        self._fill_boxes(bits)
        judge(guard)
        return self.broken

    def _fill_boxes(self, bits: BitArray) -> None:
        """Compute the bounds of all layers for all boxes."""
        problem, guard, begin = self.problem, self.guard, 0
        for constraint in self._boxed:
            low, high = constraint.box(problem)
            here = slice(begin, begin + len(low))
            begin = here.stop
            layers = next(iter(output_bounds(problem, bits, low, high)))
            a: list[tuple[Array, Array]] = [(low, high)]
            for (z_low, z_high), spline in zip(layers, problem.splines, strict=False):
                a.append(spline.bounds(z_low, z_high))
            for array, ends in (
                (guard.a_low, [one for one, _ in a]), (guard.a_high, [one for _, one in a]),
                (guard.z_low, [one for one, _ in layers]),
                (guard.z_high, [one for _, one in layers]),
            ):  # fmt: skip
                array[:, here] = np.concatenate(ends, axis=1).T.astype(np.int64)

    def exchanging(self, blocks: IntArray, columns: int, rng: np.random.Generator) -> IntArray:
        """Replace weights number 1 to ``columns`` - 1 of blocks by nonzero ones.

        In most cases these are from the first weight's unit, otherwise from any.
        """
        moves = self.landscape.moves
        place = np.where(moves.gap == 0, moves.first + moves.choice, 0)
        active = np.flatnonzero((moves.gap > 0) | (moves.levels[place] != 0))
        if not len(active):
            return blocks
        unit = moves.layer * (int(moves.neuron.max()) + 1) + moves.neuron
        active = active[np.argsort(unit[active], kind="stable")]
        sides = [np.searchsorted(unit[active], unit[blocks[:, 0]], side) for side in SIDES]
        own = (rng.random(len(blocks)) < 0.7) & (sides[1] > sides[0])
        begin, stop = np.where(own, sides[0], 0), np.where(own, sides[1], len(active))
        blocks = blocks.copy()
        for column in range(1, max(2, columns)):
            drawn = active[begin + (rng.random(len(blocks)) * (stop - begin)).astype(np.int64)]
            blocks[:, column] = np.where((blocks == drawn[:, None]).any(axis=1), -1, drawn)
        packed = np.argsort(blocks < 0, axis=1, kind="stable")
        return np.ascontiguousarray(np.take_along_axis(blocks, packed, axis=1))

    def heat_bath(self, *given: Any) -> tuple[int, float, int]:
        """Run :func:`~solvers.constrained.blocks.guarded_heat_bath` on this landscape."""
        landscape = self.landscape
        found: tuple[int, float, int] = guarded_heat_bath(
            landscape.state, landscape.moves, self.guard, *given
        )
        return found
