from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import numpy as np
import pytest

from qnn.reproduce import ReproduceOptions, low_bits, reproduce
from qnn.reproduce.show import markdown
from solvers import MonotoneVI, StraightThrough

svi = import_module("qnn.reproduce.svi")  # its function has the same name

SEEDS = ReproduceOptions().seeds(6)


@pytest.mark.parametrize("name", ["SVI small", "SGD, first layer frozen", "SGD", "SVI full"])
def test_published_entries_are_found_again(name: str) -> None:
    rule, frozen, published, _ = svi.MOONS[name]
    for width in [width for width in published if width <= 64]:
        errors = [svi._moons_error(rule, frozen, width, seed) for seed in svi.SEEDS]
        assert abs(np.mean(errors) - published[width]) <= 0.2


def test_errors_of_each_seed_as_the_notebooks_print_them() -> None:
    errors = [svi._moons_error("small", 0, 32, seed) for seed in svi.SEEDS]
    np.testing.assert_allclose(errors, [1.4, 1.8, 1.6], atol=0.2)


@pytest.mark.torch
def test_layers_are_drawn_as_torch_draws_them() -> None:
    torch = pytest.importorskip("torch", reason="to compare with")
    torch.manual_seed(1103)
    words = np.random.RandomState(1103)
    for shape in ((32, 2), (2, 32)):
        theirs, ours = torch.nn.Linear(shape[1], shape[0]), svi._as_torch(words, shape)
        np.testing.assert_allclose(ours.W, theirs.weight.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(ours.b, theirs.bias.detach().numpy(), atol=1e-6)


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
    monkeypatch.setattr(svi, "MOONS", {"SVI small": svi.MOONS["SVI small"]})
    monkeypatch.setattr(svi, "WIDTHS", (32,))
    monkeypatch.setattr(svi, "STEPS", (0.01, 0.1))
    few = {"SVI": MonotoneVI(epochs=2, draws=1)}
    graphs, probit, low = svi._graphs, svi._probit, svi.low_bits_table
    monkeypatch.setattr(svi, "_graphs", lambda options, *size: graphs(options, 100, 2))
    monkeypatch.setattr(svi, "_probit", lambda options, steps: probit(options, (10, 20, 40)))
    monkeypatch.setattr(svi, "low_bits_table", lambda _, options: low(few, options))
    return


@pytest.mark.usefixtures("small")
def test_the_report_has_every_table() -> None:
    told: list[str] = []
    options = ReproduceOptions(progress=told.append)
    report = reproduce("svi", options)
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
    solvers = {"straight-through": StraightThrough(epochs=3)}
    table = low_bits.low_bits_table(solvers, ReproduceOptions())
    rows = list(table.rows)
    assert [row.what for row in rows] == ["straight-through, bipolar", "straight-through, ternary"]
    assert all(row.ours is not None and row.ours >= 0 for row in rows)
