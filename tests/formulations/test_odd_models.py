"""Odd, extreme and wrong models: an answer, or a refusal by name; never another exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO
from formulations.cqm.presolved import Presolved
from formulations.errors import InvalidInputError, QnnError
from solvers import QCGD, QCGDSampler
from solvers.oracles import Annealer

X, Y, Z = dimod.Binaries("xyz")
NAN, INF = float("nan"), float("inf")
ODD: list[Any] = [
    None, True, 5, -1, 0.5, NAN, INF, 1j, 10**400, "abc", "", b"x", [], [None], ["a"], [NAN], [[1]],
    [[1], [1, 2]], {}, {"a": 1}, {1, 2}, object(), np.zeros((2, 2)), np.array([object()]), int,
]  # fmt: skip

Build = Callable[[dimod.ConstrainedQuadraticModel], Any]


def _several(*steps: Build) -> Build:
    return lambda cqm: [step(cqm) for step in steps]


ANSWERED: dict[str, Build] = {
    "nothing": lambda c: None,
    "no constraints": lambda c: c.set_objective(X - Y),
    "no objective": lambda c: c.add_constraint(X + Y <= 1),
    "a constant row": lambda c: c.add_constraint_from_iterable([(3.0,)], "<=", rhs=5),
    "a constant row that never holds": lambda c: c.add_constraint_from_iterable([(7.0,)], "<=", 5),
    "zeros": lambda c: c.add_constraint(0 * X + 0 * Y <= 1),
    "large objective": lambda c: c.set_objective(1e99 * X + 1e99 * Y - 1e99 * Z),
    "huge row": lambda c: c.add_constraint(1e308 * X + 1e308 * Y <= 1e308),
    "tiny objective": lambda c: c.set_objective(1e-308 * X - 1e-320 * Y),
    "tiny row": lambda c: c.add_constraint(1e-308 * X + 1e-320 * Y <= 0),
    "far": lambda c: c.add_variable("INTEGER", "i", lower_bound=2**52, upper_bound=2**52 + 5),
    "fixed integer": lambda c: c.add_variable("INTEGER", "i", lower_bound=3, upper_bound=3),
    "spins": _several(
        lambda c: c.set_objective(dimod.Spin("s") * X), lambda c: c.add_constraint(X + Y == 1)
    ),
    "infinite weight": lambda c: c.add_constraint(X + Y >= 1, weight=INF),
    "large weight": lambda c: c.add_constraint(X + Y >= 1, weight=1e99, penalty="quadratic"),
    "one of one": lambda c: c.add_discrete(["a"]),
    "a label like a product": _several(
        lambda c: c.add_variable("BINARY", "x * y"), lambda c: c.add_constraint(X * Y + Z <= 1)
    ),
    "labels of all kinds": _several(
        lambda c: c.add_variables("BINARY", [0, "0", (1, "a"), 2.5, frozenset([1])]),
        lambda c: c.add_constraint_from_iterable([(0, 1), ((1, "a"), 1)], "<=", 1, label=(None, 2)),
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[Build, str]] = {
    "the objective has numbers": (lambda c: c.set_objective(NAN * X * Y), "not finite"),
    "huge objective": (lambda c: c.set_objective(1e308 * X - Y), "beyond 1e"),
    "huge weight": (
        lambda c: c.add_constraint(X == 1, label="r", weight=1e300),
        "'r' has weight 1e",
    ),
    "infinite constant": (lambda c: c.set_objective(X + INF), "the objective has numbers"),
    "constraint 'r'": (lambda c: c.add_constraint(NAN * X <= 1, label="r"), "'r' has numbers"),
    "right side": (lambda c: c.add_constraint(X <= INF, label="r"), "'r' has numbers"),
    "weight": (lambda c: c.add_constraint(X + Y == 1, label="r", weight=NAN), "'r' has weight nan"),
    "integer": (lambda c: c.add_variable("INTEGER", "i"), "'i' ranges from 0 to"),
    "real": (lambda c: c.add_variable("REAL", "r"), "variable 'r' is real"),
}


def _cqm(build: Build) -> dimod.ConstrainedQuadraticModel:
    cqm = dimod.ConstrainedQuadraticModel()
    build(cqm)
    return cqm


@pytest.mark.parametrize("name", ANSWERED)
def test_odd_models_are_answered(name: str) -> None:
    cqm = _cqm(ANSWERED[name])
    samples = QCGD(Annealer(reads=2, sweeps=5), iterations=2).sample_cqm(cqm)
    assert samples.info["status"] in {"optimal", "finished", "infeasible"}
    assert (samples.info["status"] == "infeasible") == ("never" in name)
    assert samples.info["infeasibility"] == ("model" if "never" in name else None)


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_be_held_are_refused_by_name(name: str) -> None:
    build, message = REFUSED[name]
    for take in (QCBO.from_cqm, Presolved.of, QCGD(iterations=1).sample_cqm):
        with pytest.raises(InvalidInputError, match=message):
            take(_cqm(build))


@pytest.mark.parametrize("odd", [o for o in ODD if not isinstance(o, bool)])
def test_what_is_no_model_is_refused(odd: object) -> None:
    for take in (QCBO.from_cqm, Presolved.of, QCGD(iterations=1).sample_cqm):
        with pytest.raises(InvalidInputError, match="expected a dimod.ConstrainedQuadraticModel"):
            take(odd)
    if odd is not None:
        with pytest.raises(InvalidInputError, match="expected a QCGD"):
            QCGDSampler(odd)  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="presolve"):
            Presolved.of(_cqm(ANSWERED["nothing"]), presolve=odd)  # type: ignore[arg-type]


MODEL = QCBO.from_arrays(
    [1, 2, 3], [[1, 1, 1], [1, 2, 0]], [1, 2], equality=[True, False], products=[[2, 0, 1]]
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(odd=st.sampled_from(ODD), more=st.sampled_from(ODD))
def test_arguments_of_a_model_are_taken_or_refused(odd: object, more: object) -> None:
    calls: list[Callable[[], object]] = [
        lambda: MODEL.to_bqm(penalty=odd),  # type: ignore[arg-type]
        lambda: MODEL.to_bqm(penalty={"rows": odd, "products": more}),  # type: ignore[dict-item]
        lambda: MODEL.violations(odd),  # type: ignore[arg-type]
        lambda: MODEL.violations([0, 1, 0], odd),  # type: ignore[arg-type]
        lambda: MODEL.is_feasible([0, 1, 0], odd),  # type: ignore[arg-type]
        lambda: MODEL.objective([0, odd, 1]),  # type: ignore[arg-type]
        lambda: MODEL.row_residuals({"x[0]": odd, "x[1]": 0, "x[2]": more}),  # type: ignore[dict-item]
        lambda: QCBO.from_arrays(odd),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1], odd, more),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1], [[1]], [1], equality=odd),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1, 2], quadratic=odd, offset=more),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1, 2], products=odd),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1, 2], labels=odd),  # type: ignore[arg-type]
        lambda: QCBO.from_arrays([1], [[1]], [1], row_labels=odd),  # type: ignore[arg-type]
    ]
    for call in calls:
        try:
            call()
        except QnnError as refusal:
            assert len(str(refusal)) > 10  # noqa: PT017


def test_one_sample_is_not_several() -> None:
    with pytest.raises(InvalidInputError, match="expected one sample"):
        MODEL.violations([[0, 1, 0]])


def test_residuals_that_doubles_round_are_exact() -> None:
    model = QCBO.from_arrays([0, 0, 0], [[1e18, 1, -1e18]], [0], equality=[False])
    assert model.row_residuals([[1, 1, 1], [1, 0, 1]]).tolist() == [[1.0], [0.0]]
    assert model.is_feasible([[1, 1, 1], [1, 0, 1]]).tolist() == [False, True]
    assert model.violations([1, 1, 1]) == {"rows[0]": 1.0}


@pytest.mark.parametrize("penalty", [1e308, 1e-320, 5.0])
def test_penalties_make_finite_biases_or_are_refused(penalty: float) -> None:
    try:
        bqm = MODEL.to_bqm(penalty)
    except InvalidInputError:
        assert penalty == 1e308
        return
    assert np.isfinite([*bqm.linear.values(), *bqm.quadratic.values(), bqm.offset]).all()
