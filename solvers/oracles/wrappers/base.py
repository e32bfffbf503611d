"""Wrappers: oracles around an oracle, all of one shape.

A wrapper is asked as any oracle is, asks the one inside, and changes what goes in or comes out.  It
can be started from given states if, and only if, the one inside can.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray
from formulations.errors import InvalidInputError
from solvers.oracles.answers import check_form, checked_states
from solvers.oracles.base import QUBO, Oracle, Samples, WarmOracle, check_oracle, check_question


@dataclass(frozen=True)
class Wrapper:
    """An oracle around an oracle; each kind has one method of its own, :meth:`answer`.

    Parameters
    ----------
    oracle : Oracle
        The one inside.

    Raises
    ------
    InvalidInputError
        If that is no oracle.

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
        if isinstance(self.oracle, WarmOracle):  # an attribute of its own: protocols look for it
            object.__setattr__(self, "sample_from", self._sample_from)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, here and in other processes, are made anew from the same arguments."""
        return type(self), tuple(getattr(self, item.name) for item in fields(self) if item.init)

    @property
    def reads(self) -> int:
        """Reads of a call, as far as the oracle inside says."""
        return int(getattr(self.oracle, "reads", 1))

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Samples of ``qubo``, best first."""
        check_question(qubo, seed)
        return self.answer(qubo, None, seed)

    def _sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Samples of ``qubo`` found from ``states``, shape (s, n); best first."""
        check_question(qubo, seed)
        return self.answer(qubo, checked_states(states, qubo.num_variables), seed)

    @abstractmethod
    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Samples of ``qubo``, found from ``states`` if there are any."""

    def ask(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """What the oracle inside answers, which has the form of an answer.

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
    """A wrapper that changes no answer: with it or without, a run goes the same way."""

    @property
    def stands_for(self) -> Oracle:
        """The oracle that decides where a run goes."""
        return self.oracle

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """What the oracle inside answers."""
        return self.ask(qubo, states, seed)


def layers(oracle: object) -> Iterator[object]:
    """An oracle and those inside it, from the outermost on.

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
    """A seed that spawns what ``seed`` would spawn now, and leaves ``seed`` as it is."""
    return np.random.SeedSequence(
        seed.entropy,
        spawn_key=seed.spawn_key,
        pool_size=seed.pool_size,
        n_children_spawned=seed.n_children_spawned,
    )


def rescored(qubo: QUBO, samples: Samples, x: BitArray | None = None) -> Samples:
    """Samples by the energies of ``qubo``, best first; whatever was proven of them is not now.

    Parameters
    ----------
    qubo : QUBO
    samples : Samples
        Of another QUBO on the same variables.
    x : ndarray of int8, shape (reads, n), optional
        Bits to take instead.
    """
    x = samples.x if x is None else x
    energies = qubo.energies(x)
    order = np.argsort(energies, kind="stable")
    return Samples(x[order], energies[order], samples.seconds, info=samples.info)
