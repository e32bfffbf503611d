"""Paired tests: against scipy, and by simulation of solvers that are all alike."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata, wilcoxon

from qnn.compare.paired import paired, signed_rank, smallest_p


def named(losses: np.ndarray, accuracies: np.ndarray | None = None) -> dict:
    """Solvers a, b, ... from arrays of shape (seeds, solvers)."""
    found = {}
    for number, name in enumerate("abcdefgh"[: losses.shape[1]]):
        found[name] = {"train_loss": dict(enumerate(losses[:, number].tolist()))}
        if accuracies is not None:
            found[name]["test_accuracy"] = dict(enumerate(accuracies[:, number].tolist()))
    return found


@pytest.mark.parametrize(("seeds", "method"), [(3, "exact"), (60, "exact"), (400, "approx")])
def test_signed_rank_is_scipys(seeds: int, method: Any) -> None:
    differences = np.random.default_rng(seeds).normal(size=seeds)
    expected = wilcoxon(differences, method=method).pvalue
    assert signed_rank(differences) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seeds", range(1, 11))
def test_ties_and_zeros_are_exact_by_every_sign(seeds: int) -> None:
    differences = np.random.default_rng(seeds).integers(-3, 5, size=seeds)
    nonzero = differences[differences != 0]
    ranks = rankdata(np.abs(nonzero))
    seen = abs((np.sign(nonzero) * ranks).sum())
    sums = [np.dot(signs, ranks) for signs in product((-1, 1), repeat=len(ranks))]
    assert signed_rank(differences) == np.mean(np.abs(sums) >= seen)


def test_many_ties_are_exact_and_take_no_time() -> None:
    signs = np.repeat([-1.0, 1.0], [115, 185])  # all equally large: a sign test
    begun = time.process_time()
    assert signed_rank(signs) == pytest.approx(binomtest(115, 300).pvalue, rel=1e-9)
    assert time.process_time() - begun < 1.0


def test_two_solvers_need_no_adjustment() -> None:
    rng = np.random.default_rng(5)
    losses = rng.normal(size=(10, 2)) + np.array([0.0, 0.9])
    (pair,) = paired(named(losses))
    assert pair["p"] == wilcoxon(losses[:, 0], losses[:, 1]).pvalue
    assert pair["p_adjusted"] == pytest.approx(pair["p"], abs=0.02)


def test_what_a_pair_says() -> None:
    losses = np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 1.0], [1.0, 9.0]])
    accuracies = np.array([[0.9, 0.8], [0.8, 0.8], [0.7, 0.9], [0.9, 0.5]])
    loss, accuracy = paired(named(losses, accuracies))
    assert (loss["first"], loss["second"]) == ("a", "b")
    assert (loss["wins"], loss["ties"], loss["losses"]) == (2, 1, 1)
    assert loss["median_difference"] == -1.5
    assert (accuracy["wins"], accuracy["ties"], accuracy["losses"]) == (2, 1, 1)
    assert accuracy["median_difference"] == pytest.approx(0.05)


def test_of_equal_medians_the_least_mean_is_first() -> None:
    losses = np.array([[2.0, 2.0, 2.0], [4.0, 1.0, 3.0], [1.0, 2.0, 1.0]])
    assert paired(named(losses))[0]["first"] == "b"
    assert paired(named(losses[:, [0, 2, 2]]))[0]["first"] == "b"  # the first of two equals


def test_few_seeds_cannot_say_much() -> None:
    losses = np.array([[0.0, 10.0], [1.0, 12.0], [2.0, 15.0]])
    (pair,) = paired(named(losses))
    assert pair["p"] == pair["smallest_p"] == smallest_p(3) == 0.25
    (pair,) = paired(named(losses[:1]))
    assert pair["p"] == pair["smallest_p"] == 1.0


def test_equal_solvers_are_equal() -> None:
    (pair,) = paired(named(np.ones((5, 2))))
    assert (pair["p"], pair["p_adjusted"], pair["ties"]) == (1.0, 1.0, 5)


def test_seeds_that_are_missing() -> None:
    given = named(np.arange(30.0).reshape(10, 3))
    del given["b"]["train_loss"][4]
    given["c"]["train_loss"] = {0: 2.0}
    first, second = paired(given)
    assert (first["second"], first["seeds"], second["seeds"]) == ("b", 9, 1)
    assert second["p_adjusted"] is None  # one seed of ten
    assert paired({}) == paired({"a": {"train_loss": {}}}) == []


@pytest.mark.parametrize("solvers", [2, 8])
def test_solvers_that_are_alike_are_rarely_told_apart(solvers: int) -> None:
    """Of 100 comparisons of equals, each with its best chosen, some 5 % at most find a winner."""
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        losses = rng.normal(size=(10, 1)) + rng.normal(size=(10, solvers))
        found += any(pair["p_adjusted"] <= 0.05 for pair in paired(named(losses)))
    assert found <= 10  # 5 expected at most; more than 10 in 1 % of all simulations


def test_ten_seeds_and_eight_solvers_are_enough_for_a_clear_winner() -> None:
    rng = np.random.default_rng(4)
    losses = rng.normal(size=(10, 8)) + 6.0 * (np.arange(8) > 0)
    assert all(pair["p_adjusted"] < 0.05 for pair in paired(named(losses)))
