"""Sources of candidates: what each is given and brings, and that none makes a result worse."""

from __future__ import annotations

import time
from typing import Any

import dimod
import numpy as np
import pytest

from formulations import QCBO
from formulations.errors import InvalidInputError
from solvers import QCGD, Candidates, PenaltyMethod
from solvers.oracles import QUBO, Annealer, ExactOracle, Samples
from solvers.oracles.answers import best_first
from solvers.qcgd.linear import LinearForm
from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.qcgd.sources.base import BATCH
from solvers.qcgd.sources.perturbation import Annealing, Perturbation
from solvers.qcgd.sources.relinking import Relinking
from solvers.qcgd.sources.restricted import Restricted, core_point
from solvers.qcgd.sources.shares import LEAST, Shares, gains

PURE = Candidates(sources=("oracle",))
QUICK = Annealer(reads=4, sweeps=20)

_weights = np.random.default_rng(0).integers(5, 99, (3, 150))
MODEL = QCBO.from_arrays(
    -np.random.default_rng(1).integers(20, 99, 150),
    _weights,
    _weights.sum(axis=1) // 3,
    equality=[False] * 3,
)


class Noise:
    """An oracle that answers at random, and takes its time if told so."""

    reads = 4

    def __init__(self, pause: float = 0.0) -> None:
        self.pause, self.calls = pause, 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        started = time.perf_counter()
        self.calls += 1
        time.sleep(self.pause)
        bits = np.random.default_rng(seed).integers(0, 2, (self.reads, qubo.num_variables))
        return best_first(qubo, bits, started)


