"""Files of constrained models against independent evaluation, point by point."""

from __future__ import annotations

import csv
import gzip
import itertools
import lzma
import os
import random
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import dimod
import numpy as np
import pytest

from formulations.errors import FileFormatError
from qnn.data.models import ModelFile, read_model_file

Literal = tuple[int, bool]
Term = tuple[int, list[Literal]]
Row = tuple[list[Term], str, int]

HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    "=": lambda one, other: one == other,
}


def value(terms: list[Term], point: tuple[int, ...]) -> int:
    return sum(c * all(point[v] ^ negated for v, negated in literals) for c, literals in terms)


def spelt(terms: list[Term]) -> str:
    return " ".join(
        f"{c:+d} " + " ".join(f"{'~' * negated}x{v + 1}" for v, negated in literals)
        for c, literals in terms
    )


def completed(file: ModelFile, point: dict[str, int]) -> dict[str, int]:
    """The point with the added variables, whose names say what they are."""
    sample = dict(point)
    for v in list(file.cqm.variables)[len(file.variables) :]:
        name = str(v)
        if " * " not in name:
            sample[name] = 1 - sample[name[1:]]
    for row in file.cqm.constraints.values():  # products, in the order in which they were made
        product = [str(v) for v, bias in row.lhs.iter_linear() if bias]
        factors = list(row.lhs.iter_quadratic())
        if len(product) == len(factors) == 1 and product[0] not in sample:
            u, v, _ = factors[0]
            sample[product[0]] = sample[str(u)] * sample[str(v)]
    return sample


def drawn(seed: int) -> tuple[int, list[Term], list[Row]]:
    """A pseudo-Boolean model; one in three has integers beyond double precision."""
    rng = random.Random(seed)
    n, scale = rng.randint(1, 6), rng.choice([1, 1, 1, 10**20, 2**60])

    def term(unit: int) -> Term:
        degree = rng.randint(1, rng.choice([1, 2, 6]))
        literals = [(rng.randrange(n), rng.random() < 0.4) for _ in range(degree)]
        return rng.randint(-9, 9) * unit, literals

    objective = [term(1) for _ in range(rng.randint(0, 6))]
    rows = [
        (
            [term(scale) for _ in range(rng.randint(1, 5))],
            rng.choice([*HOLDS]),
            rng.randint(-9, 9) * scale + (rng.randint(-3, 3) if scale > 1 else 0),
        )
        for _ in range(rng.randint(0, 4))
    ]
    return n, objective, rows


@pytest.mark.parametrize("seed", range(60))
def test_pseudo_boolean_models_have_the_same_values_everywhere(tmp_path: Path, seed: int) -> None:
    n, objective, rows = drawn(seed)
    aim = "max" if seed % 3 == 0 else "min"
    lines = ["* a comment; with 1 x9 >= 2;", f"{aim}: {spelt(objective)} ;"]
    lines += [f"{spelt(terms)} {sense} {rhs} ;" for terms, sense, rhs in rows]
    path = tmp_path / "model.opb"
    path.write_text("\n".join(lines) + "\n")
    file = read_model_file(path)
    assert file.maximise == (aim == "max")
    for point in itertools.product((0, 1), repeat=n):
        named = {str(v): point[int(str(v)[1:]) - 1] for v in file.variables}
        sample = completed(file, named)
        assert file.stated(file.cqm.objective.energy(sample)) == value(objective, point)
        feasible = all(HOLDS[sense](value(terms, point), rhs) for terms, sense, rhs in rows)
        assert file.cqm.check_feasible(sample) == feasible


def random_quadratic(
    seed: int,
) -> tuple[np.ndarray, np.ndarray, float, list[tuple[np.ndarray, float, float]]]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    q = np.tril(rng.integers(-4, 5, (n, n)))
    rows = []
    for _ in range(int(rng.integers(0, 4))):
        low, high = sorted(rng.integers(-6, 7, 2).tolist())
        sides = [(low, high), (-np.inf, high), (low, np.inf), (low, low)][rng.integers(4)]
        rows.append((rng.integers(-4, 5, n), *sides))
    return q, rng.integers(-5, 6, n), float(rng.integers(-9, 10)), rows


def symmetric(q: np.ndarray, x: np.ndarray) -> float:
    """x'Qx / 2 of the symmetric matrix whose lower triangle is q."""
    full = q + np.tril(q, -1).T
    return float(x @ full @ x) / 2


