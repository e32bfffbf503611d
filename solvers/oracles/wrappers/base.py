"""Base of the wrappers: oracles around an oracle.

A wrapper is called like any oracle, calls the one inside, and changes its input or output.  It can
start from given states if and only if the one inside can.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray
from formulations.errors import InvalidInputError
from solvers.oracles.answers import check_form, checked_states
from solvers.oracles.base import (
    QUBO,
    Oracle,
    Samples,
    WarmOracle,
    check_oracle,
    check_question,
    rebuilt,
)


@dataclass(frozen=True)
class Wrapper:
    """Oracle around an oracle; each kind implements one method, :meth:`answer`.

    Parameters
    ----------
    oracle : Oracle
        The inner oracle.

    Raises
    ------
    InvalidInputError
        If that is not an oracle.

    Examples
    --------
    >>> from solvers.oracles import Annealer, ExactOracle, SpinReversal
    >>> isinstance(SpinReversal(Annealer()), WarmOracle)
    True
    >>> isinstance(SpinReversal(ExactOracle()), WarmOracle)
    False
    """

    oracle: Oracle

    def __post_init__(self) -> None:
        check_oracle(self.oracle)
        if isinstance(self.oracle, WarmOracle):  # Protocols look for the attribute.
            object.__setattr__(self, "sample_from", self._sample_from)

    __reduce__ = rebuilt

    @property
    def reads(self) -> int:
        """Reads per call, as far as the inner oracle reports them."""
        return int(getattr(self.oracle, "reads", 1))

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples of ``qubo``, best first."""
        check_question(qubo, seed)
        return self.answer(qubo, None, seed)

    def _sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Return samples of ``qubo`` found from ``states``, shape (s, n), best first."""
        check_question(qubo, seed)
        return self.answer(qubo, checked_states(states, qubo.num_variables), seed)

    @abstractmethod
    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return samples of ``qubo``, found from ``states`` if there are any."""

    def ask(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Ask the inner oracle and check the form of its answer.

        Raises
        ------
        UnusableAnswerError
            See :func:`~solvers.oracles.answers.check_form`.
        """
        samples = self._asked(qubo, states, seed)
        check_form(qubo, samples)
        return samples

    def _asked(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        if states is None:
            return self.oracle.sample(qubo, seed)
        if not isinstance(self.oracle, WarmOracle):
            raise InvalidInputError(
                f"{type(self.oracle).__name__} cannot start from given states: leave them out"
            )
        return self.oracle.sample_from(qubo, states, seed)


@dataclass(frozen=True)
class Transparent(Wrapper):
    """Wrapper that changes no answer, so a run takes the same course with or without it."""

    @property
    def stands_for(self) -> Oracle:
        """The oracle that determines the course of a run."""
        return self.oracle

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the inner oracle's answer."""
        return self.ask(qubo, states, seed)


def layers(oracle: object) -> Iterator[object]:
    """List an oracle and those inside it, outermost first.

    Examples
    --------
    >>> from solvers.oracles import Annealer, SpinReversal
    >>> [type(layer).__name__ for layer in layers(SpinReversal(Annealer()))]
    ['SpinReversal', 'Annealer']
    """
    while oracle is not None:
        yield oracle
        oracle = getattr(oracle, "oracle", None)


def same_seed(seed: np.random.SeedSequence) -> np.random.SeedSequence:
    """Copy ``seed`` so that spawning from the copy leaves ``seed`` unchanged."""
    return np.random.SeedSequence(
        seed.entropy,
        spawn_key=seed.spawn_key,
        pool_size=seed.pool_size,
        n_children_spawned=seed.n_children_spawned,
    )


def rescored(qubo: QUBO, samples: Samples, x: BitArray | None = None) -> Samples:
    """Rescore samples by the energies of ``qubo``, best first; a proven minimum no longer holds.

    Parameters
    ----------
    qubo : QUBO
    samples : Samples
        Samples of another QUBO on the same variables.
    x : ndarray of int8, shape (reads, n), optional
        Bits to use instead.
    """
    x = samples.x if x is None else x
    energies = qubo.energies(x)
    order = np.argsort(energies, kind="stable")
    return Samples(x[order], energies[order], samples.seconds, info=samples.info)
