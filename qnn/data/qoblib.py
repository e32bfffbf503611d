"""A submission to QOBLIB, the Quantum Optimization Benchmarking Library [arXiv 2504.03832].

    FOLDER/<instance>/<instance>_summary.csv                    one line, the columns below
                      <instance>_solution.sol                   the best answer
                      <instance>_objective_time_series.json     improvements of each run

Format as specified in CONTRIBUTING.md of github.com/ZIB-AOPT/QOBLIB and checked there in 2026.
"""

from __future__ import annotations

import csv
import io
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import FloatArray
from qnn.data.solutions import solution_text
from qnn.runs.output import to_json, write_text

if TYPE_CHECKING:
    from qnn.data.models import ModelFile

COLUMNS = (
    "Problem", "Submitter", "Affiliation", "Date", "Reference", "Best Objective Value",
    "Optimality Bound", "Modeling Approach", "# Decision Variables", "# Binary Variables",
    "# Integer Variables", "# Continuous Variables", "# Non-Zero Coefficients",
    "Coefficients Type", "Coefficients Range", "Workflow", "Algorithm Type", "Paradigm", "# Runs",
    "# Feasible Runs", "# Successful Runs", "Success Threshold", "Hardware Specifications",
    "Total Runtime", "Time to Solution", "CPU Runtime", "GPU Runtime", "QPU Runtime",
    "Other HW Runtime", "Remarks",
)  # fmt: skip
"""Columns of a summary, in the order that the library's checker requires."""


def instance_of(path: str) -> str:
    """Return the name of the instance in a file.

    Examples
    --------
    >>> instance_of("data/ms_03_050_002.lp.xz")
    'ms_03_050_002'
    """
    return re.sub(r"(?i)\.(lp|mps|opb|qplib|cqm|npz)(\.gz|\.xz)?$", "", Path(path).name)


def write_submission(
    folder: str, path: str, model: ModelFile, info: Mapping[str, Any], best: Mapping[str, int]
) -> None:
    """Write the files of one instance below ``folder``; the submitter is left blank.

    ``path`` is the model's file, named after the instance.  ``info`` is that of the answer, with
    ``runs``, ``lower_bound`` and ``oracle``.  ``best`` maps names to the values of the best point,
    and is empty if no feasible point was found.
    """
    name = instance_of(path)
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    values = [run["objective"] for run in info["runs"] if run["objective"] is not None]
    objective = model.stated(min(values, default=None))
    row = summary(name, model, info, objective)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerow([row[column] for column in COLUMNS])
    write_text(str(place / f"{name}_summary.csv"), text.getvalue())
    if objective is not None:
        solution = solution_of(model, objective, best)
        write_text(str(place / f"{name}_solution.sol"), solution)
    write_text(str(place / f"{name}_objective_time_series.json"), to_json(series(model, info)))


def series(model: ModelFile, info: Mapping[str, Any]) -> list[list[dict[str, float | None]]]:
    """Return the improvements of each run, and its end."""
    runs = []
    for run in info["runs"]:
        points: list[dict[str, float | None]] = [
            {"Time": round(at, 6), "Incumbent": model.stated(value)}
            for at, value in zip(run["trace"]["seconds"], run["trace"]["loss"], strict=True)
        ]
        last = points[-1]["Incumbent"] if points else model.stated(run["objective"])
        points.append({"Time": round(run["seconds"], 6), "Incumbent": last})
        runs.append(points)
    return runs


def solution_of(model: ModelFile, objective: float, best: Mapping[str, int]) -> str:
    """Format the answer for the library's checkers.

    Market split lists the bits of x in a line, independent sets their vertex numbers; the other
    classes differ, and get names and values here.

    Examples
    --------
    >>> import dimod
    >>> from qnn.data.models import ModelFile
    >>> cqm = dimod.ConstrainedQuadraticModel.from_bqm(dimod.Binary("x#1") + dimod.Binary("x#2"))
    >>> solution_of(ModelFile(cqm, maximise=True), 1.0, {"x#1": 0, "x#2": 1})
    '2\\n'
    >>> solution_of(ModelFile(cqm), 0.0, {"x#1": 1, "s#1": 0, "x#2": 0})
    '1 0\\n'
    """
    letters = {name.partition("#")[0] for name in best}
    numbered = all(re.fullmatch(r"[xs]#\d+", name) for name in best)
    if not numbered or not letters <= {"x", "s"}:
        return solution_text(objective, best)
    chosen = sorted((int(name[2:]), value) for name, value in best.items() if name[0] == "x")
    if letters == {"x", "s"}:
        return " ".join(str(value) for _, value in chosen) + "\n"
    if model.maximise:
        return "".join(f"{number}\n" for number, value in chosen if value)
    return solution_text(objective, best)


