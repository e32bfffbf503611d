"""QCGD's answers to constrained models of all kinds, judged by dimod and by enumeration."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import dimod
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from formulations.errors import InvalidInputError
from solvers import QCGD, Candidates, LiftedRows, PenaltyMethod, QCGDSampler, Status
from solvers.oracles import Annealer, ExactOracle
from tests.cqms import cqms, optimum, verdict

BITS = 14


def answer(solver: QCGD, cqm: dimod.ConstrainedQuadraticModel) -> dimod.SampleSet | None:
    """None where the model is refused: a soft row without a step, or too large for enumeration."""
    with contextlib.suppress(InvalidInputError):
        return solver.sample_cqm(cqm)
    return None


def outcomes(solver: QCGD, models: int) -> Counter[str]:
    """How many answers to random models are right, missed or refused; none may be false."""
    counts: Counter[str] = Counter()

    @settings(
        deadline=None,
        max_examples=models,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cqms())
    def solve(cqm: dimod.ConstrainedQuadraticModel) -> None:
        samples = answer(solver, cqm)
        word = "refused" if samples is None else verdict(cqm, samples, optimum(cqm))
        assert not word.startswith("FALSE"), f"{word}\n{cqm}"
        counts[word.split(":")[0]] += 1

    solve()
    assert counts["refused"] <= 0.1 * models
    return counts


def test_random_models_over_an_exact_oracle() -> None:
    """The optimum, or the proof that there is none, in 99 of 100 models."""
    counts = outcomes(QCGD(oracle=ExactOracle(max_variables=BITS), iterations=100), 150)
    assert counts["right"] >= 0.99 * (counts["right"] + counts["missed"])


def test_random_models_over_an_annealer() -> None:
    """Nothing is proven, but most answers are right."""
    counts = outcomes(QCGD(oracle=Annealer(reads=4, sweeps=50), iterations=10), 40)
    assert counts["right"] >= 0.8 * (counts["right"] + counts["missed"])


def assignment(infeasible: bool = False) -> dimod.ConstrainedQuadraticModel:
    """Three jobs on three machines, one-hot both ways, and a budget."""
    rng = np.random.default_rng(1)
    cqm = dimod.ConstrainedQuadraticModel()
    x = {(i, j): dimod.Binary((i, j)) for i in range(3) for j in range(3)}
    cqm.set_objective(sum(float(rng.integers(1, 9)) * variable for variable in x.values()))
    for i in range(3):
        cqm.add_discrete([(i, j) for j in range(3)], label=("job", i))
        cqm.add_constraint(sum(x[j, i] for j in range(3)) == 1, label=("machine", i))
    if infeasible:
        cqm.add_constraint(x[0, 0] + x[1, 0] + x[2, 0] >= 2, label="too much")
    return cqm


def test_what_the_answer_says() -> None:
    cqm = assignment()
    samples = QCGD(oracle=ExactOracle(), iterations=60).sample_cqm(cqm)
    info = samples.info
    assert samples.first.energy == optimum(cqm)
    assert info["status"] == "optimal"
    assert info["lower_bound"] == pytest.approx(samples.first.energy)
    assert (info["infeasibility"], info["residuals"]) == (None, {})
    assert info["oracle_calls"] == len(info["history"]["loss"])
    assert info["bits"] == 9
    assert {"('job', 0)", "('machine', 2)"} <= set(info["multipliers"]["square"])
    low, high = info["coefficient_range"]
    assert 0 < low <= high
    assert info["constraint_labels"] == list(cqm.constraints)


def test_one_hot_rows_may_lose_a_bit_in_presolve() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    for i in range(3):
        cqm.add_discrete([(i, j) for j in range(3)], label=i)
    bits = [dimod.Binary(v) for v in cqm.variables]
    for one, other in zip(bits, bits[4:], strict=False):
        cqm.add_constraint(one + other <= 1)
    cqm.set_objective(sum(k * k % 7 * bit for k, bit in enumerate(bits)) - 3 * bits[0] * bits[1])
    for options, left in (({}, 6), ({"lifted": LiftedRows(one_hot="keep")}, 9)):
        samples = QCGD(ExactOracle(), iterations=100, **options).sample_cqm(cqm)
        assert samples.first.energy == optimum(cqm)
        assert samples.record.is_feasible.all()
        assert samples.info["bits_after_presolve"] == left


def test_feasible_samples_only_if_there_are_any() -> None:
    samples = QCGD(oracle=Annealer(reads=10, sweeps=20), iterations=5).sample_cqm(assignment())
    assert samples.record.is_feasible.all()
    assert (np.diff(samples.record.energy) >= 0).all()


def test_infeasibility_that_presolve_proves_is_the_models() -> None:
    samples = QCGD().sample_cqm(assignment(infeasible=True))
    assert len(samples) == 0
    assert samples.info["status"] == Status.INFEASIBLE.value
    assert samples.info["infeasibility"] == "model"
    assert samples.info["oracle_calls"] == 0
    assert "machine" in samples.info["reason"] or "too much" in samples.info["reason"]


def three_colours_for_four() -> dimod.ConstrainedQuadraticModel:
    """Three colours for four countries that all touch: no row decides anything, and none exists."""
    cqm = dimod.ConstrainedQuadraticModel()
    for i in range(4):
        cqm.add_discrete([(i, colour) for colour in range(3)], label=i)
        for j, colour in itertools.product(range(i), range(3)):
            both = dimod.Binary((i, colour)) + dimod.Binary((j, colour))
            cqm.add_constraint(both <= 1, label=(i, j, colour))
    cqm.set_objective(dimod.Binary((0, 0)))
    return cqm


def test_infeasibility_that_the_bound_proves_is_the_models() -> None:
    samples = QCGD(oracle=ExactOracle(), iterations=300).sample_cqm(three_colours_for_four())
    assert samples.info["status"] == "infeasible"
    assert samples.info["infeasibility"] == "model"
    assert not samples.record.is_feasible.any()


def test_infeasibility_that_nothing_proves_is_the_searchs() -> None:
    solver = QCGD(oracle=Annealer(reads=5, sweeps=50), iterations=5)
    assert solver.sample_cqm(three_colours_for_four()).info["status"] == "infeasible"  # enumerated
    pure = replace(solver, candidates=Candidates(sources=("oracle",)))
    samples = pure.sample_cqm(three_colours_for_four())
    assert samples.info["status"] == "finished"
    assert samples.info["infeasibility"] == "search"
    assert len(samples.info["residuals"]) >= 1
    assert samples.info["gap"] is None


def test_what_presolve_decides_needs_no_oracle() -> None:
    i = dimod.Integer("i", upper_bound=9)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(2 * i)
    cqm.add_constraint(3 * i == 12, label="row")
    samples = QCGD().sample_cqm(cqm)
    assert (samples.first.sample, samples.first.energy) == ({"i": 4}, 8.0)
    assert samples.info["status"] == "optimal"
    assert samples.info["lower_bound"] == 8.0
    assert samples.info["oracle_calls"] == 0


def test_every_answer_says_the_same_things() -> None:
    decided = dimod.ConstrainedQuadraticModel()
    decided.add_constraint(dimod.Binary("a") == 1, label="hard")
    decided.add_constraint(dimod.Binary("a") == 0, label="wish", weight=2.0)
    infos = [
        QCGD(iterations=1).sample_cqm(cqm).info
        for cqm in (assignment(), assignment(infeasible=True), decided)
    ]
    said = "status lower_bound infeasibility residuals multipliers coefficient_range history ledger"
    for info in infos:
        assert {*said.split(), "oracle_reads", "oracle_seconds", "constraint_labels"} <= set(info)
        assert info["ledger"]["calls"] == info["oracle_calls"]
        assert info["seconds"] > 0.0
    assert infos[2]["residuals"] == {"wish": 1.0}


def test_an_empty_model_has_the_empty_answer() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(dimod.QuadraticModel())
    samples = QCGD().sample_cqm(cqm)
    assert samples.info["status"] == "optimal"


def test_what_is_no_cqm_is_refused() -> None:
    bqm = dimod.BinaryQuadraticModel({"a": -1.0}, {}, 0.0, "BINARY")
    with pytest.raises(InvalidInputError, match="got a BinaryQuadraticModel"):
        QCGD().sample_cqm(bqm)  # type: ignore[arg-type]
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(bqm)
    assert QCGD(iterations=1).sample_cqm(cqm).first.energy == -1.0


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda c: c.add_variable("REAL", "r"), "variable 'r' is real"),
        (lambda c: c.add_variable("INTEGER", "wide"), "integer variable 'wide' ranges"),
        (
            lambda c: c.add_constraint_from_iterable([("a", np.nan)], "<=", 1, label="odd"),
            "constraint 'odd' has numbers that are not finite",
        ),
        (
            lambda c: c.add_constraint_from_iterable([("a", 1.0)], "<=", np.inf, label="odd"),
            "constraint 'odd' has numbers that are not finite",
        ),
        (
            lambda c: c.add_constraint_from_iterable(
                [("a", 1.0), ("b", 2**0.5)], "<=", 1, label="soft one", weight=1.0
            ),
            "soft constraint 'soft one'",
        ),
    ],
)
def test_what_cannot_be_done_exactly_is_refused_by_name(break_it, message: str) -> None:  # type: ignore[no-untyped-def]
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", ["a", "b"])
    break_it(cqm)
    with pytest.raises(InvalidInputError, match=message):
        QCGD(callbacks=(lambda progress: pytest.fail("work began"),)).sample_cqm(cqm)


def test_an_unbounded_integer_that_the_rows_bound_is_taken() -> None:
    i, x = dimod.Integer("i"), dimod.Binary("x")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-i)
    cqm.add_constraint(2 * i + x <= 9, label="row")
    assert QCGD(oracle=ExactOracle()).sample_cqm(cqm).first.energy == -4.0


# -- in the shape of Ocean's samplers -------------------------------------------------------------


def test_the_sampler_takes_parameters_as_oceans_do() -> None:
    sampler, cqm = QCGDSampler(), assignment()
    assert {"seed", "time_limit", "iterations", "reads", "sweeps", "oracle"} <= set(
        sampler.parameters
    )
    assert "INTEGER" in sampler.properties["vartypes"]
    one = sampler.sample_cqm(cqm, seed=3, iterations=3, reads=2, sweeps=10)
    two = QCGD(oracle=Annealer(reads=2, sweeps=10), seed=3, iterations=3).sample_cqm(cqm)
    assert (one.record == two.record).all()
    assert one.info["oracle_reads"] == 2 * one.info["oracle_calls"]


def test_the_samplers_own_annealer_keeps_what_is_not_given() -> None:
    own = QCGDSampler(QCGD(oracle=Annealer(reads=3, sweeps=30, threads=1), iterations=2))
    annealer = own._with({"sweeps": 7}).oracle
    assert isinstance(annealer, Annealer)
    assert (annealer.reads, annealer.sweeps, annealer.threads) == (3, 7, 1)
    info = own.sample_cqm(assignment(), reads=2).info
    assert info["oracle_reads"] == 2 * info["oracle_calls"]


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="unknown parameter of QCGDSampler 'num_read'"):
        QCGDSampler().sample_cqm(assignment(), num_read=10)
    with pytest.raises(InvalidInputError, match="the same"):
        QCGDSampler().sample_cqm(assignment(), num_reads=10, reads=10)
    with pytest.raises(InvalidInputError, match="reads: expected with the annealer only"):
        QCGDSampler(QCGD(oracle=ExactOracle())).sample_cqm(assignment(), reads=10)


@pytest.mark.parametrize("label", [str, lambda name: name], ids=["text", "tuples"])
@pytest.mark.parametrize(
    "sampler",
    [
        QCGD(ExactOracle(), iterations=3),
        QCGDSampler(),
        PenaltyMethod(iterations=2),
        QCGD(iterations=1),
    ],
    ids=["exact", "sampler", "fixed weights", "annealer"],
)
def test_what_an_answer_says_survives_serialisation(sampler: Any, label: Any) -> None:
    """dimod's own and JSON; dimod itself makes lists of labels that are tuples."""
    cqm, twice = assignment(), assignment(infeasible=True)
    decided = dimod.ConstrainedQuadraticModel()
    decided.add_constraint(dimod.Binary("x") == 1, label=("row", 1))
    for model in (cqm, twice, decided):
        if label is str:
            model.relabel_variables({v: str(v) for v in model.variables})
            model.relabel_constraints({v: str(v) for v in model.constraints})
        samples = sampler.sample_cqm(model)
        plain = dimod.SampleSet.from_serializable(samples.to_serializable())
        text = json.loads(json.dumps(samples.to_serializable()))
        for back in (plain, dimod.SampleSet.from_serializable(text)):
            assert _types({**back.info, "constraint_labels": 0}) == _types(
                {**samples.info, "constraint_labels": 0}
            )
            assert (back.info == samples.info) >= (label is str)
            assert (back.record.sample == samples.record.sample).all()


def _types(value: Any) -> Any:
    """A value with the types of all its parts."""
    if isinstance(value, dict):
        return {key: _types(part) for key, part in value.items()}
    return [_types(part) for part in value] if isinstance(value, list) else (type(value), value)
