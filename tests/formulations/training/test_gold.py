"""The gold test: the feasible set is exactly {weights} x {their completions}, with the real loss.

An independent solver (CP-SAT) enumerates every feasible point of the model; models of few enough
bits are enumerated outright as well.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import dimod
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from formulations import QCBO, Network, TrainingProblem
from tests.formulations.problems import ENCODINGS, all_bits, problems

TOLERANCE = 1e-7


def either(max_bits: int = 8, max_samples: int = 2) -> st.SearchStrategy[TrainingProblem]:
    """Problems of every code, activation and loss; some of integers and joint losses, some tied."""
    return st.one_of(
        problems(max_bits, max_samples),
        problems(max_bits, max_samples, integers=True),
        problems(max_bits - 1, max_samples, tied=True),
    )


def feasible_points(model: QCBO) -> np.ndarray:
    """All feasible points, by CP-SAT's enumeration, shape (F, n).

    A loss word, which its row holds from one side only, is given its least admissible value.
    """
    cp_model = pytest.importorskip("ortools.sat.python.cp_model", reason="needs the extra 'exact'")
    cp = cp_model.CpModel()
    x = [cp.new_bool_var(str(i)) for i in range(model.num_variables)]
    loss = {i for i, label in enumerate(model.labels) if label.startswith("e[")}
    rows = model.rows.tocsr()
    one_sided = []
    for r in range(model.num_rows):
        span = slice(rows.indptr[r], rows.indptr[r + 1])
        if loss.intersection(rows.indices[span].tolist()):
            one_sided.append(r)
            continue
        row = sum(int(c) * x[i] for c, i in zip(rows.data[span], rows.indices[span], strict=True))
        cp.add(row == int(model.rhs[r]) if model.equality[r] else row <= int(model.rhs[r]))
    for u, v, w in model.products.tolist():
        cp.add_multiplication_equality(x[u], [x[v], x[w]])
    for i in loss:
        cp.add(x[i] == 0)

    class Collector(cp_model.CpSolverSolutionCallback):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[list[int]] = []

        def on_solution_callback(self) -> None:
            self.found.append([self.value(v) for v in x])

    collector = Collector()
    solver = cp_model.CpSolver()
    solver.parameters.enumerate_all_solutions = True
    solver.parameters.catch_sigint_signal = False  # it would not give the handler back
    solver.parameters.num_workers = 1
    solver.parameters.cp_model_presolve = False  # presolve may drop equivalent solutions' variables
    solver.parameters.linearization_level = 0  # relaxations prune nothing where all are wanted
    solver.solve(cp, collector)
    points = np.array(sorted(collector.found), dtype=np.int8).reshape(-1, model.num_variables)
    return points if not one_sided else with_least_loss(model, points, one_sided, sorted(loss))


def with_least_loss(
    model: QCBO, points: np.ndarray, rows: list[int], loss: list[int]
) -> np.ndarray:
    """The points for which every loss word has an admissible value, with the least one set."""
    admitted = np.ones(len(points), dtype=bool)
    for r in rows:
        word = [i for i in loss if model.rows[r, i]]
        coefficient = -np.array([model.rows[r, i] for i in word])
        excess = model.row_residuals(points)[:, r]
        values = np.array(list(itertools.product((0, 1), repeat=len(word))))
        reach = values @ coefficient
        for point, needed, k in zip(points, excess, range(len(points)), strict=True):
            enough = np.flatnonzero(reach >= needed - TOLERANCE)
            admitted[k] &= len(enough) > 0
            if len(enough):
                point[word] = values[enough[np.argmin(reach[enough])]]
    return points[admitted]


def completions(problem: TrainingProblem, encoding: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The completion of every weight vector, and its real loss."""
    bits = all_bits(problem)
    points = np.stack([problem.complete_bits(b, encoding) for b in bits])
    return points, problem.losses(bits)


def states(model: QCBO, points: np.ndarray) -> list[tuple[int, ...]]:
    """The points without loss words, which a loss held from one side leaves open upwards."""
    kept = [i for i, label in enumerate(model.labels) if not label.startswith("e[")]
    return sorted({tuple(p) for p in points[:, kept].tolist()})


