"""Conformance kit: rules for every oracle, including those of other packages.

With pytest, one test per check:

    import pytest
    from solvers.oracles.testing import CHECKS, Subject

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(Subject(lambda: MyOracle(reads=5)))

Without it, ``check_oracle(MyOracle)`` runs all checks.  A failing check raises an
``AssertionError`` that states what was expected.  Modelled on ``dimod.testing.sampler``.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from formulations.arrays import BitArray
from solvers.oracles.base import QUBO, Oracle, Samples, WarmOracle

LARGEST = 16
"""Most variables that are enumerated."""


@dataclass(frozen=True)
class Subject:
    """Oracle under test and the claims made for it.

    Parameters
    ----------
    make : callable
        Makes a new oracle with the same options each time; a few short reads suffice.
    variables : int
        Variables of the test models, at most 16.
    reproducible : bool
        The same seed gives the same samples; false for hardware.
    random : bool
        Different seeds can give different samples; false for an exact oracle.
    searching : bool
        On an easy model its best read beats random guessing; false for an oracle meant to fail.
    picklable : bool
        It can be sent to another process.
    """

    make: Callable[[], Oracle]
    variables: int = 12
    reproducible: bool = True
    random: bool = True
    searching: bool = True
    picklable: bool = True

    def __post_init__(self) -> None:
        if not 2 <= self.variables <= LARGEST:
            raise ValueError(f"variables={self.variables!r}: expected from 2 to {LARGEST}")

    def sample(self, qubo: QUBO, number: int = 0) -> Samples:
        """Return samples of a new oracle, checked for form."""
        return checked(self.make().sample(qubo, np.random.SeedSequence(number)), qubo)


def checked(samples: Samples, qubo: QUBO) -> Samples:
    """Return the samples if they have the required form for ``qubo``.

    Raises
    ------
    AssertionError
        If shapes, types, order, energies, seconds or a claim to be exact are wrong.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = random_qubo(5)
    >>> samples = ExactOracle().sample(qubo, np.random.SeedSequence(0))
    >>> checked(samples, qubo) is samples
    True
    """
    x, energies, n = samples.x, samples.energies, qubo.num_variables
    expect(isinstance(x, np.ndarray) and x.dtype == np.int8, "x is no array of int8")
    expect(
        x.ndim == 2 and len(x) > 0 and x.shape[1] == n,
        f"x has shape {x.shape}: expected (reads, {n}) with at least one read",
    )
    expect(bool(((x == 0) | (x == 1)).all()), "x has values other than 0 and 1")
    expect(
        isinstance(energies, np.ndarray) and energies.dtype == np.float64,
        "energies is no array of float64",
    )
    expect(
        energies.shape == (len(x),),
        f"energies has shape {energies.shape}: expected ({len(x)},), one per read",
    )
    # energies agree to this share of the sum of |coefficients|
    tolerance = 1e-9 * float(np.abs(qubo.linear).sum() + np.abs(qubo.couplings).sum())
    expect(
        bool((np.abs(energies - qubo.energies(x)) <= tolerance).all()),
        "energies differ from those of the QUBO that was sent: are variables in another order?",
    )
    expect(bool((np.diff(energies) >= 0.0).all()), "the reads are not in order, best first")
    expect(
        isinstance(samples.seconds, float) and 0.0 <= samples.seconds < np.inf,
        f"seconds={samples.seconds!r}: expected a finite float, not negative",
    )
    expect(isinstance(samples.exact, bool), f"exact={samples.exact!r}: expected a bool")
    expect(isinstance(samples.info, dict), f"info={samples.info!r}: expected a dict")
    if samples.exact and n <= LARGEST:
        least = float(qubo.energies(every_state(n)).min())
        expect(
            energies[0] <= least + tolerance,
            f"it claims to be exact with energy {energies[0]}, and there is a state with {least}",
        )
    return samples


# -- the checks ------------------------------------------------------------------------------------


def check_protocol(subject: Subject) -> None:
    """Check that the oracle has the ``sample`` method."""
    expect(isinstance(subject.make(), Oracle), "it has no method sample(qubo, seed)")


def check_form(subject: Subject) -> None:
    """Check shapes, types, order and energies on models from one variable to the claimed number."""
    for n in (1, 2, 3, subject.variables):
        for share in (0.0, 0.3, 1.0):
            subject.sample(random_qubo(n, n, share))


def check_empty(subject: Subject) -> None:
    """Check models without variables (reads of no bits, energy zero), couplers or coefficients."""
    expect(not subject.sample(_flat(0)).energies.any(), "without variables every energy is zero")
    subject.sample(_flat(subject.variables))
    subject.sample(_separable(subject.variables))


def check_zero_couplers(subject: Subject) -> None:
    """Check zero couplers: an iterative solver keeps the pattern while its numbers change."""
    qubo = random_qubo(subject.variables)
    couplings = np.where(np.arange(len(qubo.couplings)) % 3 == 0, qubo.couplings, 0.0)
    subject.sample(_with(qubo, qubo.linear, couplings))
    subject.sample(_with(qubo, qubo.linear, 0.0 * couplings))
    subject.sample(_with(qubo, 0.0 * qubo.linear, 0.0 * couplings))


def check_scale(subject: Subject) -> None:
    """Check huge and tiny coefficients, and both in one model."""
    qubo = random_qubo(subject.variables)
    for factor in (1e-12, 1e12):
        subject.sample(_with(qubo, factor * qubo.linear, factor * qubo.couplings))
    subject.sample(_with(qubo, 1e-12 * qubo.linear, qubo.couplings))
    subject.sample(_with(qubo, 1e6 * qubo.linear, 1e-6 * qubo.couplings))


def check_not_finite(subject: Subject) -> None:
    """Check that coefficients that are not finite raise a ValueError."""
    qubo = random_qubo(subject.variables, share=1.0)
    for bad in (np.nan, np.inf, -np.inf):
        linear, couplings = qubo.linear.copy(), qubo.couplings.copy()
        linear[0], couplings[-1] = bad, bad
        for spoilt in (_with(qubo, linear, qubo.couplings), _with(qubo, qubo.linear, couplings)):
            _refuses(lambda q=spoilt: subject.sample(q), f"a coefficient {bad}")  # type: ignore[misc]


def check_inputs_unchanged(subject: Subject) -> None:
    """Check that the arrays sent are left unchanged."""
    qubo = random_qubo(subject.variables)
    before = copy.deepcopy(qubo)
    subject.sample(qubo)
    for name in ("linear", "heads", "tails", "couplings"):
        same = np.array_equal(getattr(qubo, name), getattr(before, name))
        expect(same, f"it wrote into the array {name!r} of the QUBO")


def check_same_seed(subject: Subject) -> None:
    """Check that the same seed gives the same samples, whatever was asked in between."""
    if not subject.reproducible:
        return
    oracle = subject.make()
    for n in (2, subject.variables):
        qubo = random_qubo(n)
        first = oracle.sample(qubo, np.random.SeedSequence(1))
        subject.sample(random_qubo(n, 5), 2)
        _same(oracle.sample(qubo, np.random.SeedSequence(1)), first, "asked again")
        _same(subject.sample(qubo, 1), first, "asked of a new oracle")


def check_other_seeds(subject: Subject) -> None:
    """Check that different seeds can give different samples."""
    if not subject.random:
        return
    for qubo in (_flat(subject.variables), random_qubo(subject.variables)):
        found = {subject.sample(qubo, number).x.tobytes() for number in range(4)}
        if len(found) > 1:
            return
    raise AssertionError("four seeds gave the same samples: is the seed used?")


def check_new_numbers(subject: Subject) -> None:
    """Check new numbers on the same heads and tails objects, then another pattern."""
    oracle = subject.make()
    qubo = random_qubo(subject.variables, share=0.4)
    pattern = random_qubo(subject.variables, 3, share=0.4)
    sent = [qubo]
    for factor in (-1.0, 0.5):
        sent.append(_with(qubo, factor * qubo.linear[::-1], factor * qubo.couplings[::-1]))
    sent += [pattern, random_qubo(subject.variables - 1, share=0.4), qubo]
    for number, asked in enumerate(sent):
        samples = checked(oracle.sample(asked, np.random.SeedSequence(number)), asked)
        if subject.reproducible:
            _same(samples, subject.sample(asked, number), "asked of a new oracle")


def check_search(subject: Subject) -> None:
    """Check that, without couplers, the best read is better than the mean of all states."""
    if not subject.searching:
        return
    qubo = _separable(subject.variables)
    best, mean = subject.sample(qubo).energies[0], qubo.linear.sum() / 2
    expect(best < mean, f"best energy {best}, where guesses have {mean}: does it minimise?")


def check_copies(subject: Subject) -> None:
    """Check that a copy and a pickled copy answer as the oracle itself."""
    qubo, oracle = random_qubo(subject.variables), subject.make()
    first = checked(oracle.sample(qubo, np.random.SeedSequence(1)), qubo)
    copies = [copy.copy(oracle)]
    if subject.picklable:
        copies += [copy.deepcopy(oracle), pickle.loads(pickle.dumps(oracle))]
    for other in copies:
        samples = checked(other.sample(qubo, np.random.SeedSequence(1)), qubo)
        if subject.reproducible:
            _same(samples, first, "asked of a copy")


def check_threads(subject: Subject) -> None:
    """Check that one oracle asked by several threads answers each as if it were alone."""
    oracle = subject.make()
    qubos = [random_qubo(subject.variables, number % 3) for number in range(6)]

    def ask(number: int) -> Samples:
        samples = oracle.sample(qubos[number], np.random.SeedSequence(number))
        return checked(samples, qubos[number])

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(ask, range(len(qubos))))
    for number, samples in enumerate(together):
        if subject.reproducible:
            _same(samples, subject.sample(qubos[number], number), "asked alone")


def check_warm_starts(subject: Subject) -> None:
    """Check a WarmOracle from given states: same form, same seed, states unchanged."""
    oracle = subject.make()
    if not isinstance(oracle, WarmOracle):
        return
    n = subject.variables
    qubo = random_qubo(n)
    states = np.random.default_rng(0).integers(0, 2, (40, n), dtype=np.int8)
    for given in (states[:1], states[:3], states, states[:2].astype(bool), states[:2].tolist()):
        before = copy.deepcopy(given)
        first = checked(oracle.sample_from(qubo, given, np.random.SeedSequence(1)), qubo)
        expect(np.array_equal(before, given), "it wrote into the initial states")
        if subject.reproducible:
            again = oracle.sample_from(qubo, given, np.random.SeedSequence(1))
            _same(again, first, "started from the same states")
    nothing = np.zeros((1, 0), dtype=np.int8)
    checked(oracle.sample_from(_flat(0), nothing, np.random.SeedSequence(1)), _flat(0))
    for wrong in (states[:, :-1], states[0], states[:0]):
        _refuses(
            lambda s=wrong: oracle.sample_from(qubo, s, np.random.SeedSequence(1)),  # type: ignore[misc]
            f"initial states of shape {wrong.shape} for {n} variables",
        )


CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_protocol,
    check_form,
    check_empty,
    check_zero_couplers,
    check_scale,
    check_not_finite,
    check_inputs_unchanged,
    check_same_seed,
    check_other_seeds,
    check_new_numbers,
    check_search,
    check_copies,
    check_threads,
    check_warm_starts,
)
"""Every check, for parametrised tests."""


def check_oracle(make: Callable[[], Oracle], **claims: bool | int) -> None:
    """Run every check on the oracle that ``make`` returns.

    Parameters
    ----------
    make : callable
        Makes a new oracle.
    **claims
        Claims of :class:`Subject`, such as ``reproducible=False``.

    Raises
    ------
    AssertionError
        Naming the failed check and what was expected.

    Examples
    --------
    >>> from solvers.oracles import Annealer, ExactOracle
    >>> check_oracle(lambda: Annealer(reads=3, sweeps=10))
    >>> check_oracle(ExactOracle, random=False)
    """
    subject = Subject(make, **claims)  # type: ignore[arg-type]
    for check in CHECKS:
        try:
            check(subject)
        except AssertionError as error:
            raise AssertionError(f"{check.__name__}: {error}") from error


# -- models to ask about ---------------------------------------------------------------------------


def random_qubo(n: int, number: int = 0, share: float = 0.5) -> QUBO:
    """Make a QUBO with normal coefficients and about this share of all couplers.

    Examples
    --------
    >>> random_qubo(4, share=1.0).heads.tolist()
    [0, 0, 0, 1, 1, 2]
    """
    random = np.random.default_rng(number)
    heads, tails = (ends.astype(np.int64) for ends in np.triu_indices(n, 1))
    kept = random.random(len(heads)) < share
    return QUBO(random.normal(size=n), heads[kept], tails[kept], random.normal(size=kept.sum()))


def every_state(n: int) -> BitArray:
    """Return all states of n bits, shape (2^n, n).

    Examples
    --------
    >>> every_state(2).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)


def expect(condition: bool, message: str) -> None:
    """Raise an AssertionError with this message unless the condition holds, even under -O."""
    if not condition:
        raise AssertionError(message)


def _separable(n: int) -> QUBO:
    """Make a QUBO without couplers, with coefficients 1 and -1 in turn."""
    return QUBO(np.resize([-1.0, 1.0], n), *_no_couplers())


def _flat(n: int) -> QUBO:
    """Make a QUBO without couplers and with all coefficients zero."""
    return QUBO(np.zeros(n), *_no_couplers())


def _no_couplers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)


def _with(qubo: QUBO, linear: np.ndarray, couplings: np.ndarray) -> QUBO:
    """Put new numbers on the same pattern: the same arrays of heads and tails."""
    return QUBO(linear.copy(), qubo.heads, qubo.tails, couplings.copy())


def _same(samples: Samples, other: Samples, when: str) -> None:
    expect(
        np.array_equal(samples.x, other.x) and np.array_equal(samples.energies, other.energies),
        f"the same seed gave other samples when {when}",
    )


def _refuses(ask: Callable[[], object], what: str) -> None:
    try:
        ask()
    except ValueError:
        return
    raise AssertionError(f"{what} was accepted: expected a ValueError such as InvalidInputError")
