from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import numpy as np
import pytest

from qnn.reproduce import REPRODUCTIONS, ReproduceOptions, low_bits
from qnn.reproduce.show import markdown
from solvers import MonotoneVI, StraightThrough

svi = import_module("qnn.reproduce.svi")  # its function has the same name

SEEDS = ReproduceOptions().seeds(6)


def test_published_entries_lie_within_the_spread_of_three_seeds() -> None:
    for name, width in (("SVI small", 64), ("SVI small", 128), ("SGD, first layer frozen", 128)):
        rule, published, _ = svi.MOONS[name]
        errors = [svi._moons_error(rule, width, seed) for seed in SEEDS]
        deviation = np.std(errors, ddof=1) * np.sqrt(1 / 3 + 1 / len(SEEDS))
        assert abs(np.mean(errors) - published[width]) <= 0.2 + 2 * deviation


def test_an_unfrozen_first_layer_is_better_than_all_in_the_table() -> None:
    methods = ("SGD", "SVI small", "SGD, first layer frozen")
    errors = {
        name: np.mean([svi._moons_error(svi.MOONS[name][0], 32, seed) for seed in SEEDS[:3]])
        for name in methods
    }
    assert errors["SGD"] < 0.5 * min(errors["SVI small"], errors["SGD, first layer frozen"])


def test_a_seed_draws_everything() -> None:
    rule = MonotoneVI("small", epochs=2)
    first, again = (svi._moons_error(rule, 8, SEEDS[0]) for _ in range(2))
    assert first == again


def test_probit_errors_fall() -> None:
    few, many = (np.mean([svi._probit_error(n, s) for s in SEEDS[:3]]) for n in (100, 1000))
    assert many < few / 4


def test_the_modulus_is_that_of_the_normal_density() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400_000, 2))
    density = np.exp(-0.5 * x[:, 0] ** 2) / np.sqrt(2 * np.pi)
    assert np.linalg.eigvalsh((x * density[:, None]).T @ x / len(x))[0] == pytest.approx(
        svi._modulus(), rel=0.02
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything at a hundredth of its size."""
    rule = MonotoneVI("small", epochs=2)
    monkeypatch.setattr(svi, "MOONS", {"SVI small": (rule, *svi.MOONS["SVI small"][1:])})
    monkeypatch.setattr(svi, "WIDTHS", (32,))
    monkeypatch.setattr(svi, "STEPS", (0.01, 0.1))
    monkeypatch.setattr(svi, "GRAPH_SIZES", {False: (100, 2)})
    monkeypatch.setattr(svi, "PROBIT_STEPS", {False: (10, 20, 40)})
    monkeypatch.setattr(svi, "LOW_BITS", {"SVI": MonotoneVI(epochs=2, draws=1)})
    return


@pytest.mark.usefixtures("small")
def test_the_report_has_every_table() -> None:
    told: list[str] = []
    options = ReproduceOptions(progress=told.append)
    report = REPRODUCTIONS["svi"](options)
    page = markdown(report, options)
    assert [table.title for table in report.tables] == [
        "Two moons",
        "Probit recovery by the last layer alone",
        "Graph recovery, as compared in the paper: equal learning rates",
        "Graph recovery, each side at its best",
        "Graph recovery, sweep at matched steps",
        "The identical low-bit network",
    ]
    assert "| SVI small, 32 units | 1.60 % |" in page
    assert "first layer frozen" in page
    assert any("two moons" in note for note in told)


def test_low_bits_are_scored_by_the_true_loss() -> None:
    solvers = {"straight-through": StraightThrough(epochs=3, rates=[0.1])}
    table = low_bits.low_bits_table(solvers, ReproduceOptions())
    assert [row.what for row in table.rows] == [
        "straight-through, bipolar",
        "straight-through, ternary",
    ]
    assert all(row.ours is not None and row.ours >= 0 for row in table.rows)
