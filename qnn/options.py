"""Options that several commands share, and how their words become values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from formulations.errors import InvalidInputError

if TYPE_CHECKING:
    from qnn.training import DataOptions, ModelOptions, SolverOptions

Command = TypeVar("Command", bound=Callable[..., Any])

SOLVER_NAMES = (
    "qcgd, qcgd-cold, penalty, random, annealing, restricted, hedging, "
    "straight-through, random-features, explicit, manifold, rmda, svi, "
    "rounding, rounding-qubo, exact"
)
"""What ``--help`` lists; the table itself is ``qnn.training.SOLVERS``, not loaded for help."""

ORACLE_NAMES = (
    "annealer, path-integral, tabu, steepest-descent, tree-decomposition, exact, bifurcation, "
    "coherent-ising, qpu, hybrid, mock-qpu, mock-hybrid"
)
"""As above, of ``solvers.oracles.registry``."""


def widths(text: str) -> tuple[int, ...]:
    """Widths such as ``16-4-1`` or ``16,4,1``; none for ``none``.

    Examples
    --------
    >>> widths("16-4-1"), widths("none")
    ((16, 4, 1), ())
    """
    if text == "none":
        return ()
    try:
        return tuple(int(word) for word in text.replace(",", "-").split("-"))
    except ValueError:
        raise InvalidInputError(
            f"widths {text!r}: expected whole numbers between dashes, such as 16-4-1, or none"
        ) from None


def levels(text: str) -> int | None:
    """A number of levels, or None for ``keep``."""
    if text == "keep":
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(f"levels {text!r}: expected a whole number or keep") from None


def samples(text: str) -> int | None:
    """A number of samples, or None for ``all``."""
    if text == "all":
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(f"samples {text!r}: expected a whole number or all") from None


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise InvalidInputError(f"{text!r}: expected numbers between commas, as 0.1,1") from None


def names(text: str) -> list[str]:
    """Words between commas."""
    return [word.strip() for word in text.split(",")]


def bias(text: str) -> bool | str:
    """No thresholds, thresholds in the weights' code, or a code."""
    return {"none": False, "same": True}.get(text, text)


def parsed(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], Any]:
    """A callback that turns an option's text into its value, with the toolkit's own errors."""
    return lambda context, parameter, value: read(value)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


reading_options = together(
    click.option(
        "--samples",
        default="100",
        show_default=True,
        callback=parsed(samples),
        help="Training samples, or all: three quarters, or the whole training part.",
    ),
    click.option("--inputs", type=int, help="Pool images to this many inputs (a square)."),
    click.option(
        "--levels",
        default="2",
        show_default=True,
        callback=parsed(levels),
        help="Integer levels of each input, or keep for inputs that are integers.",
    ),
    click.option("--target", help="Label column of a CSV file."),
    click.option(
        "--data-dir", help="Folder of mnist and fashion. Default: $QNN_DATA, else OpenML."
    ),
)
data_options = together(click.argument("data"), reading_options)
hidden_option = click.option(
    "--hidden",
    default="5",
    show_default=True,
    callback=parsed(widths),
    help="Hidden widths: 5, 8-4 or none.",
)
model_options = together(
    click.option("--activation", default="sign", show_default=True, help="Of the hidden units."),
    click.option("--weights", default="bipolar", show_default=True, help="Weight code."),
    click.option(
        "--bias",
        default="none",
        show_default=True,
        callback=parsed(bias),
        help="Thresholds: none, same (as the weights) or a weight code.",
    ),
    click.option("--loss", default="hinge", show_default=True, help="Loss of a sample."),
    click.option("--encoding", help="Of the model; chosen for each layer if left out."),
)
oracle_options = together(
    click.option(
        "--oracle", help=f"Who answers QUBOs: {ORACLE_NAMES}, or another package's.  [annealer]"
    ),
    click.option(
        "--oracle-option",
        multiple=True,
        metavar="KEY=VALUE",
        help="Of the oracle; may be given again.  --reads, --sweeps and --threads go to every "
        "oracle that has them.",
    ),
)
solver_options = together(
    oracle_options,
    click.option("--iterations", type=int, default=100, show_default=True, help="Oracle calls."),
    click.option("--reads", type=int, default=10, show_default=True, help="Reads of a call."),
    click.option("--sweeps", type=int, default=50, show_default=True, help="Sweeps of a read."),
    click.option("--threads", type=int, default=2, show_default=True, help="Of the oracle."),
    click.option("--flips", type=int, default=20_000, show_default=True, help="Of annealing."),
    click.option("--restarts", type=int, default=1, show_default=True, help="Of annealing."),
    click.option("--time-limit", type=float, help="Seconds of a run."),
)
budget_options = together(
    click.option("--budget-calls", type=int, help="Most oracle calls."),
    click.option("--budget-seconds", type=float, help="Most seconds of the oracle's own time."),
    click.option("--budget-charged", type=float, help="Most seconds that an account is charged."),
)
record_options = together(
    click.option("--record", help="Keep every answer of the oracle in this folder, and use it."),
    click.option("--replay", help="Take all answers from this folder of --record; ask no oracle."),
)
output_options = together(
    click.option("--seed", type=int, default=0, show_default=True, help="Of every random choice."),
    click.option(
        "--json", "json_file", help="Write the results to this file; - for standard output."
    ),
)


def chosen(given: dict[str, Any]) -> tuple[DataOptions, ModelOptions, SolverOptions]:
    """The options of ``train`` and ``compare`` as the values that the work is done with."""
    from qnn.training import DataOptions, ModelOptions, SolverOptions

    given = {**given, "spec": given["data"]}
    return (
        DataOptions(**_part(DataOptions, given)),
        ModelOptions(**_part(ModelOptions, given)),
        SolverOptions(**_part(SolverOptions, given)),
    )


def _part(kind: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    return {field.name: given[field.name] for field in fields(kind) if field.name in given}