def knapsack(seed: int, size: int = 60, rows: int = 3) -> dimod.ConstrainedQuadraticModel:
    """Quadratic profits, several capacities, and a number of items."""
    random = np.random.default_rng(seed)
    x = list(dimod.Binaries([f"x{i:03}" for i in range(size)]))
    pairs = random.integers(0, size, (4 * size, 2))
    cqm = dimod.ConstrainedQuadraticModel()
    profits = random.integers(5, 50, size)
    cqm.set_objective(
        -sum(int(p) * x[i] for i, p in enumerate(profits))
        - sum(int(random.integers(1, 20)) * x[i] * x[j] for i, j in pairs if i != j)
    )
    for row in range(rows):
        weights = random.integers(3, 40, size)
        cqm.add_constraint(
            sum(int(w) * x[i] for i, w in enumerate(weights)) <= int(weights.sum() // 3), f"c{row}"
        )
    cqm.add_constraint(sum(x[: size // 2]) == size // 6, "number")
    return cqm


def best(cqm: dimod.ConstrainedQuadraticModel, **options: Any) -> dimod.SampleSet:
    samples = QCGD(**options).sample_cqm(cqm)
    assert samples.first.is_feasible
    return samples


# -- the whole -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("oracle", [QUICK, Noise()], ids=["annealer", "noise"])
def test_more_sources_never_make_it_worse(oracle: Any, seed: int) -> None:
    options = {"oracle": oracle, "iterations": 15, "stop": None, "seed": seed, "call_limit": 15}
    hybrid = best(knapsack(seed), **options)
    pure = best(knapsack(seed), **options, candidates=PURE)
    assert hybrid.first.energy <= pure.first.energy


def test_each_source_says_what_it_has_brought() -> None:
    samples = best(knapsack(0), oracle=QUICK, iterations=10, stop=None, call_limit=10)
    sources = samples.info["sources"]
    assert list(sources)[:4] == ["oracle", "perturbation", "relinking", "annealing"]
    assert "restricted" in sources
    assert sources["oracle"]["calls"] == samples.info["oracle_calls"] == 10
    assert all(one["calls"] for name, one in sources.items() if name != "halves")
    found = [one["best"] for one in sources.values() if one["best"] is not None]
    assert min(found) == samples.first.energy
    assert sum(one["improvements"] for one in sources.values()) >= 1
    assert 0 < sum(one["seconds"] for one in sources.values()) <= samples.info["seconds"]


def test_the_same_seed_gives_the_same_result() -> None:
    one, two = (best(knapsack(1), oracle=QUICK, iterations=12, seed=3) for _ in range(2))
    assert (one.record.sample == two.record.sample).all()
    for source in one.info["sources"]:
        for name in ("calls", "improvements", "best"):
            assert one.info["sources"][source][name] == two.info["sources"][source][name]


def test_the_pure_method_asks_the_oracle_alone() -> None:
    samples = best(knapsack(0), oracle=QUICK, iterations=5, candidates=PURE)
    assert list(samples.info["sources"]) == ["oracle"]


@pytest.mark.parametrize("candidates", [Candidates(fresh=1), Candidates(repair=False)])
def test_without_pool_or_repair_there_are_no_other_sources(candidates: Candidates) -> None:
    samples = QCGD(QUICK, iterations=5, candidates=candidates).sample_cqm(knapsack(0))
    assert list(samples.info["sources"]) == ["oracle"]


def test_the_penalty_method_has_its_oracle_alone_unless_it_is_told_otherwise() -> None:
    alone = PenaltyMethod(QUICK, iterations=5).sample_cqm(knapsack(0)).info["sources"]
    assert list(alone) == ["oracle"]
    method = PenaltyMethod(QUICK, iterations=5, candidates=Candidates())
    sources = method.sample_cqm(knapsack(0)).info["sources"]
    assert all(sources[name]["calls"] for name in ("oracle", "perturbation", "relinking"))


def test_an_exact_oracle_still_proves_its_bound() -> None:
    x = list(dimod.Binaries("abcdefgh"))
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(sum((-1) ** i * (i + 1) * v for i, v in enumerate(x)))
    cqm.add_constraint(sum(x) == 4, label="half")
    samples = QCGD(ExactOracle(), iterations=200).sample_cqm(cqm)
    assert samples.first.energy == -2 - 4 - 6 - 8
    assert samples.info["lower_bound"] <= samples.first.energy


def test_a_slow_oracle_of_noise_gets_little_of_the_time() -> None:
    slow = Noise(pause=0.2)
    options = {"oracle": slow, "iterations": None, "time_limit": 2.0}
    hybrid = best(knapsack(2), **options)
    assert slow.calls <= 4
    assert hybrid.info["seconds"] < 3.0
    pure = best(knapsack(2), **options, candidates=PURE)
    assert hybrid.first.energy <= pure.first.energy


# -- shares of the time ----------------------------------------------------------------------------


def shared(
    gained: dict[str, float], effort: dict[str, float], rounds: int = 300
) -> dict[str, float]:
    """Effort of each source in the end."""
    shares, spent = Shares(list(gained)), dict.fromkeys(gained, 0.0)
    for _ in range(rounds):
        name = shares.next()
        shares.book(name, effort=effort[name], gained=gained[name])
        shares.of[name].seconds += effort[name]
        spent[name] += effort[name]
    return {name: value / sum(spent.values()) for name, value in spent.items()}


@pytest.mark.parametrize("cost", [0.1, 1.0, 10.0])
def test_time_goes_to_what_pays(cost: float) -> None:
    effort = {"oracle": cost, "perturbation": 1.0}
    assert shared({"oracle": cost, "perturbation": 0.0}, effort)["oracle"] > 0.8
    assert shared({"oracle": 0.0, "perturbation": 1.0}, effort)["oracle"] < 0.15
    assert 0.4 < shared({"oracle": cost, "perturbation": 1.0}, effort)["oracle"] < 0.6


@pytest.mark.parametrize(("gain", "least", "most"), [(20.0, 0.75, 1.0), (0.0, 0.0, 0.1)])
def test_a_perfect_oracle_gets_nearly_all_among_many_and_noise_nearly_none(
    gain: float, least: float, most: float
) -> None:
    others = dict.fromkeys(["perturbation", "relinking", "annealing", "restricted"], 0.2)
    spent = shared({"oracle": gain, **others}, dict.fromkeys(["oracle", *others], 1.0), 1000)
    assert least <= spent["oracle"] <= most


def test_nobody_gets_less_than_the_least_share() -> None:
    shares = Shares(["oracle", "perturbation"])
    for _ in range(400):
        name = shares.next(timed=False)
        shares.book(name, effort=1.0, gained=float(name == "perturbation"))
    assert shares.of["oracle"].calls == pytest.approx(200, abs=3)
    none = shared(
        {"oracle": 0.0, "perturbation": 1.0, "relinking": 1.0},
        dict.fromkeys(["oracle", "perturbation", "relinking"], 1.0),
    )
    assert none["oracle"] >= 0.8 * LEAST


def test_bounds_take_a_tenth_of_the_effort_at_most() -> None:
    for gain in (0.0, 5.0):
        names = ["oracle", "perturbation", "spectral"]
        gained = {"oracle": 0.1, "perturbation": 0.1, "spectral": gain}
        spent = shared(gained, dict(zip(names, [1.0, 1.0, 7.0], strict=True)), 1000)
        assert spent["spectral"] <= 0.1


class Told(ModelScoring):
    """Points are worth something only if their first bits are those that the rest asks for."""

    MIX = np.random.default_rng(5).integers(0, 2, (40, 24))

    def score(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fits = (points[:, 40:] @ self.MIX.T % 2 == points[:, :40]).all(axis=1)
        return points, np.where(fits, -(points[:, 40:] @ 2.0 ** np.arange(24)), 0.0)


class Knowing:
    """An oracle each of whose answers is the best so far, by what nobody else knows."""

    reads = 1

    def __init__(self) -> None:
        self.calls = 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        started = time.perf_counter()
        self.calls += 1
        time.sleep(0.005)
        rest = self.calls >> np.arange(24) & 1
        return best_first(qubo, np.append(Told.MIX @ rest % 2, rest)[None], started)


def test_a_perfect_oracle_gets_nearly_all_of_a_run() -> None:
    oracle, model = Knowing(), QCBO.from_arrays(np.zeros(64))
    solver = QCGD(oracle, iterations=None, time_limit=1.5, stop=None)
    run, loop = solver.descend(Told(model), model)
    shares = loop.search.shares
    spent = {name: one.seconds for name, one in shares.of.items()}
    assert run.incumbent.loss == -oracle.calls
    assert spent["oracle"] >= 0.75 * sum(spent.values())
    assert shares.of["oracle"].improvements == oracle.calls


def test_a_quick_oracle_of_noise_gets_little_of_a_run() -> None:
    others = Candidates(sources=("oracle", "perturbation", "relinking", "restricted"))
    solver = QCGD(Noise(), candidates=others, iterations=None, time_limit=1.5, stop=None)
    _, loop = solver.descend(ModelScoring(MODEL), MODEL)
    spent = {name: one.seconds for name, one in loop.search.shares.of.items()}
    assert spent["oracle"] <= 0.25 * sum(spent.values())


# -- the sources -----------------------------------------------------------------------------------


def pool_of(bits: np.ndarray) -> Pool:
    pool = Pool(len(bits))
    pool.add(bits, np.arange(len(bits), dtype=float))
    return pool


def test_perturbation_learns_how_many_bits_to_flip() -> None:
    source, rng = Perturbation(64), np.random.default_rng(0)
    pool = pool_of(np.zeros((1, 64), dtype=np.int8))
    for _ in range(50):
        flips = source.points(pool, rng).sum(axis=1)
        assert set(flips) <= {2, 4, 8, 16}
        source.learn((flips == 8).astype(float))
    assert np.mean(source.points(pool, rng).sum(axis=1) == 8) > 0.6


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_perturbation_flips_something_of_any_model(size: int) -> None:
    pool = pool_of(np.zeros((1, size), dtype=np.int8))
    points = Perturbation(size).points(pool, np.random.default_rng(0))
    assert points.shape == (BATCH, size)
    assert (points.sum(axis=1) >= 1).all()


def test_relinking_keeps_what_two_members_share() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (4, 30)).astype(np.int8)
    bits[:, :10] = 1
    points = Relinking().points(pool_of(bits), np.random.default_rng(1))
    assert points.shape == (BATCH, 30)
    assert (points[:, :10] == 1).all()


def test_a_point_that_was_known_gains_nothing() -> None:
    bits = np.eye(3, dtype=np.int8)
    before, pool = pool_of(bits), pool_of(bits)
    new = np.array([[1, 1, 1], [0, 1, 0]], dtype=np.int8)
    pool.add(new, np.array([-1.0, 1.0]))
    assert gains(pool, before, new, np.array([-1.0, 1.0])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("sources", [(), ("perturbation",), ("oracle", "luck"), "oracle", 3])
def test_other_sources_are_refused_by_name(sources: Any) -> None:
    with pytest.raises(InvalidInputError, match="source"):
        Candidates(sources=sources)


def test_what_other_sources_find_is_traced_when_they_find_it() -> None:
    slow = Noise()
    solver = QCGD(slow, iterations=3, stop=None)
    run, _ = solver.descend(ModelScoring(MODEL), MODEL)
    losses = run.trace.columns["loss"]
    assert len(losses) > slow.calls
    assert losses == sorted(losses, reverse=True)


def test_an_exact_cover_that_repair_misses_is_found_within_the_core() -> None:
    rng = np.random.default_rng(0)
    planted = np.eye(10, dtype=int).repeat(4, axis=1)
    others = (rng.random((120, 40)) < 0.08).astype(int)
    rows = np.concatenate([planted, others[others.any(axis=1)]]).T
    cover = QCBO.from_arrays(rng.integers(10, 99, rows.shape[1]), rows, np.ones(40))
    point = core_point(cover, LinearForm.of(cover))
    assert cover.is_feasible(point).tolist() == [True]
    infeasible = np.zeros((1, rows.shape[1]), dtype=np.int8)
    found = Restricted(cover).points(pool_of(infeasible), rng)
    assert cover.is_feasible(found).all()


def test_rows_whose_bits_are_all_blocked_are_not_freed() -> None:
    edges = np.array([[0, k] for k in range(1, 60)])
    rows = np.zeros((59, 60), dtype=int)
    rows[np.arange(59)[:, None], edges] = 1
    star = QCBO.from_arrays(-np.append(50, np.ones(59)), rows, np.ones(59), equality=[False] * 59)
    source, rng = Restricted(star), np.random.default_rng(0)
    centre = np.eye(1, 60, dtype=np.int8)
    freed = [source._freed(1, pool_of(centre), centre[0], rng) for _ in range(20)]
    empty = np.zeros(60, dtype=np.int8)
    freed += [source._freed(1, pool_of(empty[None]), empty, rng)]
    assert all(len(bits) for bits in freed)
    for _ in range(5):
        assert star.is_feasible(source.points(pool_of(centre), rng)).all()


def test_annealing_keeps_every_row() -> None:
    pool = pool_of(Repair(MODEL)(np.zeros((1, 150), dtype=np.int8), np.random.SeedSequence(0)))
    source, rng = Annealing(Repair(MODEL)), np.random.default_rng(0)
    for _ in range(3):
        assert MODEL.is_feasible(source.points(pool, rng)).all()


@pytest.mark.parametrize("start", [2.0, 1 / 32])
def test_annealing_finds_the_temperature_of_a_model(
    start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colouring by exchanges in one-hot rows freezes between .06 and .25."""
    monkeypatch.setattr("solvers.qcgd.sources.perturbation.STRETCH", 50_000)
    nodes, colors = 60, 4
    edges = np.triu(np.random.default_rng(0).random((nodes, nodes)) < 0.2, 1)
    model = QCBO.from_arrays(
        np.zeros(nodes * colors), np.kron(np.eye(nodes), np.ones(colors)), np.ones(nodes),
        quadratic=np.kron(edges, np.eye(colors)),
    )  # fmt: skip
    source, rng = Annealing(Repair(model)), np.random.default_rng(3)
    source.restore({"_heat": start})
    pool = pool_of(Repair(model)(np.zeros((1, 240), dtype=np.int8), np.random.SeedSequence(0)))
    for _ in range(100):
        source.points(pool, rng)
    assert 0.05 < source.snapshot()["_heat"] < 0.6


def test_a_walk_goes_on_from_a_checkpoint() -> None:
    start = Repair(MODEL)(np.zeros((3, 150), dtype=np.int8), np.random.SeedSequence(0))
    pool, one, two = pool_of(start), Annealing(Repair(MODEL)), Annealing(Repair(MODEL))
    one.restore({"_looked": 40_000_000})
    one.points(pool, np.random.default_rng(0))
    two.restore(one.snapshot())
    after = [source.points(pool, np.random.default_rng(1)) for source in (one, two)]
    assert (after[0] == after[1]).all()
    assert MODEL.is_feasible(after[0]).all()


def test_corners_come_first_and_once() -> None:
    """The optimum 0 of least squares with capacities is far from all other good points."""
    random = np.random.default_rng(5)
    factor = random.integers(-99, 100, (12, 40))
    weights = random.integers(1, 100, (3, 40))
    square = factor.T @ factor
    model = QCBO.from_arrays(
        np.diag(square), weights, weights.sum(axis=1) // 2, equality=[False] * 3,
        quadratic=2 * np.triu(square, 1),
    )  # fmt: skip
    source, pool = Perturbation(40, corners=True), Pool(1)
    pool.add(np.tile([0, 1], (1, 20)), np.zeros(1))
    first, second = (source.points(pool, random) for _ in range(2))
    assert first[:2].tolist() == [[0] * 40, [1] * 40]
    assert not second.all(axis=1).any()
    solver = QCGD(iterations=3, seed=0, oracle=QUICK)
    assert solver.sample_cqm(model.to_cqm()).first.energy == 0.0