def least_objectives(model: QCBO, points: np.ndarray) -> dict[tuple[int, ...], float]:
    """Least objective over the feasible points of every weight vector."""
    least: dict[tuple[int, ...], float] = {}
    for x, value in zip(points, model.objective(points), strict=True):
        key = tuple(x[model.weight_variables].tolist())
        least[key] = min(value, least.get(key, np.inf))
    return least


def linear(widths: list[int], code: str, labels: list[int], **options: str) -> TrainingProblem:
    """Two samples of a network without hidden layer, with weights of several bits."""
    X = np.array([[5, -3], [-1, 7]])[:, : widths[0]]
    network = Network.dense(widths, weights=code, bias=options.pop("bias", False))
    return TrainingProblem(network, X, labels, **options)


@settings(deadline=None, max_examples=240)
@given(problem=either(), encoding=st.sampled_from(ENCODINGS))
@example(linear([1, 1], "uniform:6", [1, -1], bias="integer:2"), None)
@example(linear([2, 1], "uniform:4", [-1, 1]), "one-hot")
@example(linear([1, 2], "uniform:4", [1, 0], loss="multi-hinge:2"), "threshold")
def test_feasible_set_is_weights_times_completions(
    problem: TrainingProblem, encoding: str | None
) -> None:
    model = problem.qcbo(encoding)
    points, losses = completions(problem, encoding)
    assert model.is_feasible(points).all()
    np.testing.assert_allclose(model.objective(points), losses, atol=TOLERANCE)
    feasible = feasible_points(model)
    assert states(model, feasible) == states(model, points)
    least = least_objectives(model, feasible)
    assert least == pytest.approx(least_objectives(model, points), abs=TOLERANCE)
    assert len(feasible) == len(points)


@settings(deadline=None, max_examples=100)
@given(problem=either(max_bits=5, max_samples=1), encoding=st.sampled_from(ENCODINGS))
def test_every_other_point_violates_a_row(problem: TrainingProblem, encoding: str | None) -> None:
    model = problem.qcbo(encoding)
    if model.num_variables > 14:
        return  # the enumeration above covers it
    points, _ = completions(problem, encoding)
    n = model.num_variables
    every = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    feasible = every[model.is_feasible(every)]
    assert states(model, feasible) == states(model, points)
    others = every[~model.is_feasible(every)]
    assert all(model.violations(x) for x in others[:20])


@settings(deadline=None, max_examples=120)
@given(problem=either(), encoding=st.sampled_from(ENCODINGS))
def test_sizes_are_exact_before_building(problem: TrainingProblem, encoding: str | None) -> None:
    size = problem.size(encoding)
    model = problem.qcbo(encoding)
    assert size.num_variables == model.num_variables
    assert size.weight_bits == len(model.weight_variables)
    assert size.num_rows == model.num_rows
    assert size.num_products == model.num_products
    assert size.nonzeros >= model.rows.nnz


@settings(deadline=None, max_examples=100)
@given(problem=either(), encoding=st.sampled_from(ENCODINGS))
def test_labels_are_canonical_and_decode(problem: TrainingProblem, encoding: str | None) -> None:
    model = problem.qcbo(encoding)
    labels = model.labels.strings()
    assert labels == sorted(labels)
    assert len(set(labels)) == len(labels)
    assert [labels[i] for i in model.weight_variables] == problem.bit_labels
    assert len(set(model.row_labels.strings())) == model.num_rows
    for bits in all_bits(problem)[:3]:
        weights = problem.weights_from_bits(bits)
        sample = problem.complete(weights, encoding)
        decoded = problem.decode(sample)
        assert all(
            np.array_equal(a, b) for a, b in zip(decoded.matrices, weights.matrices, strict=True)
        )
        assert problem.loss(weights) == pytest.approx(problem.losses(bits)[0])


