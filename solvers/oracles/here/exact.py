"""Exact oracle: enumerates every state of a small QUBO."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from solvers.kernels.gray_code import least_states
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.wrappers.base import layers


@dataclass(frozen=True)
class ExactOracle:
    """Oracle: minima of a QUBO by Gray-code enumeration of each connected part.

    Parameters
    ----------
    max_variables : int
        Largest connected part that is accepted; 24 bits take a fraction of a second.
    max_samples : int
        Most minima returned if several states have the least energy.

    Raises
    ------
    InvalidInputError
        For options out of range; from ``sample``, for a QUBO that is too large or not finite.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, 1.0, -2.0]), np.array([0]), np.array([1]), np.array([-2.0]))
    >>> samples = ExactOracle().sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.energies.tolist(), samples.exact
    ([[0, 0, 1], [1, 1, 1]], [-2.0, -2.0], True)
    """

    max_variables: int = 24
    max_samples: int = 16

    def __post_init__(self) -> None:
        check_whole("max_variables", self.max_variables, most=40)  # 2^40 states take hours
        check_whole("max_samples", self.max_samples, most=2**20)

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return the minima of ``qubo`` in lexicographic order; the seed has no effect."""
        started = time.perf_counter()
        check_question(qubo, seed)
        n = qubo.num_variables
        matrix = sp.coo_array((qubo.couplings, (qubo.heads, qubo.tails)), shape=(n, n)).tocsr()
        symmetric = sp.csr_array(matrix + matrix.T)
        symmetric.eliminate_zeros()  # A zero coupler of a fixed pattern connects nothing.
        parts, part = connected_components(symmetric, directed=False)
        sizes = np.bincount(part, minlength=parts)
        if sizes.max(initial=0) > self.max_variables:
            raise InvalidInputError(
                f"a QUBO of {n} variables, {sizes.max()} of them connected, has 2^{sizes.max()} "
                f"states to enumerate and max_variables is {self.max_variables}: "
                "take a heuristic oracle such as Annealer, or a smaller problem"
            )
        x = np.zeros((1, n), dtype=np.int8)
        for number in range(parts):
            members = np.flatnonzero(part == number)
            minima = self._minima(qubo.linear[members], symmetric[members][:, members].toarray())
            # Combine every minimum so far with every one of this part, up to the limit.
            pairs = min(self.max_samples, len(x) * len(minima))
            x = np.repeat(x, len(minima), axis=0)[:pairs]
            x[:, members] = np.resize(minima, (pairs, len(members)))
        x = x[np.lexsort(x.T[::-1])] if n else x
        return Samples(x, qubo.energies(x), time.perf_counter() - started, exact=True)

    def _minima(self, linear: FloatArray, symmetric: FloatArray) -> BitArray:
        """Return minima of one connected part, shape (at most max_samples, size)."""
        # Energies that differ by less count as equal.
        tolerance = 1e-12 * float(np.abs(linear).sum() + np.abs(symmetric).sum() / 2)
        found = np.zeros(max(64, self.max_samples), dtype=np.int64)
        numbers, least = found[:0], np.inf
        total, chunk = 2 ** len(linear), 2**24  # states between two checks for Ctrl-C
        for first in range(0, total, chunk):
            stop = min(first + chunk, total)
            energy, count = least_states(linear, symmetric, first, stop, tolerance, found)
            if energy < least - tolerance:
                numbers = found[:0]
            if energy <= least + tolerance:
                numbers = np.concatenate([numbers, found[:count]])[: len(found)]
                least = min(least, energy)
        x = _states(numbers, len(linear))
        energies = x @ linear + 0.5 * ((x @ symmetric) * x).sum(axis=1)
        return np.asarray(x[energies <= energies.min() + tolerance][: self.max_samples])


def is_exact(oracle: object) -> bool:
    """Return whether an oracle, or one inside it, is exact, so that its answers may prove bounds.

    Examples
    --------
    >>> is_exact(ExactOracle()), is_exact(None)
    (True, False)
    """
    return any(isinstance(layer, ExactOracle) for layer in layers(oracle))


def _states(numbers: IntArray, size: int) -> BitArray:
    """Return the bits of Gray-code states, shape (len(numbers), size)."""
    codes = numbers ^ (numbers >> 1)
    return ((codes[:, None] >> np.arange(size)) & 1).astype(np.int8)
