"""``qnn train`` and ``qnn resume``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from formulations.errors import InvalidInputError
from qnn.cli import console, options
from qnn.cli.help import argument, command, folder, option, under
from qnn.runs.solver_table import solver_names

if TYPE_CHECKING:
    from qnn.runs.resume import Asked
    from qnn.runs.training import Training
    from solvers.run.run import Progress


@command(
    examples="""
    qnn train digits --bits 16000
    qnn train digits:3,8 --inputs 16 --iterations 50
    qnn train data.csv --target species --solver annealing --weights ternary
    qnn train fashion:2,4 --inputs 49 --samples 1000 --solver restricted \\
        --time-limit 60 --save net.npz --json run.json
    qnn train digits:3,8 --inputs 4 --samples 10 --oracle qpu --dry-run
    qnn train digits --inputs 16 --hidden 16 --solver hedging --checkpoint run
    """
)
@options.data_argument
@options.reading_options
@options.bits_option
@options.hidden_option
@options.model_options
@under(
    "Solver",
    option("--solver NAME", "Solver: NAMES.  qnn list solvers describes each.",
           names=solver_names, otherwise="trainer, or qcgd if an option is about an oracle"),
    option("--penalty WEIGHT", "Penalty weight of the model's rows, for the solver penalty.", 1.0),
)  # fmt: skip
@options.solver_options
@options.record_options
@options.budget_options
@options.dry_run_options
@options.output_options
@under(
    options.OUTPUT,
    option("--save save_file FILE", "Write the trained network to this NPZ file, for qnn export."),
    option("--checkpoint FOLDER",
           "Keep checkpoints in this folder, so that qnn resume can resume the run."),
    option("--checkpoint-every SECONDS", "Time between two checkpoints; 0: after every step.", 10.0,
           least=0),
)  # fmt: skip
def train(
    solver: str | None,
    save_file: str | None,
    checkpoint: str | None,
    checkpoint_every: float,
    dry_run: bool,
    search: float | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> int:
    """Train one network on DATA and print its figures.

    Ctrl-C stops the run with the best weights so far.
    """
    from qnn.runs import resume as runs

    asked = runs.Asked(
        _usual_solver() if solver is None else solver,
        *options.chosen(given),
        seed=seed,
        json_file=json_file,
        save_file=save_file,
        checkpoint_every=checkpoint_every,
        folder=os.getcwd(),
    )
    if dry_run:
        return _dry_run(asked, search)
    return _train(asked, checkpoint)


def _usual_solver() -> str:
    """Default solver: one that asks an oracle if any option concerns oracles."""
    about_oracles = (
        "oracle", "oracle_option", "oracle_timeout", "record", "replay", "iterations", "reads",
        "sweeps", "threads", "budget_calls", "budget_seconds", "budget_charged",
    )  # fmt: skip
    source = click.get_current_context().get_parameter_source
    given = any(source(name) is not ParameterSource.DEFAULT for name in about_oracles)
    return "qcgd" if given else "trainer"


def _dry_run(asked: Asked, search: float | None) -> int:
    """Print what the run would take, and send nothing."""
    from qnn.runs import dry_run
    from qnn.runs.output import FORMAT
    from qnn.runs.tables import record_table

    data = console.data_files([asked.data.spec], asked.data.data_dir)
    console.check_outputs(asked.json_file, inputs=data)
    record = dry_run.of_training(asked, search)
    about = {"data": asked.data, "model": asked.model, "options": asked.options}
    told = {"format": FORMAT, "kind": "dry run", **record, **about}
    found, widths = record.pop("footprint"), record.pop("widths")
    title = f"{'-'.join(map(str, widths))} on {asked.data.spec}, {dry_run.SENT_NOTHING}"
    shown = {**record, **dry_run.lines(found)}
    console.deliver(asked.json_file, told, record_table(title, shown))
    return 0


@command(
    examples="""
    qnn train digits --inputs 16 --hidden 16 --solver hedging --checkpoint run
    qnn resume run
    qnn resume run --time-limit 3600 --json run.json
    """
)
@argument("folder", metavar="RUN", shell_complete=folder)
@under(
    "Solver", option("--time-limit SECONDS", "Time limit of the whole run, in place of its own.")
)
@options.budget_options
@under(
    options.OUTPUT,
    option("--seed N", "Seed of the run; another one is refused."),
    option("--json json_file FILE", "Write the results to this file instead."),
    option("--save save_file FILE", "Write network and weights to this file instead."),
)
@options.record_options
def resume(
    folder: str,
    seed: int | None,
    save_file: str | None,
    json_file: str | None,
    record: str | None,
    replay: str | None,
    **limits: Any,
) -> int:
    """Resume a run of qnn train --checkpoint.

    RUN is the folder of the run, which ends as if it had never been stopped.  The folder holds the
    options of the run; only limits and output files can be given anew.  Files outside RUN are
    written only if they are named here, since a folder from somebody else may name any file.
    """
    from qnn.runs import resume as runs

    kept = runs.read(folder)
    if seed not in (None, kept.seed):
        raise InvalidInputError(
            f"--seed {seed}: the run in {folder!r} has seed {kept.seed} and goes on with it; leave "
            "it out, or begin another run"
        )
    places = {"--json": json_file, "--save": save_file, "--record": record}
    runs.check_trusted(kept, folder, [option for option, place in places.items() if place])
    asked = kept.instead(
        **limits,
        save_file=save_file and os.path.abspath(save_file),
        json_file=json_file if json_file in (None, "-") else os.path.abspath(json_file),
        record=record and os.path.abspath(record),
        replay=replay and os.path.abspath(replay),
    )
    checkpoint = os.path.abspath(folder)
    with asked.in_folder():
        return _train(asked, checkpoint)


def _train(asked: Asked, checkpoint: str | None) -> int:
    """Train and report; with a folder ``checkpoint``, keep the run in it.

    Returns
    -------
    int
        The exit code.
    """
    from qnn.export import TrainedModel
    from qnn.runs import resume as runs
    from qnn.runs import training
    from qnn.runs.output import FORMAT, environment
    from qnn.runs.tables import class_tables, record_table

    json_file, save_file, options = asked.json_file, asked.save_file, asked.options
    console.check_outputs(
        json_file,
        save_file,
        inputs=console.data_files([asked.data.spec], asked.data.data_dir),
        folders=[checkpoint, options.record, options.replay],
    )
    with (
        runs.kept(asked, checkpoint),
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
            options,
            seed=asked.seed,
            callbacks=[show],
            checkpoint=checkpoint,
            checkpoint_every=asked.checkpoint_every,
        )
    record = {
        "format": FORMAT,
        "kind": "training",
        **run.figures,
        "data": asked.data,
        "classes": run.data.classes,
        "model": asked.model,
        "options": options,
        "ledger": run.result.ledger,
        "trace": run.course["trace"],
        "history": run.result.history.columns,
        "environment": environment(),
        **_on_test_samples(run, asked.seed),
    }
    widths = str(run.problem.network)
    shown = {name: value for name, value in run.figures.items() if name != "widths"}
    beside, test = record["logistic_regression"], record["test"]
    if beside is not None:
        accuracy, bits = beside["test_accuracy"], beside["stored_bits"]
        shown["logistic regression"] = f"{accuracy:.4f} with {bits:,} bits"
    trained = TrainedModel.of_data(run.data, run.problem.network, run.result.weights)
    try:
        console.deliver(
            json_file,
            record,
            record_table(f"{widths} on {asked.data.spec}", shown),
            *(class_tables(test) if test is not None else ()),
            files={save_file: lambda: trained.save(str(save_file))},
        )
    finally:
        if run.figures["reason"] is not None:
            console.say(f"qnn: stopped: {run.figures['reason']}", err=True)
        stopped = run.figures["status"] in ("interrupted", "oracle failed", "budget used up")
        if checkpoint is not None and stopped:
            console.say(f"go on with: {runs.command(asked, checkpoint)}", err=True)
    return console.exit_code(run.figures["status"], run.result.info)


def _on_test_samples(run: Training, seed: int) -> dict[str, Any]:
    """Per-class figures and those of logistic regression; None without test samples.

    Logistic regression is also left out if it would take longer than the network.
    """
    from qnn.compare.references import figures
    from qnn.runs.scoring import class_figures

    data, network = run.data, run.problem.network
    found: dict[str, Any] = {"test": None, "logistic_regression": None}
    if not len(data.X_test):
        return found
    true, said = data.y_test, network.predict(run.result.weights, data.X_test)
    if network.num_outputs == 1:
        true, said = (1 + true) // 2, (1 + said) // 2
    found["test"] = class_figures(true, said, data.classes)
    if data.X_train.size <= 3_000_000:  # takes a few seconds
        reference = figures("logistic-regression", data, run.figures["loss"], seed)
        names = ("train_accuracy", "test_accuracy", "stored_bits")
        found["logistic_regression"] = {name: reference[name] for name in names}
    return found
