"""Verification of 49-8-1 networks: every verdict checked by another method, and the time of each.

    python benchmarks/verify.py [--samples 200] [--data-dir FOLDER] [--cases 0,1,2,3] [--seconds 5]
        [--join FILE FILE ...]

Fashion 2 v 4 in 7 x 7 sums of pixels, 16 levels, ternary weights, integer thresholds, 4,000
training samples and 15 s of straight-through; the noisy networks are trained on three copies of
them with inputs moved by up to three levels, so that more samples are robust.  The first test
samples are verified on one thread.

`qnn verify` runs intervals, then the search, then the model by CP-SAT.  Its rivals are intervals
alone; the model alone, in both forms; and CP-SAT on integer inputs and units as reified sums,
written here without the toolkit's models.  The last one checks every verdict.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from ortools.sat.python import cp_model
from sharing import parser_of, write_figures

import qnn.verification as verification
from formulations import Network, TrainingProblem
from formulations.errors import InfeasibleModelError
from formulations.training.free_inputs import InputBox, input_model
from qnn.data.datasets import load
from qnn.export import TrainedModel
from solvers import QCGD, StraightThrough
from solvers.cp_sat import solve_qcbo
from solvers.oracles import Annealer
from solvers.verification import _asked, decide

CASES = [
    ("sign", "sign", 0, 1),
    ("sign, noisy", "sign", 3, 1),
    ("sign, noisy", "sign", 3, 2),
    ("relu:4, noisy", "relu:4", 3, 1),
]
"""Name, activation, levels of noise in training, radius."""

ASKED = 20
"""Number of samples with a counter-example that the oracle is asked for."""


def trained(activation: str, noise: int, data_dir: str | None) -> tuple[TrainedModel, Any]:
    data = load("fashion:2,4", samples=4000, inputs=49, levels=16, seed=0, data_dir=data_dir)
    rng = np.random.default_rng(0)
    moved = [
        data.X_train + 2 * rng.integers(-noise, noise + 1, data.X_train.shape)
        for _ in range(3 if noise else 1)
    ]
    X = np.clip(np.concatenate(moved), data.X_train.min(), data.X_train.max())
    net = Network.dense([49, 8, 1], activation, "ternary", "auto")
    problem = TrainingProblem(net, X, np.tile(data.y_train, len(moved)), "cross-entropy")
    weights = StraightThrough(seed=0, time_limit=15).solve(problem).weights
    model = TrainedModel(
        problem.network, weights, data.thresholds, data.classes, raw_span=data.raw_span,
        image=data.image,
    )  # fmt: skip
    return model, data


def by_model(
    model: TrainedModel, box: InputBox, right: int, encoding: str | None, limit: float
) -> str:
    """Solve the model alone, by CP-SAT."""
    program = input_model(model.network, model.weights, box, right, -right, encoding=encoding)
    try:
        found = solve_qcbo(program, time_limit=limit, workers=1)
    except InfeasibleModelError:
        return "robust"
    if found.x is None:
        return "open"
    x = box.inputs(found.x[program.labels.of_kind("x")])
    assert model.network.predict(model.weights, x[None])[0] == -right
    return "counter-example"


def direct(model: TrainedModel, box: InputBox, right: int, limit: float) -> str:
    """Solve with CP-SAT on integers: levels of the inputs, and reified sums."""
    cp = cp_model.CpModel()
    tables = [sorted({int(v) for v in column[:, 0]}) for column in box.values]
    a: list[Any] = [
        cp.new_int_var_from_domain(cp_model.Domain.from_values(values), "") for values in tables
    ]
    units = model.network.bias_units(model.weights.splines)
    for number, matrix in enumerate(model.weights.matrices):
        bias = model.weights.biases[number]
        sums = [
            sum(int(w) * v for w, v in zip(row, a, strict=True) if w)
            + (0 if bias is None else units[number] * int(bias[j]))
            for j, row in enumerate(matrix)
        ]
        if number == len(model.weights.splines):
            break
        spline, a = model.weights.splines[number], []
        for z in sums:
            value: Any = int(spline.intercepts[0])
            for start, step in zip(spline.breakpoints, np.diff(spline.intercepts), strict=True):
                above = cp.new_bool_var("")
                cp.add(z >= int(start)).only_enforce_if(above)
                cp.add(z < int(start)).only_enforce_if(~above)
                value = value + int(step) * above
            a.append(value)
    cp.add(sums[0] <= -1 if right > 0 else sums[0] >= 0)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.max_time_in_seconds = 1, limit
    names = {cp_model.OPTIMAL: "counter-example", cp_model.FEASIBLE: "counter-example",
             cp_model.INFEASIBLE: "robust"}  # fmt: skip
    return names.get(solver.solve(cp), "open")


def measured(case: int, given: argparse.Namespace) -> dict[str, Any]:
    name, activation, noise, radius = CASES[case]
    model, data = trained(activation, noise, given.data_dir)
    X, y = data.X_test[: given.samples], data.y_test[: given.samples]
    ladder = verification._ladder(model)
    numbers = ladder[2]  # a raw number at each level of each column
    levels = (X - data.X_train.min()) // 2
    raw = np.take_along_axis(numbers.T, levels, axis=0)
    assert np.array_equal(model.on_lattice(raw), X)
    boxes = [verification._box(model, ladder, row, radius) for row in raw]
    found: dict[str, list[tuple[str, float]]] = {}
    limit = given.seconds

    def run(way: str, decided: Any) -> None:
        found[way] = []
        for box, right in zip(boxes, y.tolist(), strict=True):
            started = time.perf_counter()
            verdict = decided(box, right)
            found[way].append((verdict, time.perf_counter() - started))
        print(name, radius, way, Counter(v for v, _ in found[way]), flush=True)

    def verdict_of(method: str) -> Any:
        def decided(box: InputBox, right: int) -> str:
            verdict = decide(model.network, model.weights, box, right, method=method,
                             time_limit=limit)  # fmt: skip
            if (x := verdict.counter_example) is not None:
                assert model.network.predict(model.weights, x[None])[0] != right
            return verdict.verdict

        return decided

    decide(model.network, model.weights, boxes[0], int(y[0]))  # one-time loading and compilation
    run("intervals alone", verdict_of("intervals"))
    run("intervals and search", verdict_of("search"))
    run("qnn verify", verdict_of("cp-sat"))
    run("model alone, rows", lambda box, right: by_model(model, box, right, None, limit))
    run("model alone, words", lambda b, right: by_model(model, b, right, "twos-complement", limit))
    run("direct CP-SAT", lambda box, right: direct(model, box, right, 4 * limit))
    judged = [verdict for verdict, _ in found["direct CP-SAT"]]
    against = [k for k, verdict in enumerate(judged) if verdict == "counter-example"]
    against = [k for k in against if (model.network.predict(model.weights, X[k : k + 1]) == y[k])]
    qcgd = QCGD(oracle=Annealer(reads=20, sweeps=200), iterations=20)
    hits, started = 0, time.perf_counter()
    for k in against[:ASKED]:
        right = int(y[k])
        program = input_model(model.network, model.weights, boxes[k], right, -right, demand=False)
        bits, _, _ = _asked(program, qcgd, -1 if right > 0 else 0, limit, 0)
        inputs = boxes[k].inputs(bits[:, program.labels.of_kind("x")])
        hits += bool((model.network.predict(model.weights, inputs) != right).any())
    asked = len(against[:ASKED])
    oracle = {"asked": asked, "found": hits, "seconds": time.perf_counter() - started}
    rows = []
    for way, verdicts in found.items():
        seconds = np.array([s for _, s in verdicts])
        wrong = sum(v != j for (v, _), j in zip(verdicts, judged, strict=True)
                    if "open" not in (v, j))  # fmt: skip
        rows.append({
            "way": way, **Counter(v for v, _ in verdicts), "contradictions": wrong,
            "seconds": float(seconds.sum()), "median": float(np.median(seconds)),
            "longest": float(seconds.max()),
        })  # fmt: skip
    accuracy = float(np.mean(model.network.predict(model.weights, data.X_test) == data.y_test))
    return {"network": name, "radius": radius, "accuracy": accuracy, "rows": rows,
            "oracle": oracle}  # fmt: skip


def page(results: list[dict[str, Any]]) -> str:
    lines = [
        "| network, test accuracy | radius | method | robust | counter-example | open | "
        "contradictions | seconds, of all | median, longest |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        head = f"{result['network']}, {result['accuracy']:.3f} | {result['radius']}"
        for row in result["rows"]:
            counts = " | ".join(
                str(row.get(v, 0)) for v in ("robust", "counter-example", "open", "contradictions")
            )
            lines.append(
                f"| {head} | {row['way']} | {counts} | {row['seconds']:.1f} | "
                f"{1000 * row['median']:.0f} ms, {row['longest']:.2f} s |"
            )
            head = " | "
        oracle = result["oracle"]
        lines.append(
            f"|  |  | QCGD, annealer | - | {oracle['found']} of {oracle['asked']} asked | "
            f"{oracle['asked'] - oracle['found']} | 0 | {oracle['seconds']:.1f} | |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--data-dir")
    parser.add_argument("--cases", default="0,1,2,3")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--join", nargs="*", default=[])
    given = parser.parse_args()
    results = [row for file in given.join for row in json.loads(Path(file).read_text())]
    for case in [] if given.join else given.cases.split(","):
        results.append(measured(int(case), given))
    print(page(results))
    write_figures(given.json, results)
