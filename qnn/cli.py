"""The command ``qnn``: train, resume, compare, size.

Errors that the toolkit raises on purpose, and the operating system's, become one line on standard
error and exit code 2.  Ctrl-C returns what there is so far; only without it is the exit code 130.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console

from formulations.errors import InvalidInputError, QnnError
from qnn import options

if TYPE_CHECKING:
    from qnn.resume import Asked
    from solvers.result import Progress

BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    try:
        code = cli.main(arguments, prog_name="qnn", standalone_mode=False) or 0
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("qnn: interrupted before there was a result", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        code = _silence_stdout()
    except (QnnError, OSError) as error:
        click.echo(f"qnn: error: {_one_line(error)}", err=True)
        code = BAD_INPUT
        _silence_stdout()
    sys.exit(code)


def _one_line(error: Exception) -> str:
    """The message of an error; for one of the operating system the file, the reason, the remedy."""
    if isinstance(error, OSError) and not isinstance(error, QnnError):
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        return f"{where}{reason}; check the name, the permission and the space left, then try again"
    return " ".join(str(error).split())


def _silence_stdout() -> int:
    """Keep the interpreter from failing once more when it flushes a closed or full output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qnn-ising", prog_name="qnn")
def cli() -> None:
    """Train networks of one or two bits a weight with an annealer."""


# -- what is shown ---------------------------------------------------------------------------------


def _console(json_file: str | None) -> Console:
    """Where tables go: standard output, or standard error when that is for the JSON."""
    terminal = (sys.stderr if json_file == "-" else sys.stdout).isatty()
    return Console(
        stderr=json_file == "-",
        width=None if terminal else 120,
        markup=False,  # a file may be called [bold].csv
        emoji=False,
        highlight=False,
    )


def _check_outputs(*paths: str | None) -> None:
    """Refuse places that cannot be written to before the work begins."""
    from qnn.output import check_writable

    for path in paths:
        if path is not None and path != "-":
            check_writable(path)


def _write_json(path: str | None, value: Any) -> None:
    from qnn.output import to_json, write_text

    if path == "-":
        click.echo(to_json(value), nl=False)
    elif path is not None:
        write_text(path, to_json(value))


