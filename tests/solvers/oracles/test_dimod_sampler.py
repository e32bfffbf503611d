"""The adapter: what a sampler may do differently, and what is made of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import dimod
import numpy as np
import pytest
from dwave.samplers import SimulatedAnnealingSampler, SteepestDescentSampler, TabuSampler
from dwave.system import FixedEmbeddingComposite
from dwave.system.testing import MockDWaveSampler

from formulations.errors import InvalidInputError, OracleError
from solvers.oracles import WarmOracle
from solvers.oracles.dimod_sampler import bits_of, from_dimod, timings, to_bqm
from solvers.oracles.testing import checked, random_qubo


def seed() -> np.random.SeedSequence:
    """A new one each time: asking spawns from it."""
    return np.random.SeedSequence(3)


class Answering(dimod.Sampler):
    """Answers what it is told to, and keeps what it was asked."""

    properties: dict[str, Any] = {}  # noqa: RUF012
    parameters: dict[str, Any] = {"seed": [], "num_reads": []}  # noqa: RUF012

    def __init__(self, answer: Any = None) -> None:
        self.answer, self.asked = answer, []  # type: ignore[var-annotated]

    def sample(self, bqm: dimod.BQM, **options: Any) -> dimod.SampleSet:
        self.asked.append((bqm, options))
        return self.answer or dimod.SampleSet.from_samples_bqm(dict.fromkeys(bqm.variables, 0), bqm)


def test_the_samples_are_those_of_the_sampler_itself() -> None:
    qubo = random_qubo(20)
    ours = from_dimod(SimulatedAnnealingSampler(), num_reads=6, num_sweeps=30).sample(qubo, seed())
    number = int(seed().spawn(1)[0].generate_state(1)[0] >> 1)
    theirs = SimulatedAnnealingSampler().sample(
        to_bqm(qubo), num_reads=6, num_sweeps=30, seed=number
    )
    x = theirs.record.sample
    np.testing.assert_array_equal(ours.x, x[np.argsort(qubo.energies(x), kind="stable")])
    assert 0.0 < ours.info["timing"]["sampling"] < ours.seconds


def test_spins_in_any_order_with_counts() -> None:
    qubo = random_qubo(4)
    rows = np.array([[1, -1, -1, 1], [-1, -1, 1, 1]])
    spins = dimod.SampleSet.from_samples(
        (rows, [2, 0, 3, 1]), "SPIN", [0.0, 0.0], num_occurrences=[2, 1]
    )
    samples = checked(from_dimod(Answering(spins)).sample(qubo, seed()), qubo)
    assert sorted(samples.x.tolist()) == [[0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]]


def test_reported_energies_are_not_believed() -> None:
    qubo = random_qubo(3)
    false = dimod.SampleSet.from_samples([[0, 0, 0], [1, 1, 1]], "BINARY", [np.nan, -99.0])
    checked(from_dimod(Answering(false)).sample(qubo, seed()), qubo)


@pytest.mark.parametrize(
    "answer",
    [
        dimod.SampleSet.from_samples(np.zeros((2, 2)), "BINARY", [0.0, 0.0]),
        dimod.SampleSet.from_samples(([[0, 0, 0]], "abc"), "BINARY", [0.0]),
        dimod.SampleSet.from_samples(([[0, 0, 0, 0]], [0, 1, 2, 3]), "BINARY", [0.0]),
        dimod.SampleSet.from_samples(([[0, 3, 0]], [0, 1, 2]), "INTEGER", [0.0]),
        dimod.SampleSet.from_samples(np.zeros((0, 3)), "BINARY", []),
    ],
)
def test_answers_to_another_question(answer: dimod.SampleSet) -> None:
    class Kept(Answering):
        def sample(self, bqm: dimod.BQM, **options: Any) -> dimod.SampleSet:
            return answer

    with pytest.raises(OracleError, match="the sampler returned"):
        from_dimod(Kept()).sample(random_qubo(3), seed())


def test_the_model_is_sent_in_order_and_whole() -> None:
    qubo = random_qubo(6)
    qubo.couplings[1] = 0.0
    sampler = Answering()
    from_dimod(sampler, num_reads=2).sample(qubo, seed())
    bqm, options = sampler.asked[0]
    assert list(bqm.variables) == list(range(6))
    assert bqm.num_interactions == len(qubo.couplings)
    assert options["num_reads"] == 2
    assert 0 <= options["seed"] < 2**31


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_read": 3}, "unknown option of TabuSampler 'num_read'.*Did you mean 'num_reads'"),
        ({"seed": 3}, "option 'seed' of TabuSampler: the oracle sets it itself"),
        ({"initial_states": []}, "the oracle sets it itself"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        from_dimod(TabuSampler(), **options)


def test_only_what_takes_states_can_be_started() -> None:
    assert isinstance(from_dimod(SteepestDescentSampler()), WarmOracle)
    assert not isinstance(from_dimod(dimod.ExactSolver()), WarmOracle)


def test_reads_take_the_states_in_turn() -> None:
    """A local minimum stays where it is."""
    qubo = random_qubo(12)
    found = from_dimod(SteepestDescentSampler(), num_reads=40).sample(qubo, seed())
    minima = np.unique(found.x, axis=0)[:2]
    assert len(minima) == 2
    oracle = from_dimod(SteepestDescentSampler(), num_reads=5)
    samples = oracle.sample_from(qubo, minima, seed())  # type: ignore[attr-defined]
    counts = [(samples.x == minimum).all(axis=1).sum() for minimum in minima]
    assert counts == [3, 2]


def test_a_composite_with_a_fixed_embedding() -> None:
    """Zero couplers are sent, so that an embedding for the pattern fits."""
    mock = MockDWaveSampler(topology_type="chimera", topology_shape=[2, 2, 4])
    qubo = random_qubo(2, share=1.0)
    head, tail = mock.edgelist[0]
    sampler = FixedEmbeddingComposite(mock, {0: [head], 1: [tail]})
    samples = checked(from_dimod(sampler, num_reads=7).sample(qubo, seed()), qubo)
    timing = samples.info["timing"]
    assert timing["sampling"] == timing["qpu_sampling_time"] < timing["qpu_access_time"] < 1.0
    assert samples.info["charged"] == timing["qpu_access_time"]


def test_timings_in_seconds() -> None:
    assert timings({"run_time": 3_000_000, "charge_time": 2.5e6}) == {
        "run_time": 3.0,
        "charge_time": 2.5,
        "sampling": 3.0,
    }
    local = {"timing": {"preprocessing_ns": 500_000_000, "wall_ms": 7, "note": "slow"}}
    assert timings(local) == {"preprocessing": 0.5, "wall": 0.007}
    assert timings({}) == {}


def test_ctrl_c_ends_a_long_call() -> None:
    oracle = from_dimod(SimulatedAnnealingSampler(), num_reads=4000, num_sweeps=3000)
    qubo = random_qubo(300, share=0.2)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        oracle.sample(qubo, seed())
    assert time.perf_counter() - started < 10.0  # all of it takes a minute


def test_a_sample_set_of_no_variables() -> None:
    empty = dimod.SampleSet.from_samples([{}], "BINARY", [0.0])
    assert bits_of(empty, 0).shape == (1, 0)
