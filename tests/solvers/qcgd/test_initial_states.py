"""Points that QCGD begins with, and what becomes of them."""

from __future__ import annotations

from typing import Any

import dimod
import numpy as np
import pytest

from formulations.errors import InvalidInputError
from solvers import QCGD
from solvers.oracles import QUBO, Annealer, Samples


class Useless:
    """An oracle that answers all ones, and cannot be started."""

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        x = np.ones((1, qubo.num_variables), dtype=np.int8)
        return Samples(x, qubo.energies(x), 0.0)


def tight(n: int = 30) -> dimod.ConstrainedQuadraticModel:
    """The best point is the one that a search of one call hardly meets."""
    rng = np.random.default_rng(3)
    weight = rng.integers(1_000, 100_000, n)
    x, i = [dimod.Binary(f"x{k}") for k in range(n)], dimod.Integer("i", upper_bound=9)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(dimod.quicksum((k % 3) * x[k] for k in range(n)) + i)
    chosen = rng.integers(0, 2, n)
    total = dimod.quicksum(int(w) * v for w, v in zip(weight, x, strict=True)) + 500 * i
    cqm.add_constraint(total == int(weight @ chosen) + 1000, label="sum")
    return cqm


def start_of(n: int = 30) -> dict[str, int]:
    rng = np.random.default_rng(3)
    rng.integers(1_000, 100_000, n)
    return {**{f"x{k}": int(v) for k, v in enumerate(rng.integers(0, 2, n))}, "i": 2}


@pytest.mark.parametrize("oracle", [None, Useless(), Annealer(reads=1, sweeps=1)])
def test_the_answer_is_no_worse_than_the_start(oracle: Any) -> None:
    cqm, start = tight(), start_of()
    assert cqm.check_feasible(start)
    found = QCGD(oracle=oracle, iterations=1, seed=1).sample_cqm(cqm, initial_states=start)
    assert found.first.is_feasible
    assert found.first.energy <= cqm.objective.energy(start)


def test_starts_may_be_infeasible_several_and_beyond_their_bounds() -> None:
    cqm = tight()
    states = [start_of(), {**start_of(), "i": 99}, dict.fromkeys(start_of(), 1)]
    found = QCGD(iterations=1, seed=1).sample_cqm(cqm, initial_states=states)
    assert found.first.is_feasible


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"x0": 1}, "no value of 'x1': give every variable one"),
        ({**start_of(), "i": float("nan")}, "not finite"),
        (object(), "expected samples as dimod has them"),
    ],
)
def test_what_is_no_start_is_refused(states: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        QCGD(iterations=1).sample_cqm(tight(), initial_states=states)