def summary(
    name: str, model: ModelFile, info: Mapping[str, Any], objective: float | None
) -> dict[str, Any]:
    """Return the line of the summary by column."""
    import dimod

    unknown = "N/A"
    cqm, runs = model.cqm, info["runs"]
    own = model.variables
    types = [cqm.vartype(v) for v in own]
    bits = sum(
        kind is dimod.BINARY or (cqm.lower_bound(v), cqm.upper_bound(v)) == (0, 1)
        for v, kind in zip(own, types, strict=True)
    )
    sizes = coefficients(model)
    whole = bool((sizes == np.rint(sizes)).all())
    feasible = [run for run in runs if run["objective"] is not None]
    best = min((float(run["objective"]) for run in feasible), default=0.0)
    met = [run for run in feasible if run["objective"] <= best + 1e-9]
    times = [run["seconds_to_best"] for run in met if run["seconds_to_best"] is not None]
    seconds = mean(run["seconds"] for run in runs)
    oracle = str(info.get("oracle") or "annealer")
    remote = oracle in ("qpu", "hybrid")
    bound = model.stated(info["lower_bound"])
    charged = float((info.get("ledger") or {}).get("charged") or 0.0)
    return {
        **dict.fromkeys(COLUMNS, unknown),
        "Problem": name,
        "Date": datetime.now(UTC).date().isoformat(),
        "Best Objective Value": unknown if objective is None else f"{objective:.15g}",
        "Optimality Bound": unknown if bound is None else f"{bound:.15g}",
        "Modeling Approach": "constrained quadratic model, as in the library's model file",
        "# Decision Variables": len(own),
        "# Binary Variables": bits,
        "# Integer Variables": len(own) - bits,
        "# Continuous Variables": 0,
        "# Non-Zero Coefficients": len(sizes),
        "Coefficients Type": "Integer" if whole else "Continuous",
        "Coefficients Range": f"{sizes.min():g} - {sizes.max():g}" if len(sizes) else unknown,
        "Workflow": "Presolve; QCGD: conditional gradient over the lifted model, QUBOs answered by "
        f"{oracle}; candidates repaired, the best are kept and tried again; dimod's judgement",
        "Algorithm Type": "Stochastic",
        "Paradigm": "Quantum Hardware" if remote else "Classical",
        "# Runs": len(runs),
        "# Feasible Runs": len(feasible),
        "# Successful Runs": len(met),
        "Success Threshold": 0,
        "Hardware Specifications": f"{platform.machine()}, {len(runs)} threads",
        "Total Runtime": f"{seconds:.3f}",
        "Time to Solution": f"{mean(times):.3f}" if times else unknown,
        "CPU Runtime": f"{seconds:.3f}" if not remote else unknown,
        "QPU Runtime": f"{charged / len(runs):.6f}" if remote else unknown,
        "Remarks": "Fill in Submitter, Affiliation, Reference and hardware",
    }


def coefficients(model: ModelFile) -> FloatArray:
    """Return all nonzero coefficients of the file's objective and constraints."""
    sign = -1.0 if model.maximise else 1.0
    forms: list[tuple[float, Any]] = [(sign, model.cqm.objective)]
    forms += [(1.0, row.lhs) for row in model.cqm.constraints.values()]
    numbers = [
        factor * float(term[-1])
        for factor, form in forms
        for terms in (form.iter_linear(), form.iter_quadratic())
        for term in terms
    ]
    sizes = np.array(numbers, dtype=np.float64)
    return np.asarray(sizes[sizes != 0])
