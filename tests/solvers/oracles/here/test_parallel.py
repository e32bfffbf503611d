"""Oracles that move many reads and many models at once, on numpy and on torch's CPU."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from formulations.errors import InvalidInputError, MissingExtraError
from solvers.kernels.annealing import colours
from solvers.oracles import (
    QUBO,
    Annealer,
    BatchOracle,
    CoherentIsing,
    ExactOracle,
    ParallelAnnealer,
    SimulatedBifurcation,
    WarmOracle,
)
from solvers.oracles.deadline import answer_by
from solvers.oracles.here.devices import Torch
from solvers.oracles.here.stacking import exact_sums, stacked_matrix
from solvers.oracles.ising import Neighbours
from solvers.oracles.testing import checked, every_state, random_qubo

DEVICES = ["numpy", pytest.param("cpu", marks=pytest.mark.torch)]
ORACLES: dict[str, Callable[..., Any]] = {
    "annealer": partial(ParallelAnnealer, 10, 200),
    "ballistic": partial(SimulatedBifurcation, 10, 300),
    "discrete": partial(SimulatedBifurcation, 10, 300, kind="discrete"),
    "coherent": partial(CoherentIsing, 10, 300),
}
SPARSE, DENSE = 0.05, 1.0


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def several(count: int, n: int, share: float) -> list[QUBO]:
    """QUBOs of one pattern with other numbers."""
    first, random = random_qubo(n, 0, share), np.random.default_rng(1)
    e = len(first.couplings)
    return [
        QUBO(random.normal(size=n), first.heads, first.tails, random.normal(size=e))
        for _ in range(count)
    ]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cpu":
        torch = pytest.importorskip("torch", reason="needs the extra torch")
        torch.set_num_threads(1)  # the models are small, and others test on the same cores
    return str(request.param)


def test_no_two_coupled_variables_have_one_colour() -> None:
    qubo = random_qubo(300, share=0.05)
    around = Neighbours.of(300, qubo.heads, qubo.tails)
    colour = colours(around.starts, around.others, np.arange(300))
    assert (colour[qubo.heads] != colour[qubo.tails]).all()
    assert 2 < colour.max() + 1 <= 1 + np.diff(around.starts).max()
    none = np.zeros(0, dtype=np.int64)
    lone = Neighbours.of(3, none, none)
    assert colours(lone.starts, lone.others, np.arange(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("share", [SPARSE, DENSE])
def test_a_stack_of_models_has_the_couplings_of_each(share: float) -> None:
    qubos = several(3, 40, share)
    around = Neighbours.of(40, qubos[0].heads, qubos[0].tails)
    matrix = stacked_matrix(around, np.stack([q.couplings for q in qubos])[:, around.coupler])
    for number, qubo in enumerate(qubos):
        expected = np.zeros((40, 40))
        expected[qubo.heads, qubo.tails] = expected[qubo.tails, qubo.heads] = qubo.couplings
        block = slice(40 * number, 40 * number + 40)
        found = matrix[number] if share == DENSE else matrix[block, block].toarray()
        np.testing.assert_array_equal(found, expected)


def test_fields_are_the_same_in_any_order_of_their_sum() -> None:
    """Single precision, couplings over six orders of magnitude, 1,000 of them to a spin."""
    random = np.random.default_rng(0)
    qubo = random_qubo(1001, share=1.0)
    couplings = qubo.couplings * 10.0 ** random.uniform(-6, 0, len(qubo.couplings))
    around = Neighbours.of(1001, qubo.heads, qubo.tails)
    J = couplings[None, around.coupler]
    rounded = exact_sums(around, J).astype(np.float32).reshape(1001, 1000)
    terms = rounded * random.choice([-1, 1], 1000).astype(np.float32)
    sums = {np.cumsum(terms[:, random.permutation(1000)], axis=1)[:, -1].tobytes() for _ in "abc"}
    assert len(sums) == 1
    np.testing.assert_allclose(rounded.ravel(), J[0], atol=3e-7 * np.abs(J).max() * 1000)


@pytest.mark.parametrize("n", [4, 5])
def test_updates_at_once_keep_the_boltzmann_distribution(n: int, device: str) -> None:
    """At one temperature, of a clique and of a ring with its two or three colours."""
    random, beta = np.random.default_rng(0), 0.7
    pairs = [np.triu_indices(n, 1), (np.arange(n), (np.arange(n) + 1) % n)]
    for dense, (heads, tails) in zip((True, False), pairs, strict=True):
        first, last = np.minimum(heads, tails), np.maximum(heads, tails)
        order = np.lexsort((last, first))
        qubo = QUBO(
            random.normal(size=n), first[order], last[order], random.normal(size=len(heads))
        )
        states = every_state(n)
        weight = np.exp(-beta * qubo.energies(states))
        oracle = ParallelAnnealer(20_000, 30, beta_range=(beta, beta), device=device)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("solvers.oracles.here.stacking.DENSE_SHARE", 0.0 if dense else 1.1)
            found = oracle.sample(qubo, seed()).x @ (1 << np.arange(n))
        share = np.bincount(found, minlength=2**n) / 20_000
        np.testing.assert_allclose(share, weight / weight.sum(), atol=0.012)  # three deviations


@pytest.mark.parametrize("share", [SPARSE, 0.3, DENSE])
@pytest.mark.parametrize("name", ORACLES)
def test_many_models_at_once_are_each_solved(name: str, share: float, device: str) -> None:
    """The minima of eight models, found in one call, with the energies of their own QUBOs."""
    qubos = several(8, 14, share)
    oracle = ORACLES[name](device=device)
    assert isinstance(oracle, BatchOracle)
    answers = oracle.sample_many(qubos, seed())
    least = [ExactOracle().sample(qubo, seed()).energies[0] for qubo in qubos]
    for qubo, samples in zip(qubos, answers, strict=True):
        assert checked(samples, qubo).x.shape == (10, 14)
    found = np.array([samples.energies[0] for samples in answers])
    assert (found <= np.array(least) + 1e-9).sum() >= 7
    again = oracle.sample_many(qubos, seed())
    for samples, other in zip(answers, again, strict=True):
        np.testing.assert_array_equal(samples.x, other.x)


def test_blocks_of_a_dense_model_are_swept_in_order(device: str) -> None:
    """More spins than a block: as good as the compiled annealer on the same glass."""
    qubo = random_qubo(150, share=1.0)
    ours = ParallelAnnealer(20, 200, device=device).sample(qubo, seed())
    theirs = Annealer(20, 200).sample(qubo, seed())
    assert ours.energies.mean() == pytest.approx(theirs.energies.mean(), rel=0.01)


def test_a_sparse_glass_ends_as_low_as_with_the_compiled_annealer(device: str) -> None:
    qubo = random_qubo(1000, share=0.006)
    ours = ParallelAnnealer(20, 200, device=device).sample(qubo, seed())
    theirs = Annealer(20, 200).sample(qubo, seed())
    assert ours.energies.mean() == pytest.approx(theirs.energies.mean(), rel=0.01)


def test_warm_starts_stay_near(device: str) -> None:
    qubo = random_qubo(14)
    best = ExactOracle().sample(qubo, seed()).x[0]
    second = np.where(np.arange(14) == 0, 1 - best, best)  # one flip away
    oracle = ParallelAnnealer(4, 5, beta_range=(1e3, 1e6), device=device)
    assert isinstance(oracle, WarmOracle)
    samples = oracle.sample_from(qubo, np.stack([best, second]), seed())
    assert (samples.x == best).all(axis=1).sum() >= 2


def test_a_deadline_ends_a_long_call(device: str) -> None:
    started = time.perf_counter()
    with answer_by(started + 0.2):
        cut = ParallelAnnealer(4, 10**7, device=device).sample(random_qubo(300, 0, 0.02), seed())
    assert time.perf_counter() - started < 5.0
    assert cut.info["cut"]


@pytest.mark.torch
@pytest.mark.parametrize("fails", [False, True])
def test_a_step_is_done_as_often_as_asked_whether_or_not_it_can_be_recorded(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """The part for GPUs, with a stand-in for CUDA graphs that replays by doing the step."""
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    done = []

    @contextmanager
    def graph(*_: object, **__: object) -> Iterator[None]:
        before = len(done)
        yield
        del done[before:]  # a capture does nothing yet
        if fails:
            raise RuntimeError("operation not permitted when stream is capturing")

    replay = SimpleNamespace(replay=lambda: done.append("replayed"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: replay)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    on = Torch("cpu", seed())
    monkeypatch.setattr(on, "_device", SimpleNamespace(type="cuda"))
    run = on.repeated(lambda: done.append("done"), 30)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(30):
            run()
    assert len(done) == 30
    assert done.count("replayed") == (0 if fails else 29)
    assert ["no CUDA graph" in str(warning.message) for warning in told] == [True] * fails


def test_models_of_other_patterns_and_none_are_refused() -> None:
    for oracle in (ParallelAnnealer(device="numpy"), SimulatedBifurcation(device="numpy")):
        with pytest.raises(InvalidInputError, match="expected one or more QUBOs"):
            oracle.sample_many([], seed())
        with pytest.raises(InvalidInputError, match="QUBO 1 has other variables or couplers"):
            oracle.sample_many([random_qubo(5, 0), random_qubo(5, 1)], seed())


def test_options_and_a_missing_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="unknown device 'gpu'"):
        ParallelAnnealer(device="gpu")
    assert repr(ParallelAnnealer(7).changed(sweeps=9)) == "ParallelAnnealer(reads=7, sweeps=9)"
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'qnn-ising\[torch\]'"):
        ParallelAnnealer(device="cpu").sample(random_qubo(4), seed())
