"""A model's own slack words become inequalities: the same points at the same cost."""

import numpy as np
import pytest

from formulations.model.qcbo import QCBO
from formulations.passes import OwnSlack
from tests.strategies import every_point


def with_a_word(number: int) -> QCBO:
    """Some coupled bits, and an equality of theirs with a word, its bits anywhere in the model."""
    rng = np.random.default_rng(number)
    k, bits, unit = int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(1, 4))
    word = 2.0 ** np.arange(bits)
    word[-1] = rng.integers(2, word[-1] + 1)
    word *= unit * np.where(rng.random(bits) < 0.25, -1, 1)
    n = k + bits + 1
    rows, cost = np.zeros((2, n)), rng.integers(-5, 6, n).astype(float)
    rows[0, :k], rows[0, k:-1] = unit * rng.integers(-3, 4, k), word
    rows[1, :k], rows[1, -1] = rng.integers(-2, 3, k), 1.0
    cost[k:-1] = rng.integers(-2, 3) * word
    couplers = np.triu(rng.integers(-3, 4, (n, n)), 1).astype(float)
    couplers[k:-1] = couplers[:, k:-1] = 0.0
    couplers[0, 1] = 1.0
    order = rng.permutation(n)
    both = (couplers + couplers.T)[np.ix_(order, order)]
    rhs = rows @ rng.integers(0, 2, n) + [unit * (number % 3 == 0), 0]
    return QCBO.from_arrays(
        cost[order], rows[:, order], rhs, quadratic=np.triu(both),
        equality=[True, number % 2 == 0], offset=2.0,
    )  # fmt: skip


@pytest.mark.parametrize("number", range(60))
def test_points_and_costs_are_the_same_without_the_word(number: int) -> None:
    model = with_a_word(number)
    smaller, inverse = OwnSlack().apply(model)
    assert smaller.num_variables < model.num_variables
    x, y = every_point(model.num_variables), every_point(smaller.num_variables)
    x, y = x[model.is_feasible(x)], y[smaller.is_feasible(y)]
    back = inverse.invert(y)
    assert model.is_feasible(back).all()
    assert model.objective(back) == pytest.approx(smaller.objective(y))
    assert smaller.is_feasible(inverse.lift(x)).all()
    assert smaller.objective(inverse.lift(x)) == pytest.approx(model.objective(x))
    assert (inverse.lift(back) == y).all()
    assert len(x) == 0 or len(y) > 0


def test_a_word_with_a_price_stays_where_nothing_is_coupled() -> None:
    """Its least value leaves an equality, which a search by halves solves exactly."""
    row, rhs = [[3, 5, 6, 1, 2]], [9]
    kept, _ = OwnSlack().apply(QCBO.from_arrays([4, 1, 1, 1, 2], row, rhs))
    gone, _ = OwnSlack().apply(QCBO.from_arrays([4, 1, 1, 0, 0], row, rhs))
    assert (kept.num_variables, gone.num_variables) == (5, 3)
