"""``qnn solve``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qnn.cli import console, options
from qnn.cli.help import argument, command, file, option
from qnn.runs.dry_run import dry_run_options

if TYPE_CHECKING:
    import dimod

    from solvers.oracles import Oracle
    from solvers.run.run import Progress

READS, SWEEPS = 20, 100
"""Of an oracle that is named, guarded, or given one of the two."""

KINDS = {
    "FILE.cqm": "A constrained quadratic model, written by dimod's to_file.",
    "FILE.lp, .mps": "An LP or MPS file of bits and bounded integers.",
    "FILE.opb": "A pseudo-Boolean model, linear, quadratic, or with products of any degree.",
    "FILE.qplib": "A file of QPLIB, of bits and bounded integers.",
    "FILE.*.gz, .xz": "Any of these, packed.",
    "FILE.npz": "A QCBO that this toolkit saved.",
}
"""What MODEL may be."""

SHOWN = 12
"""Values of the answer that the table lists, those that are not zero."""


@command(
    examples="""
    qnn solve model.cqm
    qnn solve model.lp --time-limit 60 --save samples.json --json answer.json
    qnn solve model.lp --oracle tabu --oracle-option restarts=100
    qnn solve model.cqm --oracle qpu --dry-run
    """
)
@argument("model", known=KINDS, shell_complete=file)
@option(
    "--iterations",
    heading=options.SOLVER,
    type=int,
    default=100,
    metavar="N",
    help="Oracle calls.",
)
@option(
    "--time-limit",
    heading=options.SOLVER,
    type=float,
    metavar="SECONDS",
    help="End the run after this time, with the best that it has.",
)
@options.oracle_options()
@option(
    "--reads",
    heading=options.ORACLE,
    type=int,
    metavar="N",
    help="Samples of a call.",
    otherwise=f"{READS}",
)
@option(
    "--sweeps",
    heading=options.ORACLE,
    type=int,
    metavar="N",
    help="Steps of a read.",
    otherwise=f"by the size of the model; {SWEEPS} beside --reads, --oracle, budgets and records",
)
@options.timeout_option
@options.record_options
@options.budget_options
@dry_run_options
@options.output_options
@options.file_option("--save", "save_file", help="Write all samples to this JSON file, as dimod.")
def solve(
    model: str,
    iterations: int,
    time_limit: float | None,
    save_file: str | None,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> int:
    """Solve a constrained model, with no penalty to choose.

    QCGD minimises the objective under all constraints, linear and quadratic; the answer is feasible
    wherever one was found, and the table says if none was.
    """
    from qnn.data.models import answer_json, read_model
    from qnn.runs.output import FORMAT, environment, write_text
    from qnn.runs.tables import record_table
    from solvers import QCGD

    folders = [given["record"], given["replay"]]
    console.check_outputs(json_file, save_file, inputs=[model], folders=folders)
    cqm = read_model(model)
    asked: dict[str, Any] = {"iterations": iterations, "seed": seed, "time_limit": time_limit}
    if dry_run:
        _dry_run(model, cqm, asked, given, search, json_file)
        return 0
    oracle = _oracle(given)
    with console.progress_bar(f"solve {model}") as move:

        def show(progress: Progress) -> None:
            move(progress.iteration, progress.iterations, f"best {progress.loss:g}")

        samples = QCGD(**asked, oracle=oracle, callbacks=(show,)).sample_cqm(cqm)
    figures = _figures(cqm, samples)
    about = {"model": model, "options": {**asked, **given}, "environment": environment()}
    record = {"format": FORMAT, "kind": "answer", **figures, **samples.info, **about}
    console.deliver(
        json_file,
        record,
        record_table(Path(model).name, *_lines(figures, samples)),
        files={save_file: lambda: write_text(str(save_file), answer_json(samples))},
    )
    return console.exit_code(figures["status"], samples.info)


def _oracle(given: dict[str, Any]) -> Oracle | None:
    """The oracle that the options speak of; None, if there are none, leaves it to the solver."""
    from qnn.runs.safeguards import safeguarded
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.solver_table import named_oracle

    given = {name: value for name, value in given.items() if value not in (None, ())}
    if not given:
        return None
    options = SolverOptions(**{"reads": READS, "sweeps": SWEEPS, **given})
    return safeguarded(named_oracle(options), options)


def _figures(cqm: dimod.ConstrainedQuadraticModel, samples: dimod.SampleSet) -> dict[str, Any]:
    """The answer in short."""
    best = samples.first if len(samples) else None
    return {
        "variables": cqm.num_variables(),
        "constraints": len(cqm.constraints),
        "status": samples.info["status"],
        "feasible": samples.info["infeasibility"] is None,
        "objective": None if best is None else float(best.energy),
        "lower_bound": samples.info["lower_bound"],
        "sample": {} if best is None else _by_name(best.sample),
    }


def _by_name(sample: Mapping[Hashable, float]) -> dict[str, int]:
    """Values by the variables' labels as text, or as Python writes them where 1 and '1' differ."""
    name = str if len({str(label) for label in sample}) == len(sample) else repr
    return {name(label): int(value) for label, value in sample.items()}


def _lines(
    figures: dict[str, Any], samples: dimod.SampleSet
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the table says, by our names and by those of the model."""
    info = samples.info
    shown = {name: value for name, value in figures.items() if name != "sample"}
    if info["infeasibility"] is not None:
        shown["infeasible because of"] = f"the {info['infeasibility']}"
    names = ("reason", "bits_after_presolve", "num_variables", "oracle_calls", "seconds")
    shown |= {name: info[name] for name in names if name in info}
    given = {f"violated: {label}": amount for label, amount in info.get("residuals", {}).items()}
    nonzero = {name: value for name, value in figures["sample"].items() if value}
    given |= dict(list(nonzero.items())[:SHOWN])
    if len(nonzero) > SHOWN:
        given[""] = f"{len(nonzero) - SHOWN} more are not zero; --json has all"
    return shown, given


def _dry_run(
    model: str,
    cqm: dimod.ConstrainedQuadraticModel,
    asked: dict[str, Any],
    given: dict[str, Any],
    search: float | None,
    json_file: str | None,
) -> None:
    """Say what the run would take, and send nothing."""
    from formulations.cqm.presolved import Presolved
    from qnn.runs import dry_run
    from qnn.runs.output import FORMAT
    from qnn.runs.tables import record_table
    from solvers import QCGD
    from solvers.footprint import Calls

    prepared = Presolved.of(cqm)
    found = dry_run.footprint(
        lambda oracle: QCGD(**asked, oracle=oracle).sample_cqm(cqm),
        Calls(asked["iterations"], int(getattr(_oracle(given), "reads", READS))),
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
