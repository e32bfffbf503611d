"""Wrapper that samples the connected parts of a QUBO separately."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_whole
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.wrappers.base import Wrapper


@dataclass(frozen=True)
class Blockwise(Wrapper):
    """Wrapper that samples the connected parts of a QUBO alone and joins their best reads.

    Read k combines the k-th best state of every part; a joint sample of many parts would rarely
    have good states of all of them.  With ``QCGD(lifted=LiftedRows(rows="mean"))`` a model whose
    blocks are coupled only by linear rows decomposes into these blocks: Lagrangian decomposition.
    On a machine of few spins ``size`` lets each question fit.

    Parameters
    ----------
    oracle : Oracle
    size : int, optional
        Parts share a question of at most this many variables; a larger part gets its own.  None
        puts all parts into one question.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0, -1.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = Blockwise(ExactOracle(), size=2).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.energies.tolist(), samples.info["questions"]
    ([[0, 1, 1]], [-4.0], 2)
    """

    size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None:
            check_whole("size", self.size)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return samples whose parts are ranked separately."""
        part = parts(qubo)
        question = _packed(np.bincount(part), self.size)[part]
        count = int(question.max(initial=0)) + 1
        answers, places = [], []
        for piece, own in zip(_pieces(qubo, question, count), seed.spawn(count), strict=True):
            inside, places_here = piece
            given = None if states is None else states[:, places_here]
            answers.append(self.ask(inside, given, own))
            places.append(places_here)
        reads = min(len(answer.x) for answer in answers)
        x = np.empty((reads, qubo.num_variables), dtype=np.int8)
        for answer, place in zip(answers, places, strict=True):
            x[:, place] = answer.x[:reads]
        order = np.argsort(_energies(qubo, x, part), axis=0, kind="stable")
        x = np.take_along_axis(x, order[:, part], axis=0)
        return Samples(
            x,
            qubo.energies(x),
            sum(answer.seconds for answer in answers),
            exact=all(answer.exact for answer in answers),
            info={"questions": count, "parts": int(part.max(initial=-1)) + 1},
        )


def parts(qubo: QUBO) -> IntArray:
    """Return the number of each variable's connected part, shape (n,)."""
    used = np.flatnonzero(qubo.couplings)
    n = qubo.num_variables
    graph = sp.csr_array((np.ones(len(used)), (qubo.heads[used], qubo.tails[used])), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _packed(sizes: IntArray, most: int | None) -> IntArray:
    """Assign each part to a question, filling one question after the other."""
    if most is None:
        return np.zeros(len(sizes), dtype=np.int64)
    question, filled, current = np.zeros(len(sizes), dtype=np.int64), 0, 0
    for part, size in enumerate(sizes.tolist()):
        if filled and filled + size > most:
            current, filled = current + 1, 0
        question[part] = current
        filled += size
    return question


def _pieces(qubo: QUBO, question: IntArray, count: int) -> Iterator[tuple[QUBO, IntArray]]:
    """Make the QUBO of each question with the positions of its variables."""
    number = np.empty(qubo.num_variables, dtype=np.int64)
    of_coupler = np.where(qubo.couplings != 0.0, question[qubo.heads], -1)
    for current in range(count):
        place, inside = np.flatnonzero(question == current), of_coupler == current
        number[place] = np.arange(len(place))
        yield (
            QUBO(
                qubo.linear[place],
                number[qubo.heads[inside]],
                number[qubo.tails[inside]],
                qubo.couplings[inside],
            ),
            place,
        )


def _energies(qubo: QUBO, x: BitArray, part: IntArray) -> FloatArray:
    """Compute the energy of each part of each read, shape (reads, parts)."""
    count = int(part.max(initial=-1)) + 1
    of_coupler = part[qubo.heads]
    return np.array(
        [
            np.bincount(part, qubo.linear * row, count)
            + np.bincount(of_coupler, qubo.couplings * row[qubo.heads] * row[qubo.tails], count)
            for row in x.astype(np.float64)
        ]
    ).reshape(len(x), count)
