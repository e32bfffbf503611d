"""``qnn solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qnn import options
from qnn.commands import console
from qnn.dry_run import dry_run_options

if TYPE_CHECKING:
    import dimod

    from solvers.result import Progress

SHOWN = 12
"""Values of the answer that the table lists, those that are not zero."""


@click.command()
@click.argument("model")
@click.option("--iterations", type=int, default=100, show_default=True, help="Oracle calls.")
@click.option("--reads", type=int, help="Reads of a call; found from the model if left out.")
@click.option("--sweeps", type=int, help="Sweeps of a read; found from the model if left out.")
@click.option("--time-limit", type=float, help="Seconds of the run.")
@click.option("--save", "save_file", help="Write all samples to this JSON file, as dimod does.")
@dry_run_options
@options.output_options
def solve(
    model: str,
    iterations: int,
    reads: int | None,
    sweeps: int | None,
    time_limit: float | None,
    save_file: str | None,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
) -> None:
    """Solve the constrained model in the file MODEL, with no penalty to choose.

    MODEL is a CQM file of dimod, an LP file, or a QCBO that this toolkit saved.
    """
    from qnn.models import answer_json, read_model
    from qnn.output import FORMAT, environment, write_text
    from qnn.tables import record_table
    from solvers.cqm_sampler import QCGDSampler

    console.check_outputs(json_file, save_file)
    cqm = read_model(model)
    given = {"reads": reads, "sweeps": sweeps, "time_limit": time_limit}
    chosen = {name: value for name, value in given.items() if value is not None}
    chosen |= {"iterations": iterations, "seed": seed}
    if dry_run:
        _dry_run(model, cqm, chosen, search, json_file)
        return
    with console.progress_bar(f"solve {model}") as move:

        def show(progress: Progress) -> None:
            move(progress.iteration, progress.iterations, f"best {progress.loss:g}")

        samples = QCGDSampler().sample_cqm(cqm, **chosen, callbacks=(show,))
    if save_file is not None:
        write_text(save_file, answer_json(samples))
    figures = _figures(cqm, samples)
    about = {"model": model, "options": chosen, "environment": environment()}
    record = {"format": FORMAT, "kind": "answer", **figures, **samples.info, **about}
    console.write_json(json_file, record)
    if json_file != "-":
        table = record_table(f"{model}: {cqm.num_variables()} variables", _lines(figures, samples))
        console.for_tables(json_file).print(table)


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
    chosen: dict[str, Any],
    search: float | None,
    json_file: str | None,
) -> None:
    """Say what the run would take, and send nothing."""
    from formulations.prepared import Prepared
    from qnn import dry_run
    from qnn.output import FORMAT
    from qnn.tables import record_table
    from solvers.cqm_sampler import QCGDSampler
    from solvers.footprint import Calls

    prepared = Prepared.of(cqm)
    rest = {name: value for name, value in chosen.items() if name not in ("reads", "sweeps")}
    found = dry_run.footprint(
        lambda oracle: QCGDSampler().sample_cqm(cqm, **rest, oracle=oracle),
        Calls(chosen["iterations"], chosen.get("reads", 20)),
        model=prepared.model,
        search=search,
        seed=chosen["seed"],
    )
    counts = {
        "variables": cqm.num_variables(),
        "constraints": len(cqm.constraints),
        "bits": prepared.reading.model.num_variables,
        "bits_after_presolve": prepared.model.num_variables,
        "rows_after_presolve": prepared.model.num_rows,
    }
    record = {"format": FORMAT, "kind": "dry run", "model": model, **counts, "footprint": found}
    console.write_json(json_file, {**record, "options": chosen})
    if json_file != "-":
        title = f"{model}, {dry_run.SENT_NOTHING}"
        shown = {**counts, **dry_run.lines(found)}
        console.for_tables(json_file).print(record_table(title, shown))
