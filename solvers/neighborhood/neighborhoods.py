"""Neighbourhoods: policies that draw the weights to free in a restricted problem.

A policy draws blocks of weights (positions in a table of the movable weights).  :class:`Adaptive`
holds several policies and sizes and learns which of them pay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_has, check_several, check_share, check_whole, choose, shown
from formulations.errors import InvalidInputError


@dataclass(frozen=True)
class WeightTable:
    """Table of the movable weights of a problem.

    Parameters
    ----------
    layer, neuron, source : ndarray of int, shape (K,)
        Indices of each weight, layers from 0; a threshold's source is the layer's width.
    num_levels : ndarray of int, shape (K,)
        Number of levels that each weight may take.
    """

    layer: IntArray
    neuron: IntArray
    source: IntArray
    num_levels: IntArray

    def __len__(self) -> int:
        return len(self.layer)

    @cached_property
    def units(self) -> IntArray:
        """Return positions of each neuron's weights, incoming and outgoing, padded with -1."""
        width = int(max(self.neuron.max(), self.source.max())) + 1
        incoming = self.layer * width + self.neuron
        outgoing = np.where(self.layer > 0, (self.layer - 1) * width + self.source, -1)
        owner = np.concatenate([incoming, outgoing])
        position = np.tile(np.arange(len(self)), 2)[np.isin(owner, incoming)]
        owner = owner[np.isin(owner, incoming)]
        names, row, counts = np.unique(owner, return_inverse=True, return_counts=True)
        table = np.full((len(names), int(counts.max())), -1, dtype=np.int64)
        order = np.argsort(row, kind="stable")
        column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        table[row[order], column] = position[order]
        return table


@dataclass(frozen=True)
class Policy:
    """A way to draw blocks of weights.

    Parameters
    ----------
    name : str
        Name by which users select the policy.
    blocks : callable
        Maps the movable weights (a :class:`WeightTable`), their guide, the number of blocks B, the
        maximum block size S and a random generator to blocks of distinct weights, shape (B, S),
        padded with -1.
    guided : bool
        True if it reads the guide, shape (K,): the first-order decrease of the training loss from
        moving each weight.
    """

    name: str
    blocks: Callable[[WeightTable, FloatArray, int, int, np.random.Generator], IntArray]
    guided: bool = False


def _subsets(pools: IntArray, size: int, rng: np.random.Generator) -> IntArray:
    """Draw a random subset of each pool, (B, P) -> (B, size), both padded with -1.

    Small subsets are drawn with repetition, and repeated weights are dropped.
    """
    if 4 * size <= pools.shape[1]:
        lengths = (pools >= 0).sum(axis=1, keepdims=True)
        drawn = (rng.random((len(pools), size)) * lengths).astype(np.int64)
        return _without_repeats(np.take_along_axis(pools, drawn, axis=1))
    keys = np.where(pools >= 0, rng.random(pools.shape), 2.0)
    order = np.argsort(keys, axis=1)[:, :size]
    return np.take_along_axis(pools, order, axis=1)


def _without_repeats(blocks: IntArray) -> IntArray:
    """Remove repeated entries from rows, pad with -1, and keep the memory layout of blocks.

    Another layout would recompile kernels in the middle of a run.
    """
    blocks = np.sort(blocks, axis=1)[:, ::-1]
    repeated = np.zeros(blocks.shape, dtype=bool)
    repeated[:, 1:] = blocks[:, 1:] == blocks[:, :-1]
    return np.ascontiguousarray(np.sort(np.where(repeated, -1, blocks), axis=1)[:, ::-1])


def random_weights(
    weights: WeightTable, guide: FloatArray, count: int, size: int, rng: np.random.Generator
) -> IntArray:
    """Draw weights from the whole network."""
    return _without_repeats(rng.integers(0, len(weights), (count, size)))


def one_unit(
    weights: WeightTable, guide: FloatArray, count: int, size: int, rng: np.random.Generator
) -> IntArray:
    """Draw incoming and outgoing weights of one neuron."""
    units = weights.units
    return _subsets(units[rng.integers(0, len(units), count)], size, rng)


def two_units(
    weights: WeightTable, guide: FloatArray, count: int, size: int, rng: np.random.Generator
) -> IntArray:
    """Draw weights of two neurons of one layer."""
    units = weights.units
    first, second = rng.integers(0, len(units), (2, count))
    pools = np.concatenate([units[first], units[second]], axis=1)
    return _subsets(_without_repeats(pools), size, rng)