def points(n: int, most: int) -> Iterator[np.ndarray]:
    yield from map(np.array, itertools.product(range(most + 1), repeat=n))


def agrees(
    file: ModelFile, x: np.ndarray, objective: float, rows: list[tuple[np.ndarray, float, float]]
) -> None:
    sample = dict(zip(file.variables, x.tolist(), strict=True))
    assert file.stated(file.cqm.objective.energy(sample)) == objective
    feasible = all(low <= a @ x <= high for a, low, high in rows)
    assert file.cqm.check_feasible(sample) == feasible


@pytest.mark.parametrize("seed", range(30))
def test_qplib_files_have_the_same_values_everywhere(tmp_path: Path, seed: int) -> None:
    q, b, constant, rows = random_quadratic(seed)
    n, m, whole = len(b), len(rows), seed % 2
    entries = [f"{i + 1} {j + 1} {q[i, j]} #" for i, j in np.argwhere(q).tolist()]
    lines = ["! a comment", "name # of it", "Q" + "BI"[whole] + ("L" if m else "N"),
             ["minimize", "Maximize"][seed % 3 == 0], f"{n} # variables", *([f"{m}"] if m else []),
             len(entries), *entries, b[0], n, *(f"{j + 1} {v}" for j, v in enumerate(b)),
             constant]  # fmt: skip
    if m:
        lines += [
            m * n,
            *(f"{r + 1} {j + 1} {a[j]}" for r, (a, *_) in enumerate(rows) for j in range(n)),
        ]
    lines += ["1e20"]
    for side in (1, 2) if m else ():
        sides = [float(np.clip(row[side], -1e20, 1e20)) for row in rows]
        lines += [sides[0], m, *(f"{r + 1} {v}" for r, v in enumerate(sides))]
    if whole:
        lines += [0, 0, 3, 1, "1 2"]
    lines += [0] * (6 if m else 4) + [1, "1 first"] + [0]
    path = tmp_path / "model.qplib"
    path.write_text("\n".join(map(str, lines)))
    file = read_model_file(path)
    assert file.variables[0] == "first"
    for x in points(n, 2 if whole else 1):
        agrees(file, x, symmetric(q, x) + float(b @ x) + constant, rows)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("quadratic", ["QUADOBJ", "QMATRIX"])
def test_mps_files_have_the_same_values_everywhere(
    tmp_path: Path, seed: int, quadratic: str
) -> None:
    path = tmp_path / "model.mps"
    q, b, constant, rows = random_quadratic(seed)
    write_mps(path, q, b, constant, rows, seed, quadratic)
    file = read_model_file(path)
    for x in points(len(b), 2 if seed % 2 else 1):
        agrees(file, x, symmetric(q, x) + float(b @ x) + constant, rows)


def write_mps(
    path: Path,
    q: np.ndarray,
    b: np.ndarray,
    constant: float,
    rows: list[tuple[np.ndarray, float, float]],
    seed: int,
    quadratic: str,
) -> None:
    n = len(b)
    lines = [
        "* a comment",
        "NAME model",
        *(["OBJSENSE", "    MAX"] if seed % 3 == 0 else []),
        "ROWS",
        " N cost",
    ]
    kinds, rhs, ranges = [], [f"    RHS cost {-constant}"], []
    for r, (_, low, high) in enumerate(rows):
        kinds.append("E" if low == high else "L" if np.isfinite(high) else "G")
        rhs.append(f"    RHS r{r} {high if kinds[-1] == 'L' else low}")
        if kinds[-1] == "L" and np.isfinite(low):
            ranges.append(f"    RNG r{r} {high - low}")
    lines += [f" {kind} r{r}" for r, kind in enumerate(kinds)]
    lines += ["COLUMNS", "    M1 'MARKER' 'INTORG'"]
    for j in range(n):
        lines.append(f"    x{j} cost {b[j]}")
        lines += [f"    x{j} r{r} {a[j]}" for r, (a, *_) in enumerate(rows)]
    lines += ["    M2 'MARKER' 'INTEND'", "RHS", *rhs]
    lines += ["RANGES", *ranges] if ranges else []
    lines += ["BOUNDS", *(f" UP BND x{j} 2" for j in range(n))] if seed % 2 else []
    full = q if quadratic == "QUADOBJ" else q + np.tril(q, -1).T
    lines += [quadratic, *(f"    x{i} x{j} {full[i, j]}" for i, j in np.argwhere(full).tolist())]
    path.write_text("\n".join([*lines, "ENDATA"]) + "\n")


