"""``qnn train`` and ``qnn resume``."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from qnn import options
from qnn.commands import console
from qnn.dry_run import dry_run_options

if TYPE_CHECKING:
    from qnn.resume import Asked
    from solvers.result import Progress

RESUMABLE = ("interrupted", "oracle failed", "budget used up")
"""After a run with one of these the command line says how to go on."""


@click.command()
@options.data_options
@options.hidden_option
@options.model_options
@click.option("--solver", default="qcgd", show_default=True, help=f"One of {options.SOLVER_NAMES}.")
@click.option("--penalty", type=float, default=1.0, show_default=True, help="Weight of penalty.")
@options.solver_options
@options.budget_options
@options.record_options
@click.option("--save", "save_file", help="Write network and weights to this NPZ file.")
@click.option("--checkpoint", help="Keep the run in this folder, so that qnn resume can go on.")
@click.option(
    "--checkpoint-every",
    type=float,
    default=10.0,
    show_default=True,
    help="Seconds between two checkpoints; 0: after every step.",
)
@dry_run_options
@options.output_options
def train(
    solver: str,
    save_file: str | None,
    checkpoint: str | None,
    checkpoint_every: float,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> None:
    """Train one network on DATA and report it.

    DATA is digits, breast_cancer, wine, iris, mnist, fashion, or a CSV, NPZ or IDX file; :3,8 after
    it keeps the classes 3 and 8.
    """
    from qnn import resume as runs

    asked = runs.Asked(
        solver,
        *options.chosen(given),
        seed=seed,
        json_file=json_file,
        save_file=save_file,
        checkpoint_every=checkpoint_every,
        folder=os.getcwd(),
    )
    if dry_run:
        _dry_run(asked, search)
    else:
        _train(asked, checkpoint)


def _dry_run(asked: Asked, search: float | None) -> None:
    """Say what the run would take, and send nothing."""
    from qnn import dry_run
    from qnn.output import FORMAT
    from qnn.tables import record_table

    console.check_outputs(asked.json_file)
    record = dry_run.of_training(asked, search)
    about = {"data": asked.data, "model": asked.model, "options": asked.options}
    console.write_json(asked.json_file, {"format": FORMAT, "kind": "dry run", **record, **about})
    if asked.json_file != "-":
        found, widths = record.pop("footprint"), record.pop("widths")
        title = f"{'-'.join(map(str, widths))} on {asked.data.spec}, {dry_run.SENT_NOTHING}"
        shown = {**record, **dry_run.lines(found)}
        console.for_tables(asked.json_file).print(record_table(title, shown))


@click.command()
@click.argument("folder", metavar="RUN")
@click.option("--time-limit", type=float, help="Seconds of the run in all, instead of its own.")
@options.budget_options
@click.option("--save", "save_file", help="Write network and weights to this NPZ file instead.")
@click.option("--json", "json_file", help="Write the results to this file instead.")
def resume(folder: str, save_file: str | None, json_file: str | None, **limits: Any) -> None:
    """Go on with the training run in the folder RUN, of qnn train --checkpoint RUN.

    It ends as it would have ended if it had never been stopped.
    """
    from qnn import resume as runs

    asked = runs.read(folder).instead(
        **limits,
        save_file=save_file and os.path.abspath(save_file),
        json_file=json_file if json_file in (None, "-") else os.path.abspath(json_file),
    )
    checkpoint = os.path.abspath(folder)
    with asked.in_folder():
        _train(asked, checkpoint)


def _train(asked: Asked, checkpoint: str | None) -> None:
    """Train, with the run kept in the folder ``checkpoint`` if there is one, and report."""
    from qnn import resume as runs
    from qnn import training
    from qnn.export import TrainedModel
    from qnn.output import FORMAT, environment
    from qnn.tables import record_table

    json_file, save_file = asked.json_file, asked.save_file
    console.check_outputs(json_file, save_file)
    if checkpoint is not None:
        solver = training.make_solver(asked.solver, asked.options)
        training.with_checkpoint(solver, asked.solver, checkpoint)  # refused before it is written
        runs.write(asked, checkpoint)
    with (
        console.progress_bar(f"{asked.solver} on {asked.data.spec}") as move,
        runs.warnings_as_lines(),
    ):

        def show(progress: Progress) -> None:
            note = f"{progress.iteration} steps, best loss {progress.loss:g}"
            move(progress.iteration, progress.iterations, note)

        run = training.train(
            asked.data,
            asked.model,
            asked.solver,
            asked.options,
            seed=asked.seed,
            callbacks=[show],
            checkpoint=checkpoint,
            checkpoint_every=asked.checkpoint_every,
        )
    if save_file is not None:
        TrainedModel.of_task(run.task, run.result.weights).save(save_file)
    record = {
        "format": FORMAT,
        "kind": "training",
        **run.figures,
        "data": asked.data,
        "classes": run.task.data.classes,
        "model": asked.model,
        "options": asked.options,
        "ledger": run.result.ledger,
        "history": run.result.history.columns,
        "environment": environment(),
    }
    console.write_json(json_file, record)
    if json_file != "-":
        widths = "-".join(str(width) for width in run.task.network.widths)
        shown = {name: value for name, value in run.figures.items() if name != "widths"}
        console.for_tables(json_file).print(record_table(f"{widths} on {asked.data.spec}", shown))
    if run.figures["reason"] is not None:
        click.echo(f"qnn: stopped: {run.figures['reason']}", err=True)
    if checkpoint is not None and run.figures["status"] in RESUMABLE:
        click.echo(f"go on with: qnn resume {shlex.quote(checkpoint)}", err=True)
