"""Random small CQMs with rows and variables of all kinds, and their optima by enumeration."""

from __future__ import annotations

import math

import dimod
from hypothesis import strategies as st

SENSES = ("==", "<=", ">=")
SMALL = st.integers(-4, 4)
STEPS = st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.25, 0.1, 0.05, 1 / 3])
ODD = st.floats(-4, 4, allow_subnormal=False).filter(lambda a: a == 0 or abs(a) > 1e-3)
"""Coefficients without a common step."""


@st.composite
def cqms(
    draw: st.DrawFn,
    *,
    min_variables: int = 1,
    max_variables: int = 4,
    min_rows: int = 0,
    max_rows: int = 3,
) -> object:
    """Draw CQMs of bits, spins and integers: linear, quadratic and soft rows, one-hots, fractions.

    Most are feasible by construction: their right-hand sides follow from a drawn point.
    """
    cqm = dimod.ConstrainedQuadraticModel()
    names: list[object] = []
    for number in range(draw(st.integers(min_variables, max_variables))):
        kind = draw(st.sampled_from(["BINARY", "BINARY", "SPIN", "INTEGER"]))
        name = draw(st.sampled_from([f"{kind[0].lower()}{number}", (kind, number)]))
        if kind == "INTEGER":
            low = draw(st.integers(-3, 2))
            high = low + draw(st.integers(0, 5))
            cqm.add_variable(kind, name, lower_bound=low, upper_bound=high)
        else:
            cqm.add_variable(kind, name)
        names.append(name)
    if draw(st.booleans()):
        group = [f"one{k}" for k in range(draw(st.integers(2, 3)))]
        cqm.add_discrete(group, label="one of them")
        names += group
    point = {v: _value(draw, cqm, v) for v in names}
    if group := [v for v in names if isinstance(v, str) and v.startswith("one")]:
        chosen = draw(st.sampled_from(group))
        point |= {v: int(v == chosen) for v in group}
    cqm.set_objective(_expression(draw, cqm, names, quadratic=draw(st.booleans())))
    for number in range(draw(st.integers(min_rows, max_rows))):
        _add_row(draw, cqm, names, point, number)
    return cqm


def _value(draw: st.DrawFn, cqm: dimod.ConstrainedQuadraticModel, v: object) -> int:
    low, high = math.ceil(cqm.lower_bound(v)), math.floor(cqm.upper_bound(v))
    if cqm.vartype(v) is dimod.SPIN:
        return draw(st.sampled_from([-1, 1]))
    return draw(st.integers(low, high))


def _expression(
    draw: st.DrawFn, cqm: dimod.ConstrainedQuadraticModel, names: list[object], quadratic: bool
) -> dimod.QuadraticModel:
    """Draw a polynomial of degree one or two with coefficients on a step or, rarely, off it."""
    step = draw(STEPS)
    odd = draw(st.integers(0, 9)) == 0
    coefficients = ODD if odd else SMALL.map(lambda k: k * step)
    model = dimod.QuadraticModel()
    for v in names:
        model.add_variable(
            cqm.vartype(v),
            v,
            **(
                {"lower_bound": cqm.lower_bound(v), "upper_bound": cqm.upper_bound(v)}
                if cqm.vartype(v) is dimod.INTEGER
                else {}
            ),
        )
        model.set_linear(v, draw(coefficients))
    if quadratic:
        for _ in range(draw(st.integers(1, 3))):
            u, v = draw(st.sampled_from(names)), draw(st.sampled_from(names))
            if u != v or cqm.vartype(u) is dimod.INTEGER:
                model.add_quadratic(u, v, draw(coefficients))
    model.offset = draw(SMALL) * step
    return model


def _add_row(
    draw: st.DrawFn,
    cqm: dimod.ConstrainedQuadraticModel,
    names: list[object],
    point: dict[object, int],
    number: int,
) -> None:
    binary = [v for v in names if cqm.vartype(v) is dimod.BINARY]
    label = draw(st.sampled_from([f"row{number}", ("row", number), f"row[{number}]"]))
    if len(binary) >= 3 and draw(st.integers(0, 5)) == 0:
        u, v, w = (dimod.Binary(name) for name in draw(st.permutations(binary))[:3])
        cqm.add_constraint(u - v * w == 0, label=label)
        return
    used = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    row = _expression(draw, cqm, used, quadratic=draw(st.integers(0, 2)) == 0)
    sense = draw(st.sampled_from(SENSES))
    rhs = float(row.energy({v: point[v] for v in used}))
    gap = draw(st.integers(0, 3)) * draw(STEPS)
    rhs += {"==": 0.0, "<=": gap, ">=": -gap}[sense]
    if draw(st.integers(0, 9)) == 0:  # possibly off the lattice, or out of reach
        rhs += draw(st.sampled_from([-1.0, 0.3, 1e-7, 20.0]))
    if draw(st.integers(0, 3)) == 0:
        bits = all(cqm.vartype(v) is dimod.BINARY for v in used)
        penalty = draw(st.sampled_from(["linear", "quadratic"] if bits else ["linear"]))
        weight = draw(st.sampled_from([0.5, 1.0, 3.0]))
        cqm.add_constraint_from_model(row, sense, rhs, label, weight=weight, penalty=penalty)
    else:
        cqm.add_constraint_from_model(row, sense, rhs, label)


def optimum(cqm: dimod.ConstrainedQuadraticModel) -> float | None:
    """Return the lowest energy of the feasible samples by dimod's rules; None if there are none."""
    samples = dimod.ExactCQMSolver().sample_cqm(cqm)
    energies = samples.record.energy[samples.record.is_feasible]
    return float(energies.min()) if len(energies) else None


def verdict(
    cqm: dimod.ConstrainedQuadraticModel, samples: dimod.SampleSet, least: float | None
) -> str:
    """Judge an answer, given the optimum: ``right``, ``missed`` or ``FALSE``."""
    status, bound = samples.info["status"], samples.info["lower_bound"]
    judged = [
        bool(dimod.SampleSet.from_samples_cqm(datum.sample, cqm).record.is_feasible[0])
        for datum in samples.data(["sample"])
    ]
    if judged != samples.record.is_feasible.tolist():
        return "FALSE: an infeasible sample is marked feasible"
    if least is None:
        if status == "infeasible":
            return "right: infeasible, proven"
        blame = samples.info["infeasibility"]
        return "missed: infeasible, not proven" if blame == "search" else "FALSE: no blame"
    scale = 1e-6 * (1 + abs(least))
    if status == "infeasible" or (bound is not None and bound > least + scale):
        return "FALSE: a proof of what is not so"
    if not any(judged):
        return "missed: no feasible sample"
    if samples.first.energy <= least + scale:
        return f"right: optimum, {'proven' if status == 'optimal' else 'not proven'}"
    return "FALSE: optimal" if status == "optimal" else "missed: a worse feasible sample"