def worst_samples(
    weights: WeightTable, guide: FloatArray, count: int, size: int, rng: np.random.Generator
) -> IntArray:
    """Draw weights that misfit samples would move, in proportion to exp(guide / spread)."""
    share = np.exp((guide - guide.max()) / (float(guide.std()) or 1.0))
    reached = np.cumsum(share)
    heights = rng.random((count, size)) * reached[-1]
    drawn = np.searchsorted(reached, heights, side="right")
    return _without_repeats(np.minimum(drawn, len(guide) - 1))


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("random", random_weights),
        Policy("one-unit", one_unit),
        Policy("two-units", two_units),
        Policy("worst-samples", worst_samples, guided=True),
    )
}


@dataclass
class Adaptive:
    """Arms (policy, size) drawn in proportion to their reward per evaluated choice.

    ``rewards`` (A,) are running means of sum max(gain, 0) / evaluated; every arm keeps a share
    ``explore`` of the draws.

    Examples
    --------
    >>> arms = Adaptive([(POLICIES["one-unit"], 2), (POLICIES["random"], 4)])
    >>> arms.learn(0, 2.0)
    >>> arms.learn(1, 0.0)
    >>> bool(arms.chances()[0] > arms.chances()[1])
    True
    """

    arms: list[tuple[Policy, int]]
    explore: float = 0.2
    memory: float = 0.9
    rewards: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        for arm in check_several("arms", self.arms, "pairs (policy, size)"):
            if not isinstance(arm, tuple) or len(arm) != 2:
                raise InvalidInputError(f"arms: {shown(arm)} is not a pair (policy, size)")
            policy(arm[0])
            check_whole("size", arm[1])
        check_share("explore", self.explore)
        check_share("memory", self.memory)
        self.rewards = np.full(len(self.arms), np.nan)

    def chances(self) -> FloatArray:
        """Return the probability of each arm; untried arms come first."""
        untried = np.isnan(self.rewards)
        if untried.any():
            return np.asarray(untried / untried.sum())
        total = self.rewards.sum()
        share = self.rewards / total if total > 0 else np.full(len(self.arms), 1 / len(self.arms))
        return self.explore / len(self.arms) + (1 - self.explore) * share

    def pick(self, rng: np.random.Generator) -> int:
        """Draw the index of the next arm."""
        return int(rng.choice(len(self.arms), p=self.chances()))

    def learn(self, arm: int, reward: float) -> None:
        """Update the running mean of an arm's reward."""
        old = self.rewards[arm]
        self.rewards[arm] = (
            reward if np.isnan(old) else self.memory * old + (1 - self.memory) * reward
        )


def policy(spec: str | Policy) -> Policy:
    """Return the policy that ``spec`` names.

    Examples
    --------
    >>> policy("one-unit").name
    'one-unit'
    """
    if not isinstance(spec, str):
        check_has("policies", spec, "blocks", "'one-unit', or a Policy(name, function)")
        return spec
    return POLICIES[choose("free-set policy", spec, list(POLICIES))]


def first_order_gains(
    problem: TrainingProblem, weights: WeightTable, bits: npt.ArrayLike
) -> FloatArray:
    """Estimate the first-order decrease of the loss from moving each weight to its other side.

    The slope of the loss at each output is propagated back; activations count as linear where |z|
    is at most its median (straight-through estimate).  A weight's slope is its neuron's slope times
    its input.  Its gain is |slope| if moving to the opposite sign descends, else -|slope|.
    """
    z = [layer[0] for layer in problem.pre_activations(np.asarray(bits)[None])]
    levels = problem.network.decode_bits(problem.full_bits(bits), problem.splines)
    if problem.loss_kind.is_joint:
        slope = problem.sample_slopes(z[-1])
    else:
        slope = 0.5 * (problem.output_losses(z[-1] + 1) - problem.output_losses(z[-1] - 1))
    gains = np.zeros(len(weights))
    for number in range(len(z) - 1, -1, -1):
        inputs: FloatArray = (
            problem.splines[number - 1].units(z[number - 1]) if number else problem.X.astype(float)
        )
        constant = np.full((len(inputs), 1), float(problem.bias_units[number]))
        pull = slope.T @ np.concatenate([inputs, constant], axis=1)
        matrix, bias = levels.matrices[number].astype(float), levels.biases[number]
        column = bias[:, None] if bias is not None else np.zeros((len(matrix), 1))
        full = np.concatenate([matrix, column], axis=1)
        here = weights.layer == number
        place = weights.neuron[here], weights.source[here]
        gains[here] = (pull * np.sign(full))[place]
        if number:
            near = np.abs(z[number - 1]) <= np.median(np.abs(z[number - 1]))
            slope = (slope @ matrix) * near
    return gains