@contextmanager
def _bar(description: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """A progress bar on standard error, and the function that moves it; nothing if no terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    ]
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(description, total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)


# -- commands --------------------------------------------------------------------------------------


@cli.command()
@options.data_options
@options.hidden_option
@options.model_options
@click.option("--solver", default="qcgd", show_default=True, help=f"One of {options.SOLVER_NAMES}.")
@click.option("--penalty", type=float, default=1.0, show_default=True, help="Weight of penalty.")
@options.solver_options
@click.option("--save", "save_file", help="Write network and weights to this NPZ file.")
@click.option("--checkpoint", help="Keep the run in this folder, so that qnn resume can go on.")
@click.option(
    "--checkpoint-every",
    type=float,
    default=10.0,
    show_default=True,
    help="Seconds between two checkpoints; 0: after every step.",
)
@options.output_options
def train(
    solver: str,
    save_file: str | None,
    checkpoint: str | None,
    checkpoint_every: float,
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
    _train(asked, checkpoint)


@cli.command()
@click.argument("folder", metavar="RUN")
@click.option("--time-limit", type=float, help="Seconds of the run in all, instead of its own.")
@click.option("--save", "save_file", help="Write network and weights to this NPZ file instead.")
@click.option("--json", "json_file", help="Write the results to this file instead.")
def resume(
    folder: str, time_limit: float | None, save_file: str | None, json_file: str | None
) -> None:
    """Go on with the training run in the folder RUN, of qnn train --checkpoint RUN.

    It ends as it would have ended if it had never been stopped.
    """
    from qnn import resume as runs

    asked = runs.read(folder).instead(
        time_limit=time_limit,
        save_file=save_file and os.path.abspath(save_file),
        json_file=json_file if json_file in (None, "-") else os.path.abspath(json_file),
    )
    checkpoint = os.path.abspath(folder)
    with asked.in_folder():
        _train(asked, checkpoint)


def _train(asked: Asked, checkpoint: str | None) -> None:
    """Train, with the run kept in the folder ``checkpoint`` if there is one, and report."""
    from formulations.files import save_weights
    from qnn import resume as runs
    from qnn import training
    from qnn.output import FORMAT, environment
    from qnn.tables import record_table

    json_file, save_file = asked.json_file, asked.save_file
    _check_outputs(json_file, save_file)
    if checkpoint is not None:
        solver = training.make_solver(asked.solver, asked.options)
        training.with_checkpoint(solver, asked.solver, checkpoint)  # refused before it is written
        runs.write(asked, checkpoint)
    with _bar(f"{asked.solver} on {asked.data.spec}") as move, runs.warnings_as_lines():

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
        save_weights(run.task.network, run.result.weights, save_file)
    record = {
        "format": FORMAT,
        "kind": "training",
        **run.figures,
        "data": asked.data,
        "classes": run.task.data.classes,
        "model": asked.model,
        "options": asked.options,
        "history": run.result.history.columns,
        "environment": environment(),
    }
    _write_json(json_file, record)
    if json_file != "-":
        widths = "-".join(str(width) for width in run.task.network.widths)
        shown = {name: value for name, value in run.figures.items() if name != "widths"}
        _console(json_file).print(record_table(f"{widths} on {asked.data.spec}", shown))
    if checkpoint is not None and run.figures["status"] == "interrupted":
        click.echo(f"go on with: qnn resume {shlex.quote(checkpoint)}", err=True)


@cli.command()
@options.data_options
@options.hidden_option
@options.model_options
@click.option(
    "--solvers",
    default="qcgd,penalty,random,annealing,straight-through",
    callback=options.parsed(options.names),
    show_default=True,
    help=f"Between commas: {options.SOLVER_NAMES}.",
)
@click.option("--seeds", type=int, default=3, show_default=True, help="How many, from --seed on.")
@click.option(
    "--penalties",
    default="0.3,1,3,10",
    show_default=True,
    callback=options.parsed(options.numbers),
    help="Weights that penalty tries.",
)
@click.option(
    "--exact-limit", type=float, default=10.0, show_default=True, help="Seconds of exact."
)
@options.solver_options
@click.option(
    "--report", "report_file", help="Write the table and every run to this Markdown file."
)
@options.output_options
def compare(
    solvers: list[str],
    seeds: int,
    penalties: list[float],
    exact_limit: float,
    report_file: str | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> None:
    """Train with several solvers on DATA, with one oracle budget, over several seeds.

    A seed draws the training part and starts the solver, so that all solvers see the same data.
    """
    from qnn import compare as comparison
    from qnn.output import plain, write_text
    from qnn.tables import comparison_table, report

    _check_outputs(json_file, report_file)
    data, model, budget = options.chosen(given)
    cells = comparison.plan(
        data,
        model,
        budget,
        solvers=solvers,
        seeds=range(seed, seed + seeds),
        penalties=penalties,
        exact_time_limit=exact_limit,
    )
    with _bar(f"compare on {data.spec}") as move:
        finished: list[comparison.Outcome] = []

        def keep(cell: comparison.Cell, outcome: comparison.Outcome) -> None:
            finished.append(outcome)
            if json_file is not None and json_file != "-":
                partial = len(finished) < len(cells)
                _write_json(json_file, comparison.results(cells, finished, interrupted=partial))
            note = f"{len(finished)} of {len(cells)} runs, last {cell.key}"
            move(len(finished), len(cells), note)

        outcomes, interrupted = comparison.run(cells, on_outcome=keep)
    results = plain(comparison.results(cells, outcomes, interrupted=interrupted))
    _write_json(json_file, results)
    if report_file is not None:
        write_text(report_file, report(results))
    if json_file != "-":
        console = _console(json_file)
        console.print(comparison_table(results))
        for path in (json_file, report_file):
            if path is not None:
                console.print(f"written: {path}")
    failures = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if len(failures) == len(outcomes):
        raise QnnError(f"every run failed: {failures[0]}")


@cli.command()
@click.argument("widths")
@click.option("--samples", type=int, default=100, show_default=True, help="Training samples.")
@click.option("--levels", type=int, default=2, show_default=True, help="Levels of each input.")
@options.model_options
@options.output_options
def size(
    widths: str, samples: int, levels: int, seed: int, json_file: str | None, **given: Any
) -> None:
    """Count the model of a network WIDTHS, such as 16-4-1, without building it."""
    from formulations import Network, network_size
    from formulations.sizes import available_memory
    from qnn.datasets import level_values
    from qnn.output import FORMAT
    from qnn.tables import record_table

    _check_outputs(json_file)
    if levels < 2:
        raise InvalidInputError(f"levels={levels}: expected at least 2")
    network = Network.dense(
        options.widths(widths), given["activation"], given["weights"], given["bias"]
    )
    model = network_size(
        network,
        samples,
        input_range=int(level_values(levels)[-1]),
        loss=given["loss"],
        encoding=given["encoding"],
    )
    free = available_memory()
    record = {
        "num_variables": model.num_variables,
        "weight_bits": model.weight_bits,
        "state_bits": model.state_bits,
        "num_rows": model.num_rows,
        "num_products": model.num_products,
        "nonzeros": model.nonzeros,
        "bytes": model.bytes,
        "fits_in_memory": None if free is None else model.bytes <= free,
    }
    _write_json(json_file, {"format": FORMAT, "kind": "size", "samples": samples, **record})
    if json_file != "-":
        _console(json_file).print(record_table(f"{widths}, {samples} samples", record))


if __name__ == "__main__":
    main()
