"""``qnn solve``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qnn.cli import console, options
from qnn.cli.help import argument, command, file, option, under

if TYPE_CHECKING:
    import dimod

    from qnn.data.models import ModelFile
    from solvers import QCGD
    from solvers.oracles import Oracle
    from solvers.run.run import Progress

CALLS, READS, SWEEPS = 100, 20, 100
"""Oracle calls of a run without a time limit; reads and sweeps of an oracle that is named, guarded,
or given one of the two."""


@command(
    examples="""
    qnn solve model.cqm
    qnn solve model.lp --time-limit 60 --save samples.json --json answer.json
    qnn solve model.opb.xz --time-limit 60 --workers 2 --report report.html
    qnn solve model.mps --start best.sol --solutions answers
    qnn solve model.lp --oracle tabu --oracle-option restarts=100
    qnn solve model.cqm --oracle qpu --dry-run
    """
)
@argument(
    "model",
    known={
        "FILE.cqm": "A constrained quadratic model, written by dimod's to_file.",
        "FILE.lp, .mps": "An LP or MPS file with bits and bounded integers.",
        "FILE.opb": "A pseudo-Boolean model, linear, quadratic, or with products of any degree.",
        "FILE.qplib": "A QPLIB file with bits and bounded integers.",
        "FILE.*.gz, .xz": "Any of these, compressed.",
        "FILE.npz": "A QCBO saved by this toolkit.",
    },
    shell_complete=file,
)
@under(
    "Solver",
    option("--iterations N", "Number of oracle calls.",
           otherwise=f"{CALLS}; with --time-limit as many as it allows"),
    option("--time-limit SECONDS", "Stop the run after this time, and keep its best answer."),
    option(
        "--workers N",
        "Number of parallel runs, each with its own seed; the best answer counts.",
        1,
    ),
    option(
        "--start FILE",
        "Answer to start from: a .sol file, or JSON of --save or --json; repeat for several.",
        multiple=True,
    ),
)  # fmt: skip
@options.oracle_options()
@under(
    "Oracle",
    option("--reads N", "Samples a call.", otherwise=f"{READS}"),
    option(
        "--sweeps N",
        "Steps a read.",
        otherwise=f"by the size of the model; {SWEEPS} with --reads, --oracle, budgets or records",
    ),
)
@options.timeout_option
@options.record_options
@options.budget_options
@options.dry_run_options
@options.output_options
@under(
    options.OUTPUT,
    option("--save save_file FILE", "Write all samples to this file, in dimod's JSON format."),
    option("--report FILE", "Write a report to this file, .html or .md."),
    option("--solutions FOLDER",
           "Write distinct feasible answers to this folder, one .sol file each, best first."),
    option("--qoblib FOLDER",
           "Write a QOBLIB submission to this folder: summary, solution and time series."),
)  # fmt: skip
def solve(
    model: str,
    iterations: int | None,
    time_limit: float | None,
    workers: int,
    start: tuple[str, ...],
    save_file: str | None,
    report: str | None,
    solutions: str | None,
    qoblib: str | None,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> int:
    """Solve a constrained model, with no penalty to choose.

    QCGD minimises the objective under all constraints, linear and quadratic.  The answer is
    feasible if any feasible point was found; the table says if none was.
    """
    import numpy as np

    from qnn import report as reports
    from qnn.data.models import answer_json, read_model_file
    from qnn.data.qoblib import write_submission
    from qnn.data.solutions import read_start
    from qnn.runs.answers import answer
    from qnn.runs.output import FORMAT, environment, write_text
    from qnn.runs.tables import record_table
    from solvers import constraint_report

    folders = [given["record"], given["replay"]]
    console.check_outputs(json_file, save_file, report, inputs=[model, *start], folders=folders)
    for place in (solutions, qoblib):
        _check_folder(place)
    if report is not None:
        reports.check_place(report)
    _check_workers(workers, given)
    file = read_model_file(model)
    cqm = file.cqm
    calls = CALLS if iterations is None and time_limit is None else iterations
    asked: dict[str, Any] = {"iterations": calls, "seed": seed, "time_limit": time_limit}
    if dry_run:
        _dry_run(model, cqm, {**asked, "iterations": iterations or CALLS}, given, search, json_file)
        return 0
    states = [read_start(path, file) for path in start]
    initial = (np.concatenate(states), list(cqm.variables)) if states else None
    solvers = _solvers(asked, given, workers)
    if solutions is not None:  # A proof ends the run after one answer, but several are wanted.
        wanted = replace(solvers[0].candidates, wanted=solvers[0].candidates.pool)
        solvers = [replace(solver, candidates=wanted) for solver in solvers]
    with console.progress_bar(f"solve {model}") as move:

        def show(progress: Progress) -> None:
            move(progress.iteration, progress.iterations, _note(file, progress))

        samples = answer(cqm, solvers, initial, show)
    samples.info["oracle"] = given["oracle"] or "annealer"
    figures = _figures(file, samples)
    rows = list(constraint_report(cqm, samples).rows) if len(samples) else []
    about = {
        "model": model,
        "options": {**asked, "workers": workers, "start": list(start), **given},
        "environment": environment(),
    }
    record = {"format": FORMAT, "kind": "answer", **samples.info, **figures, **about, "rows": rows}
    console.deliver(
        json_file,
        record,
        record_table(Path(model).name, *_lines(file, figures, samples, rows)),
        files={
            save_file: lambda: write_text(str(save_file), answer_json(samples)),
            solutions: lambda: _write_solutions(str(solutions), file, samples),
            qoblib: lambda: write_submission(
                str(qoblib), model, file, samples.info, figures["sample"]
            ),
            report: lambda: reports.write(str(report), record),
        },
    )
    return console.exit_code(figures["status"], samples.info)


def _check_folder(folder: str | None) -> None:
    """Refuse a folder that cannot be made or written to, before the work begins."""
    from formulations.errors import FileAccessError
    from qnn.runs.output import check_writable

    if folder is None:
        return
    if Path(folder).exists() and not Path(folder).is_dir():
        raise FileAccessError(f"{folder!r} is there and no folder; give the name of another one")
    check_writable(Path(folder) / "x" if Path(folder).is_dir() else folder)


def _check_workers(workers: int, given: dict[str, Any]) -> None:
    from formulations.checks import check_whole
    from formulations.errors import InvalidInputError
    from solvers.run.option_checks import MOST_WORKERS

    check_whole("--workers", workers, most=MOST_WORKERS)
    shared = [
        f"--{name.replace('_', '-')}"
        for name in ("record", "replay", "budget_calls", "budget_seconds", "budget_charged")
        if given[name] is not None
    ]
    if workers > 1 and shared:
        raise InvalidInputError(
            f"{shared[0]} with --workers {workers}: records and budgets are of one run; expected "
            "--workers 1"
        )


def _solvers(asked: dict[str, Any], given: dict[str, Any], workers: int) -> list[QCGD]:
    """Make a solver with its own oracle and seed per worker; the first gets the given seed."""
    import numpy as np

    from solvers import QCGD

    found = []
    for number in range(workers):
        spawned = np.random.SeedSequence(asked["seed"], spawn_key=(number,))
        seed = asked["seed"] if number == 0 else int(spawned.generate_state(1, np.uint32)[0])
        found.append(replace(QCGD(**asked, oracle=oracle_of(given)), seed=seed))
    return found


def _note(file: ModelFile, progress: Progress) -> str:
    """Format the best objective so far, the bound, the gap, and the source of the best point."""
    from solvers.qcgd.cqm import gap

    said = ["no feasible point yet"]
    if progress.feasible:
        said = [f"best {file.stated(progress.loss):g}"]
    if progress.bound is not None:
        said.append(f"bound {file.stated(progress.bound):g}")
        share = gap(progress.loss, progress.bound) if progress.feasible else None
        said += [f"gap {share:.2%}"] if share is not None else []
    if progress.feasible and progress.source is not None:
        said.append(f"by {progress.source}")
    return ", ".join(said)


def _write_solutions(folder: str, file: ModelFile, samples: dimod.SampleSet) -> None:
    """Write the distinct feasible samples, in the file's own variables."""
    from qnn.data.solutions import by_name, write_solutions

    if samples.info["infeasibility"] is not None:
        write_solutions(folder, [], [])
        return
    own = file.variables
    points = {
        tuple(int(sample[v]) for v in own): float(file.stated(energy) or 0.0)
        for sample, energy in samples.data(["sample", "energy"], sorted_by=None)
    }
    named = [by_name(dict(zip(own, values, strict=True))) for values in points]
    write_solutions(folder, list(points.values()), named)


