"""The sentences follow from the figures, and claim no more than they."""

from __future__ import annotations

from typing import Any

import pytest

from qnn.report import conclusions as words
from tests.qnn.report.results import comparison, large, of_cells, outcome, pairs_of, reference


def said(results: dict[str, Any]) -> tuple[str, str]:
    found: tuple[list[str], list[str]] = words.of_comparison(results)
    return " ".join(found[0]), " ".join(found[1])


def with_pairs(*pairs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A comparison of three solvers with these tests."""
    results = comparison({"qcgd": [5.0], "random": [6.0], "hedging": [7.0]}, **more)
    return {**results, "summary": [{**results["summary"][0], "pairs": list(pairs)}]}


def test_a_clear_winner_is_named_with_its_p_value() -> None:
    results = with_pairs(
        *pairs_of("qcgd", random=0.004, hedging=0.03),
        *pairs_of("qcgd", "test_accuracy", random=0.02, hedging=-0.01),
    )
    can, cannot = said(results)
    assert can == (
        "qcgd has a lower training loss than random and hedging (adjusted p at most 0.03); a "
        "higher test accuracy than random (adjusted p 0.02); a lower test accuracy than hedging "
        "(adjusted p 0.01)."
    )
    assert "differs" not in cannot


def test_what_is_not_significant_is_no_win_and_no_proof_of_equality() -> None:
    can, cannot = said(with_pairs(*pairs_of("qcgd", random=0.02, hedging=0.05)))
    assert can == "qcgd has a lower training loss than random (adjusted p 0.02)."
    assert "Whether qcgd differs in training loss from hedging: what was measured" in cannot
    assert "does not show that they are equal" in cannot


def test_a_tie_is_nothing() -> None:
    can, cannot = said(comparison({"qcgd": [5.0] * 10, "random": [5.0] * 10}))
    assert can == "Nothing about which solver is better: the figures do not tell them apart."
    assert "differs in training loss or test accuracy from random: what was measured" in cannot


def test_solvers_whose_losses_are_equal_are_named_together() -> None:
    equal = {"exact": [3.0, 5.0, 9.0], "qcgd": [9.0, 3.0, 5.0], "random": [5.0, 3.0, 9.5]}
    assert "Which of exact and qcgd is better: their" in said(comparison(equal))[1]
    ahead = {**equal, "qcgd": [8.0, 3.0, 5.0]}  # the same median, a lower mean
    cannot = said(comparison(ahead))[1]
    assert "Whether qcgd differs" in cannot
    assert "Which of" not in cannot


def with_reference(accuracies: list[float], solver: float, data: str = "iris") -> list[Any]:
    cells: list[Any] = [
        outcome(data, name, seed, 5.0 + number, test_accuracy=solver - number / 100 + seed / 1000)
        for number, name in enumerate(("qcgd", "random"))
        for seed in range(len(accuracies))
    ]
    cells += [
        {**reference(data, seed), "test_accuracy": accuracy + seed / 1000}
        for seed, accuracy in enumerate(accuracies)
    ]
    return cells


def test_a_reference_that_is_the_best_of_all_is_named_first() -> None:
    can, cannot = said(of_cells(with_reference([0.95] * 10, 0.9)))
    assert can.startswith(
        "logistic-regression, with real weights, has the highest median test accuracy of all: "
        "0.954, against 0.905 of qcgd, the best solver; its accuracy is higher than that of qcgd "
        "and random (adjusted p at most 0.00"
    )
    assert "more accurate than" not in cannot


def test_a_reference_that_leads_by_chance_is_named_and_its_lead_left_open() -> None:
    can, cannot = said(of_cells(with_reference([0.95] * 3, 0.9)))
    assert can.startswith("logistic-regression, with real weights, has the highest median test")
    assert "adjusted p" not in can.split(".  ")[0].split("the best solver")[1][:20]
    assert "Whether logistic-regression is more accurate than qcgd and random: there are" in cannot


def test_a_reference_that_is_not_the_best_is_not_named() -> None:
    for best in (0.95, 0.9):  # a solver is better, or as good
        can, _ = said(of_cells(with_reference([0.9] * 10, best)))
        assert "logistic" not in can


def test_of_several_data_sets_each_says_where_a_reference_is_the_best() -> None:
    cells = with_reference([0.95] * 8, 0.9) + with_reference([0.8] * 8, 0.9, "wine")
    assert said(of_cells(cells))[0].startswith("On iris, logistic-regression, with real weights")
    many = [cell for n in range(5) for cell in with_reference([0.88 + n / 100] * 2, 0.9, f"d{n}")]
    assert said(of_cells(many))[0].startswith(
        "logistic-regression, with real weights, has the highest median test accuracy of all on "
        "2 of 5 data sets."
    )


def test_three_seeds_are_no_evidence_however_large_the_difference() -> None:
    can, cannot = said(comparison({"qcgd": [1.0, 2.0, 4.0], "random": [90.0, 80.0, 85.0]}))
    assert "lower" not in can
    assert "too few seeds, for the least p that 3 of them can give is 0.25" in cannot
    assert "medians alone are no evidence" in cannot


def test_many_solvers_can_make_seeds_too_few() -> None:
    clear = [
        {**pair, "wins": 10, "losses": 0} for pair in pairs_of("qcgd", random=0.2, hedging=0.3)
    ]
    can, cannot = said(with_pairs(*clear))
    assert "lower" not in can
    assert "not even a lead on all 10 of them is significant among so many solvers" in cannot


def test_a_pair_without_a_test_is_left_open() -> None:
    can, cannot = said(with_pairs(*pairs_of("qcgd", random=None)))
    assert "random" not in can
    assert "from random: there are too few seeds that both have" in cannot


def test_what_a_failed_solver_might_have_done_is_left_open() -> None:
    losses = {"qcgd": [5.0] * 10, "random": [None, None, *[9.0] * 8]}
    _, cannot = said(comparison(losses))
    assert "How good random is in full: 2 of 10 runs failed (the oracle is not there)" in cannot
    can, cannot = said(comparison({"qcgd": [5.0] * 10, "random": [None] * 10}))
    assert "10 of 10 runs failed (the oracle is not there); it is in no test" in cannot
    assert "random" not in can


def test_only_what_is_proven_is_called_least() -> None:
    cells = [outcome("iris", "exact", s, 4.0, status="optimal", lower_bound=4.0) for s in range(3)]
    cells += [outcome("iris", "qcgd", s, 4.0 + s) for s in range(3)]
    can, cannot = said(of_cells(cells))
    assert "known in 3 of 3 draws of data: exact proved it" in can
    assert "proven least: exact 3 of 3, qcgd 1 of 3." in can
    can, _ = said(of_cells([*cells, outcome("iris", "random", 0, 5.0)]))
    assert "qcgd 1 of 3; none of random." in can
    assert "no solver proved a bound" not in cannot
    _, cannot = said(comparison({"qcgd": [4.0] * 3, "random": [5.0] * 3}))
    assert "How far any loss is from the least possible: no solver proved a bound." in cannot


def test_runs_that_ended_early_are_counted() -> None:
    cells = [outcome("iris", "qcgd", s, 4.0, status="time limit") for s in range(2)]
    cells += [outcome("iris", "random", s, 5.0) for s in range(2)]
    assert "ended early (time limit): qcgd 2 of 2." in said(of_cells(cells))[1]
    limited = of_cells(cells, equal="seconds", options={"time_limit": 5.0})
    assert "ended early" not in said(limited)[1]
    assert "every solver had 5 seconds" in said(limited)[1]


def test_hindsight_of_the_penalty_weight_is_told() -> None:
    losses = {"qcgd": [5.0] * 3, "penalty 0.3": [6.0] * 3, "penalty 1": [7.0] * 3}
    assert (
        "How good penalty, best of 2 is in use: its weight is chosen afterwards"
        in said(comparison(losses))[1]
    )
    assert "hindsight" not in said(comparison({"qcgd": [5.0], "penalty 1": [6.0]}))[1]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(1, None), (4, "4 runs at a time"), (8, "8 runs shared 4 cores")],
)
def test_seconds_of_a_busy_machine(workers: int, expected: str | None) -> None:
    cannot = said(comparison({"qcgd": [5.0], "random": [6.0]}, workers=workers))[1]
    if expected is None:
        assert "seconds:" not in cannot
        assert "shared" not in cannot
    else:
        assert expected in cannot


def test_solvers_without_an_oracle_had_no_part_in_its_budget() -> None:
    _, cannot = said(comparison({"qcgd": [5.0], "annealing": [6.0]}))
    assert "annealing asks no oracle and had a budget of its own" in cannot


def test_an_interrupted_comparison_says_so() -> None:
    results = comparison({"qcgd": [5.0], "random": [6.0]}, interrupted=True, planned=40)
    assert "interrupted with 2 of 40 runs done" in said(results)[1]


def test_one_seed_is_one_draw_and_has_no_p_value() -> None:
    cannot = said(comparison({"qcgd": [5.0], "random": [6.0]}))[1]
    assert "or other draws: the one seed is one draw of a training part." in cannot
    assert "p values" not in cannot


def test_data_sets_of_which_the_same_is_said_share_a_sentence() -> None:
    clear = {"qcgd": [1.0, 2.0, 4.0], "random": [90.0, 80.0, 85.0]}
    other = {"qcgd": [90.0, 80.0, 85.0], "random": [1.0, 2.0, 4.0]}
    cannot = words.of_comparison(comparison({"iris": clear, "wine": clear, "digits": other}))[1]
    few = [sentence for sentence in cannot if "too few seeds" in sentence]
    assert len(few) == 1
    assert few[0].startswith(
        "On iris and wine, whether qcgd differs in training loss or test accuracy from random; on "
        "digits, whether random differs in training loss or test accuracy from qcgd: there are too"
    )
    results = with_pairs(*pairs_of("qcgd", random=0.01))
    parts = [{**results["summary"][0], "data": name} for name in ("iris", "wine")]
    can, _ = said({**results, "summary": parts})
    assert can == "On iris and wine, qcgd has a lower training loss than random (adjusted p 0.01)."


def test_many_data_sets_are_counted_not_listed() -> None:
    can, cannot = said(large(data_sets=12, seeds=3))
    assert len(can) + len(cannot) < 3000
    assert "On all 12 data sets together, qcgd has a lower training loss than" in can
    assert "with so few seeds no result could be significant there" in cannot
    assert "its p values are too small" in cannot
    can, cannot = said(large(data_sets=4, seeds=3))
    assert "lower" not in can
    assert "too few data sets, for the least p that 4 of them can give is 0.12" in cannot


def test_a_win_on_many_data_sets_by_their_own_tests_is_counted() -> None:
    parts = large(data_sets=4, seeds=1)
    pairs = pairs_of("qcgd", random=0.01, hedging=0.2)
    rows = parts["summary"][0]["rows"]
    assert rows[0]["name"] == "qcgd"
    parts["summary"] = [{**part, "rows": rows, "pairs": pairs} for part in parts["summary"]]
    can, cannot = said(parts)
    assert "qcgd has the least median training loss on 4 of 4 data sets. Against another" in can
    assert "a significantly lower training loss in 4 of 8 pairs" in can
    assert "on a data set by itself in 4 of 8 pairs" in cannot

    equal = [{**rows[0], "name": "luck"}, *rows]
    parts["summary"][0] = {**parts["summary"][0], "rows": equal, "pairs": []}
    can, _ = said(parts)
    assert "on 4 of 4 data sets, on 1 of them equal with luck. Against another solver on 3" in can


def test_a_training_run_claims_nothing_over_seeds() -> None:
    run = {"status": "finished", "train_loss": 7.0, "test_accuracy": 0.6, "test_samples": 100}
    found = words.of_training(run)
    assert any("60.0% are classified correctly (about ± 9.6 points" in s for s in found[0])
    assert any("no bound is proven" in s for s in found[1])
    assert any("this is one run" in s for s in found[1])
    untested = words.of_training({**run, "test_accuracy": None})
    assert [s.partition(":")[0] for s in untested[0]] == ["Nothing"]
    proven = words.of_training({**run, "status": "optimal", "lower_bound": 7.0})
    assert any("proven to be the least" in s for s in proven[0])
    bounded = words.of_training({**run, "status": "time limit", "lower_bound": 5.0})
    assert any("below 5: proven" in s for s in bounded[0])
    assert any("between 5 and the 7" in s for s in bounded[1])
    assert any("it ended early, time limit" in s for s in bounded[1])
