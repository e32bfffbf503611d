"""The oracle interface: a QUBO goes in, samples come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import shown
from formulations.errors import InvalidInputError


@dataclass(frozen=True)
class QUBO:
    """Minimise linear'x + sum_e couplings[e] x[heads[e]] x[tails[e]] over bits x.

    An iterative solver sends the same ``heads`` and ``tails`` arrays (the same objects) repeatedly
    with new numbers, so an oracle may cache what it derives from them.

    Parameters
    ----------
    linear : ndarray of float64, shape (n,)
    heads, tails : ndarray of int64, shape (e,)
        Couplers, heads < tails, no duplicates, sorted by (heads, tails).
    couplings : ndarray of float64, shape (e,)
    """

    linear: FloatArray
    heads: IntArray
    tails: IntArray
    couplings: FloatArray

    @property
    def num_variables(self) -> int:
        """Number of bits n."""
        return len(self.linear)

    def energies(self, x: npt.ArrayLike) -> FloatArray:
        """Compute the energy of each sample, shape (reads, n) -> (reads,)."""
        x = np.asarray(x, dtype=np.float64)
        n = self.num_variables
        starts = np.searchsorted(self.heads, np.arange(n + 1))
        upper = sp.csr_array((self.couplings, self.tails, starts), shape=(n, n))
        return np.asarray(x @ self.linear + np.einsum("ri,ir->r", x, upper @ x.T))


@dataclass(frozen=True)
class Samples:
    """Samples returned by an oracle.

    Parameters
    ----------
    x : ndarray of int8, shape (reads, n)
        Bits, best energy first.
    energies : ndarray of float64, shape (reads,)
        Energy of each read under the QUBO that was sent.
    seconds : float
        Time spent by the oracle itself.
    exact : bool
        True if the first read is a proven minimum.
    info : dict
        Further entries for the ledger.
    """

    x: BitArray
    energies: FloatArray
    seconds: float
    exact: bool = False
    info: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Oracle(Protocol):
    """Oracle: one method, which samples a QUBO reproducibly by seed."""

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples of ``qubo``, best first."""
        ...


@runtime_checkable
class WarmOracle(Oracle, Protocol):
    """Oracle that can also start from given states, like reverse annealing."""

    def sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Return samples of ``qubo`` found from ``states``, shape (s, n), best first."""
        ...


@runtime_checkable
class BatchOracle(Oracle, Protocol):
    """Oracle that answers many QUBOs of one pattern in one call, like a GPU."""

    def sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """Return samples of each of ``qubos``, which have the same heads and tails, best first."""
        ...


def check_question(qubo: object, seed: object) -> None:
    """Refuse anything but a QUBO and a seed before an oracle works on them.

    Raises
    ------
    InvalidInputError
        For other types, arrays whose shapes do not fit, couplers of missing variables, or
        coefficients that are not finite.

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> qubo = QUBO(np.array([1.0]), none, none, np.zeros(0))
    >>> check_question(qubo, np.random.SeedSequence(0))
    >>> check_question(qubo, 0)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: seed=0: expected a numpy.random.SeedSequence, such as ...
    """
    if not isinstance(qubo, QUBO):
        raise InvalidInputError(
            f"qubo={shown(qubo)}: expected a solvers.oracles.QUBO; the whole model of a network "
            "goes to a solver such as QCGD(oracle=...), a dimod BQM to its own sampler"
        )
    if not isinstance(seed, np.random.SeedSequence):
        raise InvalidInputError(
            f"seed={shown(seed)}: expected a numpy.random.SeedSequence, such as SeedSequence(0)"
        )
    arrays = (qubo.linear, qubo.heads, qubo.tails, qubo.couplings)
    if not all(isinstance(array, np.ndarray) and array.ndim == 1 for array in arrays):
        raise InvalidInputError(
            "a QUBO of linear, heads, tails and couplings: expected one-dimensional NumPy arrays"
        )
    if not len(qubo.heads) == len(qubo.tails) == len(qubo.couplings):
        raise InvalidInputError(
            f"a QUBO of {len(qubo.heads)} heads, {len(qubo.tails)} tails and "
            f"{len(qubo.couplings)} couplings: expected as many of each"
        )
    n = qubo.num_variables
    for name, ends in (("heads", qubo.heads), ("tails", qubo.tails)):
        if len(ends) and (ends.dtype.kind not in "iu" or not 0 <= ends.min() <= ends.max() < n):
            raise InvalidInputError(f"{name} of a QUBO: expected variable numbers 0 .. {n - 1}")
    for name, numbers in (("linear", qubo.linear), ("couplings", qubo.couplings)):
        if numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
            raise InvalidInputError(
                f"the QUBO has coefficients that are not finite ({name}): check the model's "
                "numbers and the penalty weights"
            )


def same_pattern(one: QUBO, other: QUBO) -> bool:
    """Return whether two QUBOs have the same variables and couplers; instant for identical arrays.

    Examples
    --------
    >>> qubo = QUBO(np.zeros(2), np.array([0]), np.array([1]), np.zeros(1))
    >>> same_pattern(qubo, QUBO(np.ones(2), np.array([0]), np.array([1]), np.ones(1)))
    True
    """
    return one.num_variables == other.num_variables and all(
        mine is theirs or np.array_equal(mine, theirs)
        for mine, theirs in ((one.heads, other.heads), (one.tails, other.tails))
    )


def check_oracle(oracle: object) -> None:
    """Refuse anything but an oracle, including a dimod sampler that has not been wrapped.

    Raises
    ------
    InvalidInputError

    Examples
    --------
    >>> import dimod
    >>> check_oracle(dimod.RandomSampler())
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: oracle=<...>: a dimod sampler takes a BQM and no ...
    """
    if isinstance(oracle, type) or not isinstance(oracle, Oracle):
        raise InvalidInputError(
            f"oracle={shown(oracle)}: expected an object with sample(qubo, seed), such as "
            "solvers.oracles.Annealer()"
        )
    if hasattr(oracle, "sample_ising"):
        raise InvalidInputError(
            f"oracle={oracle!r}: a dimod sampler takes a BQM and no QUBO's arrays; give "
            "solvers.oracles.from_dimod(sampler), with its options such as num_reads=10"
        )


def rebuilt(self: Any) -> tuple[Any, ...]:
    """Rebuild a dataclass from its options, as ``__reduce__``: without locks and connections."""
    return type(self), tuple(getattr(self, item.name) for item in fields(self) if item.init)
