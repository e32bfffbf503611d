"""Solve blocks exactly with a table of the loss of every weight setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_has, check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.hedging.blocks import Answer, BlockSolver, FreeWeight, Minimise, free_weights
from solvers.hedging.products import Products, products_at


@dataclass(frozen=True)
class Enumeration:
    """Exact solver that tabulates every setting of a block's free weights.

    The losses are tabulated once.  A linear term is a sum over the weights of one number per word,
    so each question costs one pass over the table.

    Parameters
    ----------
    max_bits : int
        The table has at most 2^max_bits losses.
    points : int
        Most points returned to a question.

    Raises
    ------
    InvalidInputError
        By ``prepare``, for a block with more settings.
    """

    max_bits: int = 20
    points: int = 4
    certifies = True
    max_level = 2**20  # products of any number of bits

    def __post_init__(self) -> None:
        check_whole("max_bits", self.max_bits, most=32)  # 32 GiB of losses
        check_whole("points", self.points)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Tabulate the block's loss."""
        weights = list(free_weights(problem))
        size = prod(len(weight.words) for weight in weights)
        if size > 2**self.max_bits:
            raise InvalidInputError(
                f"2^{log2(size):.1f} weight settings of a block to enumerate, and max_bits is "
                f"{self.max_bits}: hedge over fewer free bits (problem.restrict), or with another "
                "solver of blocks, such as PenaltyBlocks or CpSatBlocks"
            )
        losses, points = np.empty(size), min(self.points, size)
        widest = problem.num_samples * max(problem.network.widths)
        for numbers in np.array_split(np.arange(size), -(-size * widest // 2**21)):  # in chunks
            outputs = problem.pre_activations(settings(problem, weights, numbers))[-1]
            losses[numbers] = problem.own_losses(outputs).sum(axis=(1, 2))

        def minimise(
            linear: FloatArray,
            starts: BitArray,
            seed: np.random.SeedSequence,
            products: Products | None = None,
        ) -> Answer:
            """Return the minimum over the table, the first of several equal ones."""
            term = np.zeros(1)
            for weight in weights:
                term = np.add.outer(term, weight.words @ linear[weight.slots]).ravel()
            value = losses + term
            if products is not None:
                value += _at_settings(problem, weights, products)
            best = np.argpartition(value, points - 1)[:points]
            best = best[np.lexsort((best, value[best]))]
            best[0] = np.argmin(value)
            bits = settings(problem, weights, best)
            return Answer(bits, value[best], losses[best], float(value[best[0]]))

        return minimise


@dataclass(frozen=True)
class ExactIfSmall:
    """Tables, which prove bounds, if the problem is small enough; otherwise another solver.

    Parameters
    ----------
    otherwise : BlockSolver
        Solver for larger problems.
    max_work : float
        Maximum total size of the tables: weight settings times samples.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.hedging.hedging import AnnealedBlocks
    >>> blocks = ExactIfSmall(AnnealedBlocks())
    >>> X, y = [[1, -1], [1, 1]], [1, -1]
    >>> blocks.chosen(TrainingProblem(Network.dense([2, 1]), X, y))
    Enumeration(max_bits=16, points=4)
    >>> type(blocks.chosen(TrainingProblem(Network.dense([2, 9, 1]), X, y))).__name__
    'AnnealedBlocks'
    """

    otherwise: BlockSolver
    max_work: float = 2.0**26
    certifies = False  # depends on the problem

    def __post_init__(self) -> None:
        check_has("otherwise", self.otherwise, "prepare", "AnnealedBlocks()")
        check_number("max_work", self.max_work)

    @property
    def oracle(self) -> Any:
        """Oracle of the other solver, if it has one."""
        return getattr(self.otherwise, "oracle", None)

    def chosen(self, problem: TrainingProblem) -> BlockSolver:
        """Return the solver for this problem's blocks."""
        table = Enumeration(max_bits=16)
        size = prod(len(weight.words) for weight in free_weights(problem))
        fits = size <= 2**table.max_bits and size * problem.num_samples <= self.max_work
        return table if fits else self.otherwise

    @property
    def max_level(self) -> int:
        """``max_level`` of the other solver."""
        return getattr(self.otherwise, "max_level", 1)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Prepare the block with the chosen solver."""
        return self.chosen(problem).prepare(problem)


def settings(
    problem: TrainingProblem, weights: Sequence[FreeWeight], numbers: IntArray
) -> BitArray:
    """Return the free bits of numbered settings of some weights, zero elsewhere.

    The mixed-radix digits of a number index each weight's word, the first weight's first.
    """
    bits = np.zeros((len(numbers), problem.num_free_bits), dtype=np.int8)
    if weights:
        digits = np.unravel_index(numbers, [len(weight.words) for weight in weights])
        for weight, digit in zip(weights, digits, strict=True):
            bits[:, weight.slots] = weight.words[digit]
    return bits


def _at_settings(
    problem: TrainingProblem, weights: Sequence[FreeWeight], products: Products
) -> FloatArray:
    """Return the value of a polynomial at every setting.

    Each product splits into bits of the first weights and bits of the others, so all values are one
    matrix of the former times one of the latter.
    """
    sizes = np.cumprod([len(weight.words) for weight in weights])
    first = int(np.searchsorted(sizes, np.sqrt(sizes[-1])))
    halves = []
    for part in (weights[:first], weights[first:]):
        bits = settings(problem, part, np.arange(prod(len(weight.words) for weight in part)))
        others = np.ones(bits.shape[1], dtype=np.bool_)
        others[[slot for weight in part for slot in weight.slots.tolist()]] = False
        bits[:, others] = 1
        halves.append(products_at(bits, products.members))
    return np.asarray(((halves[0] * products.coefficients) @ halves[1].T).ravel())