def oracle_of(given: dict[str, Any]) -> Oracle | None:
    """Make the oracle that the options name; without options return None (the solver chooses)."""
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.solver_table import named_oracle

    given = {name: value for name, value in given.items() if value not in (None, ())}
    if not given:
        return None
    options = SolverOptions(**{"reads": READS, "sweeps": SWEEPS, **given})
    return options.guarded(named_oracle(options))


def _figures(file: ModelFile, samples: dimod.SampleSet) -> dict[str, Any]:
    """Summarise the answer; objective and bound are as the file states them."""
    from qnn.data.solutions import by_name
    from solvers.qcgd.cqm import gap

    cqm, info = file.cqm, samples.info
    best = float(samples.first.energy) if len(samples) else None
    point = samples.first.sample if len(samples) else {}
    feasible = info["infeasibility"] is None
    return {
        "variables": cqm.num_variables(),
        "constraints": len(cqm.constraints),
        "status": info["status"],
        "feasible": feasible,
        "sense": "maximize" if file.maximise else "minimize",
        "objective": file.stated(best),
        "bound": file.stated(info["lower_bound"]),
        "gap": gap(best, info["lower_bound"]) if feasible else None,
        "sample": by_name({v: point[v] for v in file.variables if v in point}),
    }


def _lines(
    file: ModelFile, figures: dict[str, Any], samples: dimod.SampleSet, rows: list[Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lines of the table under our names, and those under the model's names.

    The latter are up to 12 binding rows and up to 12 nonzero values.
    """
    info, most = samples.info, 12
    shown = {name: value for name, value in figures.items() if name != "sample"}
    if info["infeasibility"] is not None:
        shown["infeasible because of"] = f"the {info['infeasibility']}"
    names = ("bound_kind", "reason", "bits_after_presolve", "num_variables", "oracle_calls")
    shown |= {name: info[name] for name in (*names, "seconds") if info.get(name) is not None}
    for name, one in info.get("sources", {}).items():
        best = "nothing feasible" if one["best"] is None else f"{file.stated(one['best']):g}"
        if one["calls"]:
            shown[f"best of {name}"] = f"{best}; calls: {one['calls']}, {one['seconds']:.2g} s"
    if info.get("oracle_best") is not None:
        repaired = f"{info['oracle_feasible']:.0%} of its samples were feasible"
        shown["best of oracle, unrepaired"] = f"{file.stated(info['oracle_best']):g}; {repaired}"
    tight = [row for row in rows if row["state"] == "binding"]
    shown |= {"constraints that bind": f"{len(tight)} of {len(rows)}"} if rows else {}
    given = {f"violated: {label}": amount for label, amount in info.get("residuals", {}).items()}
    for row in [row for row in tight if row["multiplier"]][:most]:
        given[f"binds: {row['constraint']}"] = f"multiplier {row['multiplier']:.3g}"
    nonzero = {name: value for name, value in figures["sample"].items() if value}
    given |= dict(list(nonzero.items())[:most])
    if len(nonzero) > most:
        given[""] = f"{len(nonzero) - most} more are not zero; --json has all"
    return shown, given


def _dry_run(
    model: str,
    cqm: dimod.ConstrainedQuadraticModel,
    asked: dict[str, Any],
    given: dict[str, Any],
    search: float | None,
    json_file: str | None,
) -> None:
    """Print what the run would take, and send nothing."""
    from formulations.cqm.presolved import Presolved
    from qnn.runs import dry_run
    from qnn.runs.output import FORMAT
    from qnn.runs.tables import record_table
    from solvers import QCGD
    from solvers.footprint import Calls

    prepared = Presolved.of(cqm)
    found = dry_run.footprint(
        lambda oracle: QCGD(**asked, oracle=oracle).sample_cqm(cqm),
        Calls(asked["iterations"], int(getattr(oracle_of(given), "reads", READS))),
        model=prepared.model,
        search=search,
        seed=asked["seed"],
    )
    counts = {
        "variables": cqm.num_variables(),
        "constraints": len(cqm.constraints),
        "bits": prepared.reading.model.num_variables,
        "bits_after_presolve": prepared.model.num_variables,
        "rows_after_presolve": prepared.model.num_rows,
    }
    record = {"format": FORMAT, "kind": "dry run", "model": model, **counts, "footprint": found}
    title = f"{Path(model).name}, {dry_run.SENT_NOTHING}"
    shown = {**counts, **dry_run.lines(found)}
    console.deliver(json_file, {**record, "options": asked}, record_table(title, shown))
