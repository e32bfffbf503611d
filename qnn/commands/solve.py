"""``qnn solve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qnn import options
from qnn.commands import console
from qnn.dry_run import dry_run_options

if TYPE_CHECKING:
    import dimod

    from solvers.oracles import Oracle
    from solvers.result import Progress

READS, SWEEPS = 20, 100
"""Of an oracle that is named, guarded, or given one of the two."""

SHOWN = 12
"""Values of the answer that the table lists, those that are not zero."""


@click.command()
@click.argument("model")
@click.option("--iterations", type=int, default=100, show_default=True, help="Oracle calls.")
@options.oracle_options
@click.option("--reads", type=int, help=f"Reads of a call.  [{READS}]")
@click.option(
    "--sweeps",
    type=int,
    help=f"Sweeps of a read.  [by the size of the model; {SWEEPS} beside --oracle, budgets, ...]",
)
@click.option("--time-limit", type=float, help="Seconds of the run.")
@click.option("--save", "save_file", help="Write all samples to this JSON file, as dimod does.")
@options.budget_options
@options.record_options
@dry_run_options
@options.output_options
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
) -> None:
    """Solve the constrained model in the file MODEL, with no penalty to choose.

    MODEL is a CQM file of dimod, an LP file, or a QCBO that this toolkit saved.
    """
    from qnn.models import answer_json, read_model
    from qnn.output import FORMAT, environment, write_text
    from qnn.tables import record_table
    from solvers import QCGD

    console.check_outputs(json_file, save_file)
    cqm = read_model(model)
    asked: dict[str, Any] = {"iterations": iterations, "seed": seed, "time_limit": time_limit}
    if dry_run:
        _dry_run(model, cqm, asked, given["reads"] or READS, search, json_file)
        return
    oracle = _oracle({name: value for name, value in given.items() if value not in (None, ())})
    with console.progress_bar(f"solve {model}") as move:

        def show(progress: Progress) -> None:
            move(progress.iteration, progress.iterations, f"best {progress.loss:g}")

        samples = QCGD(**asked, oracle=oracle, callbacks=(show,)).sample_cqm(cqm)
    if save_file is not None:
        write_text(save_file, answer_json(samples))
    figures = _figures(cqm, samples)
    about = {"model": model, "options": {**asked, **given}, "environment": environment()}
    record = {"format": FORMAT, "kind": "answer", **figures, **samples.info, **about}
    console.write_json(json_file, record)
    if json_file != "-":
        table = record_table(Path(model).name, _lines(figures, samples))
        console.for_tables(json_file).print(table)


def _oracle(given: dict[str, Any]) -> Oracle | None:
    """The oracle that the options speak of; None, if there are none, leaves it to the solver."""
    from qnn.safeguards import safeguarded
    from qnn.training import SolverOptions, named_oracle

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
        "sample": {} if best is None else {v: int(value) for v, value in best.sample.items()},
    }


def _lines(figures: dict[str, Any], samples: dimod.SampleSet) -> dict[str, Any]:
    """What the table says."""
    info = samples.info
    shown = {name: value for name, value in figures.items() if name != "sample"}
    if info["infeasibility"] is not None:
        shown["infeasible because of"] = f"the {info['infeasibility']}"
    names = ("reason", "bits_after_presolve", "num_variables", "oracle_calls", "seconds")
    shown |= {name: info[name] for name in names if name in info}
    shown |= {f"violated: {label}": amount for label, amount in info.get("residuals", {}).items()}
    nonzero = {str(v): value for v, value in figures["sample"].items() if value}
    shown |= dict(list(nonzero.items())[:SHOWN])
    if len(nonzero) > SHOWN:
        shown["and not zero"] = f"{len(nonzero) - SHOWN} more; --json has all"
    return shown


def _dry_run(
    model: str,
    cqm: dimod.ConstrainedQuadraticModel,
    asked: dict[str, Any],
    reads: int,
    search: float | None,
    json_file: str | None,
) -> None:
    """Say what the run would take, and send nothing."""
    from formulations.prepared import Prepared
    from qnn import dry_run
    from qnn.output import FORMAT
    from qnn.tables import record_table
    from solvers import QCGD
    from solvers.footprint import Calls

    prepared = Prepared.of(cqm)
    found = dry_run.footprint(
        lambda oracle: QCGD(**asked, oracle=oracle).sample_cqm(cqm),
        Calls(asked["iterations"], reads),
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
    console.write_json(json_file, {**record, "options": asked})
    if json_file != "-":
        title = f"{Path(model).name}, {dry_run.SENT_NOTHING}"
        shown = {**counts, **dry_run.lines(found)}
        console.for_tables(json_file).print(record_table(title, shown))
