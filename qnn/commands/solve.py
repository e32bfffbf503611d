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

READS, SWEEPS = 20, 25
"""Of the annealer, where it is guarded or has one of the two given."""

SHOWN = 12
"""Values of the answer that the table lists, those that are not zero."""


@click.command()
@click.argument("model")
@click.option("--iterations", type=int, default=100, show_default=True, help="Oracle calls.")
@click.option("--reads", type=int, help="Reads of a call; the oracle's own if left out.")
@click.option("--sweeps", type=int, help="Sweeps of a read; the oracle's own if left out.")
@click.option("--time-limit", type=float, help="Seconds of the run.")
@click.option(
    "--oracle",
    help="Annealer, exact, tabu, qpu or another by name; a fitting annealer if left out.",
)
@click.option("--save", "save_file", help="Write all samples to this JSON file, as dimod does.")
@options.budget_options
@options.record_options
@dry_run_options
@options.output_options
def solve(
    model: str,
    iterations: int,
    reads: int | None,
    sweeps: int | None,
    time_limit: float | None,
    oracle: str | None,
    save_file: str | None,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
    **guards: Any,
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
    of_oracle = _given(reads=reads, sweeps=sweeps)
    if dry_run:
        _dry_run(model, cqm, asked, of_oracle.get("reads", READS), search, json_file)
        return
    chosen = {**asked, "oracle": _oracle(oracle, of_oracle, _given(**guards))}
    with console.progress_bar(f"solve {model}") as move:

        def show(progress: Progress) -> None:
            move(progress.iteration, progress.iterations, f"best {progress.loss:g}")

        samples = QCGD(**chosen, callbacks=(show,)).sample_cqm(cqm)
    if save_file is not None:
        write_text(save_file, answer_json(samples))
    figures = _figures(cqm, samples)
    asked |= {"oracle": oracle, **of_oracle, **guards}
    about = {"model": model, "options": asked, "environment": environment()}
    record = {"format": FORMAT, "kind": "answer", **figures, **samples.info, **about}
    console.write_json(json_file, record)
    if json_file != "-":
        table = record_table(Path(model).name, _lines(figures, samples))
        console.for_tables(json_file).print(table)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _oracle(name: str | None, given: dict[str, Any], guards: dict[str, Any]) -> Oracle | None:
    """The oracle of that name with its options, guarded; None leaves the choice to the solver."""
    from qnn.safeguards import safeguarded
    from qnn.training import SolverOptions
    from solvers.oracles import registry

    if name is None and not given and not guards:
        return None
    if name is None:
        given = {"reads": READS, "sweeps": SWEEPS, **given}
    return safeguarded(registry.make(name or "annealer", **given), SolverOptions(**guards))


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
