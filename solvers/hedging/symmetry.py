"""Symmetries of networks, and branches that keep one copy of each network.

Two changes of the weights leave a network's outputs unchanged:

permutation   hidden units of a layer swap places with all their weights: always.
negation      a unit's incoming and outgoing weights change sign: only if its activation is odd,
              act(-z) = -act(z), at every z that the data can produce.  The sign rule act(0) = +1 is
              not odd at 0, so if inputs can cancel (an even number of +-1, or levels with 0),
              fixing the output weights at +1 would lose networks, perhaps the best one.  If the
              parity of z excludes 0, negation is exact.

A branch fixes some weight bits.  The branches of a problem together contain every network at least
once, up to these changes, so the least of their lower bounds holds for the whole problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import comb, prod

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.arrays import BitArray, BoolArray, IntArray
from formulations.network.codes import WeightCode
from formulations.network.network import Network
from solvers.hedging.blocks import FREE, canonical_bits


@dataclass(frozen=True)
class Orbit:
    """Interchangeable hidden units of one layer, and the weights that order them.

    Parameters
    ----------
    units : ndarray of int64, shape (c,)
    bits : ndarray of int64, shape (c, m)
        Free bits of each unit (positions among the problem's free bits), incoming first.
    reversed_bits : ndarray of int64, shape (c, m)
        The same with one-hot words reversed.
    flips : ndarray of int8, shape (m,)
        1 where negation complements a bit; 0 inside one-hot words, which it reverses.
    negatable : bool
    keys : tuple of ndarray of int64, shape (c, f)
        Positions of the bits of each key weight.
    options : ndarray of int8, shape (p, sum of f)
        Patterns of the key bits in the order of the units; together they cover all words.
    """

    units: IntArray
    bits: IntArray
    reversed_bits: IntArray
    flips: BitArray
    negatable: bool
    keys: tuple[IntArray, ...]
    options: BitArray

    @property
    def num_patterns(self) -> int:
        """Return the number of ordered assignments of options to units."""
        return comb(len(self.units) + len(self.options) - 1, len(self.units))

    def patterns(self, n: int) -> Iterator[BitArray]:
        """Return each ordered assignment as a pattern of all n free bits."""
        for choice in combinations_with_replacement(self.options, len(self.units)):
            pattern = np.full(n, FREE, dtype=np.int8)
            if self.keys:
                pattern[np.concatenate(self.keys, axis=1)] = np.array(choice)
            yield pattern

    def arranged(self, bits: BitArray) -> BitArray:
        """Return the same network with sorted units; shape (n,) -> (n,)."""
        if not self.keys:
            return bits
        bits, key_bits = bits.copy(), np.concatenate(self.keys, axis=1)
        if self.negatable:
            unmatched = ~_matches(bits[self.keys[0]], self.options[:, : self.keys[0].shape[1]])
            turned = unmatched.all(axis=1)
            bits[self.bits[turned]] = bits[self.reversed_bits[turned]] ^ self.flips
        rank = np.argmax(_matches(bits[key_bits], self.options), axis=1)
        bits[self.bits] = bits[self.bits[np.argsort(rank, kind="stable")]]
        return bits


def _matches(words: BitArray, options: BitArray) -> BoolArray:
    """Mark which words (c, f) fit which options (p, f), shape (c, p)."""
    return np.asarray(
        ((options == FREE) | (options == words[:, None, :])).all(axis=2), dtype=np.bool_
    )


@dataclass(frozen=True)
class Branches:
    """Branches of a problem.

    Parameters
    ----------
    patterns : ndarray of int8, shape (B, n)
        Value of each fixed bit; ``FREE`` elsewhere.
    lossless : bool
        True if they contain every network, so that their bound holds for the problem.
    orbits : tuple of Orbit
    """

    patterns: BitArray
    lossless: bool
    orbits: tuple[Orbit, ...] = ()

    def place(self, problem: TrainingProblem, bits: npt.ArrayLike) -> tuple[BitArray, int]:
        """Return the same network as bits of a branch, and the branch's index (-1 for none)."""
        arranged = canonical_bits(problem, np.asarray(bits)[None])[0]
        for orbit in self.orbits:
            arranged = canonical_bits(problem, orbit.arranged(arranged)[None])[0]
        fits = ((self.patterns == FREE) | (self.patterns == arranged)).all(axis=1)
        return arranged, int(np.argmax(fits)) if fits.any() else -1


def unbroken(problem: TrainingProblem) -> Branches:
    """Return one branch with nothing fixed."""
    return Branches(np.full((1, problem.num_free_bits), FREE, dtype=np.int8), True)


def branch(problem: TrainingProblem, most: int = 64) -> Branches:
    """Return at most ``most`` branches that together contain every network.

    Hidden units are sorted by the sign of their (first) output weight, then by that of the weight
    from the strongest input.  If that gives too many branches, only the first key is used, or none.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, 0], [1, 1]], [1, -1])
    >>> branches = branch(problem, most=3)
    >>> branches.patterns[:, -2:].tolist()  # the output weights
    [[1, 1], [1, 0], [0, 0]]
    >>> branches.place(problem, [1, 0, 1, 1, 0, 1])
    (array([1, 1, 1, 0, 1, 0], dtype=int8), 1)
    """
    # signs of a unit's output weight, then of one input weight
    for keys in [("output", "input"), ("output",), ()]:
        orbits = tuple(_orbits(problem, keys))
        if prod(orbit.num_patterns for orbit in orbits) <= most:
            break
    n = problem.num_free_bits
    patterns = [
        np.max(np.stack([np.full(n, FREE, dtype=np.int8), *parts]), axis=0)
        for parts in product(*(orbit.patterns(n) for orbit in orbits))
    ]
    return Branches(np.array(patterns, dtype=np.int8), True, orbits)


def incumbent_branch(problem: TrainingProblem, bits: npt.ArrayLike, most: int = 64) -> Branches:
    """Return the branch that contains the given network; lossless only if it is the only one."""
    branches = branch(problem, most)
    _, number = branches.place(problem, bits)
    pattern = branches.patterns[[number]]
    return Branches(pattern, len(branches.patterns) == 1, branches.orbits)


# -- orbits ---------------------------------------------------------------------------------------


def _orbits(problem: TrainingProblem, keys: Sequence[str]) -> Iterator[Orbit]:
    """Return the interchangeable units of the layers that have a key."""
    network = problem.network
    hidden = len(network.layers) - 1
    slot = np.full(network.num_weight_bits, -1, dtype=np.int64)
    slot[problem.free] = np.arange(problem.num_free_bits)
    fixed = np.where(slot >= 0, FREE, problem.incumbent_bits)
    for number in range(hidden):
        if network.layers[number].ties or network.layers[number + 1].ties:
            continue  # units with shared weights cannot swap individually
        bits, reversed_bits, flips = unit_bits(network, number)
        _, kind = np.unique(fixed[bits], axis=0, return_inverse=True)
        for which in range(int(kind.max()) + 1):
            units = np.flatnonzero(kind.ravel() == which)
            # fixed bits are equal in all units and do not move
            free = slot[bits[units[0]]] >= 0
            whole = bool(free.all())
            turns = whole and number == hidden - 1 and negation_is_exact(problem, number, units)
            weights: list[tuple[IntArray, BitArray]] = []
            if "output" in keys and number == hidden - 1:
                weights += _output_key(network, number, slot, units, turns)
            if "input" in keys and number == 0:
                weights += _input_key(problem, slot, units)
            if weights and (len(units) > 1 or turns):
                yield Orbit(
                    units,
                    slot[bits[units]][:, free],
                    slot[reversed_bits[units]][:, free],
                    flips[free],
                    turns and "output" in keys,
                    tuple(key for key, _ in weights),
                    np.array(
                        [np.concatenate(parts) for parts in product(*(o for _, o in weights))]
                    ),
                )


def unit_bits(network: Network, number: int) -> tuple[IntArray, IntArray, BitArray]:
    """Return all weight bits of each unit of a hidden layer (from 0): its row and its column.

    Returns
    -------
    bits : ndarray of int64, shape (units, m)
    reversed_bits : ndarray of int64, shape (units, m)
        With one-hot words backwards.
    flips : ndarray of int8, shape (m,)
        1 outside one-hot words.
    """
    offsets = network.bit_offsets()
    layer, above = network.layers[number], network.layers[number + 1]
    rows = offsets[number] + np.arange(layer.num_bits).reshape(layer.outputs, -1)
    split = layer.inputs * layer.code.bits
    above_rows = offsets[number + 1] + np.arange(above.num_bits).reshape(above.outputs, -1)
    words = above_rows[:, : above.inputs * above.code.bits]
    columns = words.reshape(above.outputs, above.inputs, -1).swapaxes(0, 1)
    parts = [(layer.code, rows[:, :split]), (above.code, columns.reshape(above.inputs, -1))]
    if layer.bias_code:
        parts.insert(1, (layer.bias_code, rows[:, split:]))
    backwards = [
        part.reshape(len(part), -1, code.bits)[..., ::-1].reshape(part.shape)
        if code.one_hot
        else part
        for code, part in parts
    ]
    flips = [np.full(part.shape[1], 0 if code.one_hot else 1) for code, part in parts]
    bits = np.concatenate([part for _, part in parts], axis=1)
    return bits, np.concatenate(backwards, axis=1), np.concatenate(flips).astype(np.int8)


def _output_key(
    network: Network, number: int, slot: IntArray, units: IntArray, turns: bool
) -> list[tuple[IntArray, BitArray]]:
    """Return weights to the first output, and their signs (one sign if units can be negated)."""
    code = network.layers[number + 1].code
    start = network.bit_offsets()[number + 1]
    key = slot[start + units[:, None] * code.bits + np.arange(code.bits)]
    return [(key, signs(code, not_negative=turns))] if (key >= 0).all() else []


def _input_key(
    problem: TrainingProblem, slot: IntArray, units: IntArray
) -> list[tuple[IntArray, BitArray]]:
    """Return the weights to the units from the free input that is largest overall."""
    layer = problem.network.layers[0]
    words = np.arange(layer.inputs * layer.code.bits).reshape(layer.inputs, -1)
    per_unit = layer.num_bits // layer.outputs
    numbers = slot[units[:, None, None] * per_unit + words]
    strength = np.abs(problem.X).sum(axis=0) * (numbers >= 0).all(axis=(0, 2))
    strongest = int(np.argmax(strength))
    return [(numbers[:, strongest], signs(layer.code))] if strength[strongest] > 0 else []


def signs(code: WeightCode, not_negative: bool = False) -> BitArray:
    """Return patterns that split a weight's words: upper and lower levels, or one-hot words.

    With ``not_negative``, only those that cover all levels >= 0 of a symmetric code.

    Examples
    --------
    >>> from formulations.network.codes import bipolar, ternary
    >>> signs(bipolar()).tolist(), signs(ternary()).tolist()
    ([[1], [0]], [[1, -1], [0, 0]])
    """
    words = code.words
    if code.one_hot:
        words = words[np.argsort(-code.decode(words), kind="stable")]
        return words[code.decode(words) >= 0] if not_negative else words
    words = words[np.unique(code.decode(words), return_index=True)[1]]
    top = int(np.argmax(code.coefficients))
    halves = [words[words[:, top] == value] for value in (1, 0)]
    patterns = [np.where((half == half[0]).all(axis=0), half[0], FREE) for half in halves]
    return np.array(patterns[:1] if not_negative else patterns, dtype=np.int8)


# -- negation -------------------------------------------------------------------------------------


def negation_is_exact(problem: TrainingProblem, number: int, units: IntArray) -> bool:
    """Return whether units of a hidden layer (from 0) can be negated without any effect.

    Every level must have its negative, and the activation must be odd at every pre-activation z
    within the bounds, of z's parity where it is known.
    """
    layer, above = problem.network.layers[number], problem.network.layers[number + 1]
    codes = [layer.code, above.code, *([layer.bias_code] if layer.bias_code else [])]
    if any(code.is_integer for code in codes) or not all(
        np.array_equal(code.levels, -code.levels[::-1]) for code in codes
    ):
        return False
    spline, bounds = problem.splines[number], problem.bounds[number]
    known, odd = parity(problem, number)
    for remainder in (0, 1):
        samples = np.flatnonzero(~known | (odd == remainder))
        if len(samples):
            low = int(bounds.z_low[np.ix_(samples, units)].min())
            high = int(bounds.z_high[np.ix_(samples, units)].max())
            z = np.arange(low, high + 1)
            z = z[z % 2 == remainder]
            if not np.array_equal(spline.units(-z), -spline.units(z)):
                return False
    return True


def parity(problem: TrainingProblem, number: int) -> tuple[BoolArray, IntArray]:
    """Return whether z of a layer (from 0) has one parity for all weights, and 0 or 1 per sample.

    If all levels are odd, z = sum_i w_i a_i + unit b has the parity of sum_i a_i + unit.
    """
    layer, unit = problem.network.layers[number], problem.bias_units[number]
    unknown = np.zeros(problem.num_samples, dtype=bool), np.zeros(problem.num_samples, np.int64)
    if not (layer.code.levels % 2).all():
        return unknown
    if number == 0:
        total = problem.X.sum(axis=1)
    else:
        below = problem.bounds[number - 1]
        z = np.arange(int(below.z_low.min()), int(below.z_high.max()) + 1)
        values = np.unique(problem.splines[number - 1].units(z).astype(np.int64) % 2)
        if len(values) > 1:
            return unknown
        total = np.full(problem.num_samples, layer.inputs * values[0])
    if layer.bias_code is not None and unit % 2:
        if layer.bias_code.is_integer or not (layer.bias_code.levels % 2).all():
            return unknown
        total = total + unit
    return np.ones(problem.num_samples, dtype=bool), total % 2