@pytest.mark.parametrize("seed", range(10))
def test_highs_reads_the_same_mps(tmp_path: Path, seed: int) -> None:
    core = pytest.importorskip("scipy.optimize._highspy._core")  # scipy's own copy of HiGHS
    path = tmp_path / "model.mps"
    q, b, constant, rows = random_quadratic(seed)
    write_mps(path, np.zeros_like(q), b, constant, rows, seed, "QUADOBJ")
    solver = core._Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(path))
    lp, cqm = solver.getLp(), read_model_file(path).cqm
    sign = -1 if seed % 3 == 0 else 1
    assert list(lp.col_upper_) == [cqm.upper_bound(v) for v in cqm.variables]
    assert list(lp.col_cost_) == [sign * cqm.objective.get_linear(v) for v in cqm.variables]
    sides = list(zip(lp.row_lower_, lp.row_upper_, strict=True))
    assert sides == [(low, high) for _, low, high in rows]


# -- packed files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("kind", ["lp", "opb", "cqm", "mps"])
def test_packed_files_are_read_as_plain_ones(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes], kind: str
) -> None:
    x, y = dimod.Binaries("xy")
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(-x - 2 * y)
    cqm.add_constraint(x + y <= 1, label="one")
    text = {
        "lp": dimod.lp.dumps(cqm).encode(),
        "opb": b"min: -1 x -2 y;\n-1 x -1 y >= -1;\n",
        "cqm": cqm.to_file().read(),
        "mps": b"ROWS\n N f\n L one\nCOLUMNS\n x f -1 one 1\n y f -2 one 1\nRHS\n one 1\n"
               b"BOUNDS\n BV b x\n BV b y\nENDATA\n",
    }[kind]  # fmt: skip
    path = tmp_path / f"model.{kind}{ending}"
    path.write_bytes(pack(text))
    found = dimod.ExactCQMSolver().sample_cqm(read_model_file(path).cqm)
    assert found.filter(lambda d: d.is_feasible).first.energy == -2
    path.write_bytes(pack(text)[:-10])
    with pytest.raises(FileFormatError, match="damaged or truncated"):
        read_model_file(path)


# -- the public set --------------------------------------------------------------------------------

FOLDER = Path(os.environ.get("QNN_PUBLIC_SETS", "nowhere")) / "qplib"
FEW = ("0067", "0752", "3834", "2022", "10041", "9048", "3380", "6799")


@pytest.mark.skipif(not FOLDER.is_dir(), reason="QNN_PUBLIC_SETS names no folder with qplib/")
def test_every_file_of_qplib_is_read_in_seconds() -> None:
    with open(FOLDER / "best_known.csv") as file:
        told = {line["instance"]: line for line in csv.DictReader(file)}
    for name in told if "QNN_SLOW" in os.environ else FEW:
        started = time.perf_counter()
        cqm = read_model_file(FOLDER / f"QPLIB_{name}.opb.gz").cqm
        assert time.perf_counter() - started < 5.0
        assert (
            f"#variable= {cqm.num_variables()} #constraint= {len(cqm.constraints)} "
            in (told[name]["header"])
        )


@pytest.mark.skipif(not FOLDER.is_dir(), reason="QNN_PUBLIC_SETS names no folder with qplib/")
@pytest.mark.parametrize("name", ["0067", "3877", "5881", "3834"])
def test_best_known_objectives_are_reached_in_qplibs_own_units(name: str) -> None:
    from solvers import QCGD

    with open(FOLDER / "best_known.csv") as file:
        told = next(line for line in csv.DictReader(file) if line["instance"] == name)
    cqm = read_model_file(FOLDER / f"QPLIB_{name}.opb.gz").cqm
    best = float(told["best_known_objective"])
    scale = float(Fraction(told["opb_objective_scale"]))
    found = QCGD(iterations=None, time_limit=3, seed=1).sample_cqm(cqm).first
    assert found.is_feasible
    assert found.energy / scale == pytest.approx(best, rel=1e-6)
