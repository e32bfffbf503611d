"""Joint oracle calls for several askers: one call, if the oracle takes many QUBOs.

An asker is a generator that yields questions, receives the answers and returns its result.  It need
not know how its questions reach the oracle.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from formulations.arrays import BitArray
from solvers.oracles.base import QUBO, BatchOracle, Oracle, Samples
from solvers.oracles.ledger import Ledger
from solvers.oracles.wrappers.audit import Audited

Outcome = TypeVar("Outcome")

Asked = tuple[QUBO, BitArray | None, np.random.SeedSequence, Ledger]
"""A question to an oracle, and the ledger that books it."""

Asking = Generator[Asked, Samples, Outcome]
"""Type of an asker."""


def together(askers: Sequence[Asking[Outcome]], oracle: Oracle | None) -> list[Outcome]:
    """Run all askers, answer their questions together and return their results.

    With ``sample_many``, one call answers all pending questions, except those with starting states;
    its seed is the first question's.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> def asker(bias):
    ...     none = np.zeros(0, dtype=np.int64)
    ...     question = QUBO(np.array([bias]), none, none, np.zeros(0))
    ...     samples = yield question, None, np.random.SeedSequence(0), Ledger()
    ...     return samples.energies[0]
    >>> [float(energy) for energy in together([asker(-1.0), asker(2.0)], ExactOracle())]
    [-1.0, 0.0]
    """
    results: dict[int, Outcome] = {}
    replies: dict[int, Any] = dict.fromkeys(range(len(askers)))
    while replies:
        asked = {}
        for number, reply in replies.items():
            try:
                asked[number] = askers[number].send(reply)
            except StopIteration as end:
                results[number] = end.value
        answers = _answers(oracle, list(asked.values())) if oracle is not None else []
        replies = dict(zip(asked, answers, strict=True))
    return [results[number] for number in range(len(askers))]


def _answers(oracle: Oracle, asked: Sequence[Asked]) -> list[Samples]:
    answers: dict[int, Samples] = {}
    cold = [number for number, (_, states, *_) in enumerate(asked) if states is None]
    if len(cold) > 1 and isinstance(oracle, BatchOracle):
        for group in _groups([asked[number][0] for number in cold]):
            numbers = [cold[place] for place in group]
            qubos, seed = aligned([asked[n][0] for n in numbers]), asked[numbers[0]][2]
            started = time.perf_counter()
            several = Audited(oracle, asked[numbers[0]][3]).answer_many(qubos, seed)
            seconds = (time.perf_counter() - started) / len(numbers)
            for number, samples in zip(numbers, several, strict=True):
                qubo, *_, ledger = asked[number]
                answers[number] = replace(samples, x=samples.x[:, : qubo.num_variables])
                ledger.count(answers[number], seconds)
    for number, (qubo, states, seed, ledger) in enumerate(asked):
        if number not in answers:
            answers[number] = Audited(oracle, ledger).answer(qubo, states, seed)
    return [answers[number] for number in range(len(asked))]


def _groups(qubos: Sequence[QUBO]) -> list[list[int]]:
    """Group the QUBOs that one call can hold: all, or those of one pattern."""
    patterns: dict[tuple[object, ...], list[int]] = {}
    for place, qubo in enumerate(qubos):
        key = qubo.num_variables, qubo.heads.tobytes(), qubo.tails.tobytes()
        patterns.setdefault(key, []).append(place)
    if len(patterns) == 1:
        return [*patterns.values()]
    one_each = [qubos[places[0]] for places in patterns.values()]
    mean = sum(len(qubo.heads) for qubo in qubos) / len(qubos)
    # Use the union of the patterns if it has at most twice their mean number of couplers.
    if len(aligned(one_each)[0].heads) <= 2.0 * mean:
        return [list(range(len(qubos)))]
    return [*patterns.values()]


def aligned(qubos: Sequence[QUBO]) -> list[QUBO]:
    """Extend the QUBOs to the union of their variables and couplers, with zeros for missing ones.

    Examples
    --------
    >>> none, one = np.zeros(0, dtype=np.int64), np.array([0])
    >>> small = QUBO(np.array([1.0, 2.0]), none, none, np.zeros(0))
    >>> large = QUBO(np.zeros(3), one, np.array([2]), np.array([4.0]))
    >>> [(q.linear.tolist(), q.couplings.tolist()) for q in aligned([small, large])]
    [([1.0, 2.0, 0.0], [0.0]), ([0.0, 0.0, 0.0], [4.0])]
    """
    n = max(qubo.num_variables for qubo in qubos)
    keys = [np.asarray(qubo.heads) * n + qubo.tails for qubo in qubos]
    same = all(qubo.num_variables == n for qubo in qubos)
    if same and all(np.array_equal(key, keys[0]) for key in keys):
        return list(qubos)
    union = np.unique(np.concatenate(keys))
    heads, tails, padded = union // n, union % n, []
    for qubo, key in zip(qubos, keys, strict=True):
        couplings = np.zeros(len(union))
        couplings[np.searchsorted(union, key)] = qubo.couplings
        linear = np.pad(qubo.linear, (0, n - qubo.num_variables))
        padded.append(replace(qubo, linear=linear, heads=heads, tails=tails, couplings=couplings))
    return padded