@settings(deadline=None, max_examples=100)
@given(problem=either(max_bits=7), encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_restricted_model_agrees_with_full_model_with_bits_fixed(
    problem: TrainingProblem, encoding: str | None, data: st.DataObject
) -> None:
    every = all_bits(problem)
    incumbent = every[data.draw(st.integers(0, len(every) - 1))]
    words = [set(w) for group in problem.free_words for w in group.tolist()]
    chosen = set(
        data.draw(st.sets(st.integers(0, problem.num_free_bits - 1), min_size=1, max_size=4))
    )
    for word in words:
        if chosen & word:
            chosen |= word
    free = sorted(chosen)
    restricted = problem.restrict(free, incumbent)
    candidates = every[(np.delete(every, free, axis=1) == np.delete(incumbent, free)).all(axis=1)]
    model = restricted.qcbo(encoding)
    points = np.stack([restricted.complete_bits(b, encoding) for b in candidates[:, free]])
    np.testing.assert_allclose(restricted.losses(candidates[:, free]), problem.losses(candidates))
    assert model.is_feasible(points).all()
    np.testing.assert_allclose(model.objective(points), problem.losses(candidates), atol=TOLERANCE)
    assert states(model, feasible_points(model)) == states(model, points)
    size = restricted.size(encoding)
    assert (size.num_variables, size.num_rows) == (model.num_variables, model.num_rows)
    assert model.num_variables <= problem.qcbo(encoding).num_variables
    assert all(label in problem.bit_labels for label in model.labels if label.startswith("w["))


@settings(deadline=None, max_examples=40)
@given(problem=either(max_bits=6), encoding=st.sampled_from(ENCODINGS))
def test_dimod_evaluates_the_cqm_the_same(problem: TrainingProblem, encoding: str | None) -> None:
    model = problem.qcbo(encoding)
    cqm = model.to_cqm()
    rng = np.random.default_rng(0)
    for bits in all_bits(problem)[:6]:
        sample = problem.complete(problem.weights_from_bits(bits), encoding)
        assert cqm.check_feasible(sample)
        assert cqm.objective.energy(sample) == pytest.approx(problem.losses(bits)[0])
        flipped = dict(sample)
        forced = [v for v in sample if not v.startswith(("w[", "e["))]
        if forced:
            v = forced[rng.integers(len(forced))]
            flipped[v] = 1 - flipped[v]
            assert not cqm.check_feasible(flipped)
    assert isinstance(cqm, dimod.ConstrainedQuadraticModel)


@settings(deadline=None, max_examples=25)
@given(problem=either(max_bits=6), encoding=st.sampled_from(ENCODINGS))
def test_files_keep_the_model(
    problem: TrainingProblem, encoding: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = Path(tmp_path_factory.mktemp("model")) / "model.npz"
    model = problem.qcbo(encoding)
    model.save(path)
    loaded = QCBO.load(path)
    points, losses = completions(problem, encoding)
    assert loaded.labels.strings() == model.labels.strings()
    assert loaded.is_feasible(points).all()
    np.testing.assert_allclose(loaded.objective(points), losses, atol=TOLERANCE)


@settings(deadline=None, max_examples=40)
@given(problem=either(max_samples=4), size=st.integers(1, 3))
def test_blocks_add_up(problem: TrainingProblem, size: int) -> None:
    bits = all_bits(problem)
    blocks = problem.blocks(size)
    assert sum(b.num_samples for b in blocks) == problem.num_samples
    total = np.sum([block.losses(bits) for block in blocks], axis=0)
    np.testing.assert_allclose(total, problem.losses(bits))
    label = blocks[-1].qcbo().labels
    numbers = {s.split("k=")[1].split(",")[0] for s in label if "k=" in s}
    first = problem.num_samples - blocks[-1].num_samples
    assert all(int(k) >= first for k in numbers)


def test_documented_counts() -> None:
    net = Network.dense([16, 4, 1], bias=True)
    rng = np.random.default_rng(0)
    X, y = rng.choice([-1, 1], size=(1000, 16)), rng.choice([-1, 1], size=1000)
    problem = TrainingProblem(net, X, y, loss="zero-one")
    assert problem.qcbo("twos-complement").num_variables == 32_073
    assert {b.qcbo().num_variables for b in problem.blocks(1)[:5]} == {105}
