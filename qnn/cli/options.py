"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from formulations.network.vocabulary import beginnings
from qnn.cli import vocabulary
from qnn.cli.help import argument, file, folder, name_or_file, one_of, option
from qnn.cli.values import at_least, bias, layers, levels, parsed, samples

if TYPE_CHECKING:
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.training import DataOptions, ModelOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(options):
            command = decorator(command)
        return command

    return decorate


DATA = "Data"
NETWORK = "Network"
SOLVER = "Solver"
ORACLE = "Oracle"
BUDGET = "Budget, at whose end a run keeps what it has"
DRY_RUN = "Dry run"
OUTPUT = "Run and results"
"""Headings."""

KNOWN_DATA = {
    **vocabulary.DATA,
    "FILE.csv": "A line for each sample, numbers, and a column with its class; the first line may "
    "name the columns.",
    "FILE.npz": "Arrays X and y, or X_train, y_train, X_test and y_test.",
    "FILE-images-idx3-ubyte": "Images in IDX, the labels beside them; .gz as well.",
    "DATA:A,B,...": "Only these classes, in this order: digits:3,8 makes 3 the class -1.",
}
"""What DATA may be."""


reading_options = together(
    option(
        "--samples",
        heading=DATA,
        default="100",
        metavar="N",
        callback=parsed(samples),
        help="Training samples; the others are for the test.  all: three quarters, or the whole "
        "training part of data that have one.",
    ),
    option(
        "--inputs",
        heading=DATA,
        type=int,
        metavar="N",
        help="Pool images to N inputs, such as 16 for 4 x 4.",
    ),
    option(
        "--levels",
        heading=DATA,
        default="2",
        metavar="N",
        callback=parsed(levels),
        help="Integer levels of each input, a share of 1/N of the samples on each, or of pixels, "
        "from 8 levels on, of equal width.  even:N: of equal width.  thermometer:N: N inputs of "
        "two levels of each.  keep: leave inputs that are integers as they are.",
    ),
    option(
        "--target",
        heading=DATA,
        metavar="COLUMN",
        help="Column of a CSV file with the classes.",
        otherwise="y, label, target or class; else the last",
    ),
    option(
        "--data-dir",
        heading=DATA,
        metavar="FOLDER",
        shell_complete=folder,
        help="Where mnist and fashion are.",
        otherwise="$QNN_DATA, else fetched once",
    ),
)
data_options = together(
    argument("data", known=KNOWN_DATA, shell_complete=name_or_file(vocabulary.DATA)),
    reading_options,
)
FROM_BUDGET: Mapping[str, Any] = MappingProxyType(
    {
        "hidden": None,
        "activation": "relu:4",
        "weights": None,
        "bias": "auto",
        "loss": "cross-entropy",
        "levels": 16,
        "samples": None,
    }
)
"""What ``--bits`` makes of the options that are not given: None follows, and all samples train."""

bits_option = option(
    "--bits",
    heading=NETWORK,
    type=int,
    callback=at_least(1),
    metavar="N",
    help="Most stored bits of weights and thresholds.  What is not given follows: one hidden layer "
    "as wide as that allows, relu:4, thresholds as wide as needed, cross-entropy, 16 levels of the "
    "inputs, all samples.",
    otherwise="as the other options say",
)
hidden_option = option(
    "--hidden",
    heading=NETWORK,
    default="5",
    metavar="LAYERS",
    callback=parsed(layers),
    shell_complete=one_of(["none"]),
    help="Hidden layers: widths, as 5 or 8-4; convolutions, as conv:8:3x3:2,pool:max:2x2,32 "
    "(filters, size, stride); or none.",
)
model_options = together(
    option(
        "--activation",
        heading=NETWORK,
        default="sign",
        metavar="NAME",
        shell_complete=one_of(beginnings(vocabulary.ACTIVATIONS)),
        help=f"Of the hidden units: {', '.join(vocabulary.ACTIVATIONS)}.",
    ),
    option(
        "--weights",
        heading=NETWORK,
        default="bipolar",
        metavar="CODE",
        shell_complete=one_of(beginnings(vocabulary.WEIGHTS)),
        help=f"Values of a weight: {', '.join(vocabulary.WEIGHTS)}, as codebook:-1,0.5,2.",
    ),
    option(
        "--bias",
        heading=NETWORK,
        default="none",
        metavar="CODE",
        callback=parsed(bias),
        shell_complete=one_of(["none", "same", "auto", *beginnings(vocabulary.WEIGHTS)]),
        help="Thresholds: none, same as the weights, a code of their own, or auto: integers as "
        "wide as the inputs demand.",
    ),
    option(
        "--loss",
        heading=NETWORK,
        default="hinge",
        metavar="NAME",
        shell_complete=one_of(beginnings(vocabulary.LOSSES)),
        help=f"Summed over the samples: {', '.join(vocabulary.LOSSES)}; auto for MARGIN or SCALE "
        "takes it from the width.",
    ),
    option(
        "--constraint",
        "constraints",
        heading=NETWORK,
        multiple=True,
        metavar="NAME",
        callback=lambda _, __, given: tuple(given),
        shell_complete=one_of(beginnings(vocabulary.CONSTRAINTS)),
        help=f"What the weights must satisfy: {', '.join(vocabulary.CONSTRAINTS)}; may be given "
        "again.",
    ),
    option(
        "--encoding",
        heading=NETWORK,
        metavar="NAME",
        shell_complete=one_of(vocabulary.ENCODINGS),
        help=f"Of sums in the model: {', '.join(vocabulary.ENCODINGS)}.",
        otherwise="chosen for each layer",
    ),
)


seed_option = option(
    "--seed",
    heading=OUTPUT,
    type=int,
    default=0,
    callback=at_least(0),
    metavar="N",
    help="Of every random choice: the same seed gives the same result.",
)
json_option = option(
    "--json",
    "json_file",
    heading=OUTPUT,
    metavar="FILE",
    shell_complete=file,
    help="Write the results to this file; - for standard output, and nothing else there.",
)
output_options = together(seed_option, json_option)


def file_option(*words: str, help: str) -> Any:
    """An option that names a file to be written."""
    return option(*words, heading=OUTPUT, metavar="FILE", shell_complete=file, help=help)


def chosen(given: dict[str, Any]) -> tuple[DataOptions, ModelOptions, SolverOptions]:
    """The options of ``train`` and ``compare`` as the values that the work is done with."""
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.training import DataOptions, ModelOptions

    if given.get("bits") is not None:
        source = click.get_current_context().get_parameter_source
        unsaid = [name for name in FROM_BUDGET if source(name) is ParameterSource.DEFAULT]
        given = {**given, **{name: FROM_BUDGET[name] for name in unsaid}}
    given = {**given, "spec": given["data"]}
    return (
        DataOptions(**_part(DataOptions, given)),
        ModelOptions(**_part(ModelOptions, given)),
        SolverOptions(**_part(SolverOptions, given)),
    )


def _part(kind: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    return {field.name: given[field.name] for field in fields(kind) if field.name in given}
