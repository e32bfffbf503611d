"""Single gateway for every solver's oracle calls: checks answers, books costs, converts errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from formulations.arrays import BitArray
from formulations.errors import (
    BudgetExhaustedError,
    InvalidInputError,
    MissingExtraError,
    OracleError,
    OracleRefusalError,
)
from solvers.oracles.answers import check_form, unusable
from solvers.oracles.base import QUBO, BatchOracle, Samples
from solvers.oracles.cloud.secrets import redacted, without_secrets
from solvers.oracles.ledger import Ledger, amount
from solvers.oracles.wrappers.base import Transparent

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Audited(Transparent):
    """Oracle wrapper that checks and books every answer and turns every error into an oracle error.

    Parameters
    ----------
    oracle : Oracle
    ledger : Ledger
        Ledger that books the calls.

    Raises
    ------
    UnusableAnswerError
        From a call, for an answer that does not fit the question: see :func:`checked`.
    OracleRefusalError
        For a question that the oracle refuses.
    OracleError
        For any other error of the oracle; the message holds no credentials.
    BudgetExhaustedError
        From a budget inside.

    Examples
    --------
    >>> from solvers.oracles import Annealer
    >>> oracle = Audited(Annealer(reads=3, sweeps=5))
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = oracle.sample(qubo, np.random.SeedSequence(0))
    >>> oracle.ledger.calls, oracle.ledger.reads
    (1, 3)
    """

    ledger: Ledger = field(default_factory=Ledger)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the oracle's answer if it is usable."""
        started = time.perf_counter()
        samples = self._named(lambda: checked(qubo, self.ask(qubo, states, seed)))
        self.ledger.count(samples, time.perf_counter() - started)
        return samples

    def answer_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """Return answers to many QUBOs of one pattern, without booking them."""
        oracle = self.oracle
        assert isinstance(oracle, BatchOracle)

        def answers() -> list[Samples]:
            several = oracle.sample_many(qubos, seed)
            return [checked(*pair) for pair in zip(qubos, several, strict=True)]

        return self._named(answers)

    def _named(self, call: Callable[[], Outcome]) -> Outcome:
        """Return the result of a call; book any error and turn it into an oracle error."""
        try:
            return call()
        except BudgetExhaustedError:
            raise
        except Exception as error:
            self.ledger.fail(error)
            failure = _named(error)
        raise failure  # outside the handler, whose context may hold a token


def _named(error: Exception) -> Exception:
    """Convert ``error`` to an oracle error."""
    if isinstance(error, (OracleError, MissingExtraError)):
        return error
    cause = error if without_secrets(error) else None
    if isinstance(error, InvalidInputError):
        refusal = OracleRefusalError(redacted(str(error)))
        refusal.__cause__ = cause
        return refusal
    text = redacted(" ".join(str(error).split())) or "no message"
    failure = OracleError(f"the oracle failed: {type(error).__name__}: {text}")
    failure.__cause__ = cause
    return failure


def checked(qubo: QUBO, samples: Samples) -> Samples:
    """Return the samples, sorted and with correct energies, if they answer ``qubo``.

    Missing energies (NaN) are computed and unsorted reads are sorted; a claim of a proven minimum
    that either contradicts is withdrawn.  Invalid seconds count as zero.

    Raises
    ------
    UnusableAnswerError
        For no reads, shapes that do not fit, values other than 0 and 1, or energies that contradict
        the bits, as when variables come back in another order.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> x = np.array([[1, 0], [0, 1]], dtype=np.int8)
    >>> checked(qubo, Samples(x, np.array([np.nan, -3.0]), 0.1)).energies.tolist()
    [-3.0, 1.0]
    >>> checked(qubo, Samples(x, np.array([-3.0, 1.0]), 0.1))
    Traceback (most recent call last):
    formulations.errors.UnusableAnswerError: the oracle's answer cannot be used: the energy of ...
    """
    check_form(qubo, samples)
    x, told = np.asarray(samples.x), np.asarray(samples.energies)
    x, told = x.astype(np.int8, copy=False), told.astype(np.float64, copy=False)
    energies = qubo.energies(x)
    # Single precision inside an oracle may be off by a millionth of the sum of all coefficients.
    tolerance = 1e-6 * float(np.abs(qubo.linear).sum() + np.abs(qubo.couplings).sum())
    missing = np.isnan(told)
    off = ~missing & ~(np.abs(told - energies) <= tolerance)
    if off.any():
        read = int(np.argmax(off))
        raise unusable(
            samples,
            f"the energy of read {read} is {told[read]:.9g} by the oracle and "
            f"{energies[read]:.9g} by its bits (variables in another order, or another model's "
            "answer)",
        )
    if missing.any() or (np.diff(told) < 0).any():
        order = np.argsort(energies, kind="stable")
        first = energies[0] - energies[order[0]] <= tolerance
        exact = samples.exact and bool(first) and not missing.any()
        samples = replace(samples, exact=exact)
        x, told = x[order], energies[order]
    seconds, info = amount(samples.seconds), samples.info if isinstance(samples.info, dict) else {}
    return replace(samples, x=x, energies=told, seconds=seconds, info=info)
