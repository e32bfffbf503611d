"""Options that several commands share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from formulations.network.vocabulary import beginnings
from qnn.cli import vocabulary
from qnn.cli.help import Decorator, Items, argument, name_or_file, one_of, option, under
from qnn.cli.values import bias, layers, levels, samples
from qnn.runs.solver_options import BLOCKS
from qnn.runs.solver_table import SOLVERS
from solvers.oracles import registry

if TYPE_CHECKING:
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.training import DataOptions, ModelOptions

# -- data and network ------------------------------------------------------------------------------

KNOWN_DATA = {
    **vocabulary.DATA,
    "FILE.csv": "One sample a line: numbers, and a column with the class.  The first line may name "
    "the columns.",
    "FILE.npz": "Arrays X and y, or X_train, y_train, X_test and y_test.",
    "FILE-images-idx3-ubyte": "Images in IDX format, with the labels beside them; also .gz.",
    "DATA:A,B,...": "Only these classes, in this order: in digits:3,8 the digit 3 is the class -1.",
}
"""Accepted values of DATA."""

data_argument = argument("data", known=KNOWN_DATA, shell_complete=name_or_file(vocabulary.DATA))
where_options = (
    option("--target COLUMN", "Column of the CSV file that holds the class.",
           otherwise="y, label, target or class; else the last"),
    option("--data-dir FOLDER", "Folder that holds mnist and fashion.",
           otherwise="$QNN_DATA, else downloaded once"),
)  # fmt: skip
reading_options = under(
    "Data",
    option(
        "--samples N",
        "Number of training samples; the others are test samples.  all: three quarters, or the "
        "whole training part of data that have one.",
        "100",
        read=samples,
    ),
    option("--inputs N", "Pool images to N inputs, such as 16 for 4 x 4."),
    option(
        "--levels N",
        "Number of integer levels of each input.  Each level holds an equal share of the samples; "
        "8 or more levels of pixels have equal width.  even:N: equal width.  scaled:N: equal width "
        "within each column's mean +- 2.5 standard deviations.  thermometer:N: N two-level inputs "
        "for each input.  keep: take integer inputs as they are.",
        "2",
        read=levels,
    ),
    *where_options,
)
bits_option = under(
    "Network",
    option(
        "--bits N",
        "Largest number of stored bits, weights and thresholds together.  Options that are not "
        "given follow from it: one hidden layer as wide as the bits allow, or none if "
        "cross-validation favours a linear network; relu:4, integer thresholds, cross-entropy, "
        "levels by cross-validation, all samples.",
        least=1,
        otherwise="set by the other options",
    ),
)
hidden_option = under(
    "Network",
    option(
        "--hidden LAYERS",
        "Hidden layers: widths, such as 5 or 8-4; convolutions, such as "
        "conv:8:3x3:2,pool:max:2x2,32 (filters, size, stride); or none.",
        "5",
        read=layers,
        of=["none"],
    ),
)
model_options = under(
    "Network",
    option(
        "--activation NAME",
        f"Activation of the hidden units: {', '.join(vocabulary.ACTIVATIONS)}.",
        "sign",
        of=beginnings(vocabulary.ACTIVATIONS),
    ),
    option(
        "--weights CODE",
        f"Code of the weights: {', '.join(vocabulary.WEIGHTS)}, such as codebook:-1,0.5,2.",
        "bipolar",
        of=beginnings(vocabulary.WEIGHTS),
    ),
    option(
        "--bias CODE",
        "Code of the thresholds: none, same (that of the weights), another code, or auto "
        "(integers as wide as the inputs demand).",
        "none",
        read=bias,
        of=["none", "same", "auto", *beginnings(vocabulary.WEIGHTS)],
    ),
    option(
        "--loss NAME",
        f"Loss, summed over the training samples: {', '.join(vocabulary.LOSSES)}.  With auto, "
        "MARGIN or SCALE follows from the width.",
        "hinge",
        of=beginnings(vocabulary.LOSSES),
    ),
    option(
        "--constraint constraints NAME",
        f"Constraint on the weights: {', '.join(vocabulary.CONSTRAINTS)}.  Repeat the option for "
        "several.",
        multiple=True,
        of=beginnings(vocabulary.CONSTRAINTS),
    ),
    option(
        "--encoding NAME",
        f"Encoding of sums in the model: {', '.join(vocabulary.ENCODINGS)}.",
        of=vocabulary.ENCODINGS,
        otherwise="chosen for each layer",
    ),
)

# -- solvers and oracles ---------------------------------------------------------------------------


def oracle_option_names(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Complete the option names of the oracle that ``--oracle`` names."""
    from formulations.errors import QnnError

    try:
        known = registry.options(context.params.get("oracle") or "annealer")
    except QnnError:
        known = []
    return one_of([f"{name}=" for name in known])(context, parameter, start)


def oracle_options(whose: str = "") -> Decorator:
    """Add the oracle and its options; ``whose`` names in the help whose QUBOs it answers."""
    return under(
        "Oracle",
        option("--oracle NAME", f"Oracle for the QUBOs{whose}: NAMES.", names=registry.names,
               otherwise="annealer"),
        option("--oracle-option KEY=VALUE",
               "Set an option of the oracle (see qnn list oracles); repeat for several.",
               multiple=True, shell_complete=oracle_option_names),
    )  # fmt: skip


def _oracle_users() -> str:
    """List the toolkit's solvers that ask an oracle, in words."""
    always, named = (
        [name for name, (own, *_) in SOLVERS.items() if own == asks]
        for asks in ("always", "if named")
    )
    return f" of {', '.join(always)}, and of {' and '.join(named)} if one is named"


timeout_option = under(
    "Oracle",
    option(
        "--oracle-timeout SECONDS",
        "Abandon a call that takes longer than this, and repeat it up to four times.",
        least=0,
        more=True,
    ),
)
solver_options = under(
    None,
    under(
        "Solver",
        option(
            "--iterations N",
            "Oracle calls of qcgd, qcgd-cold and penalty; rounds of hedging and decomposed.  "
            "random makes N times --reads guesses.",
            100,
        ),
        option(
            "--level N",
            "Level of decomposed: its blocks agree on the mean of every product of up to N weight "
            "bits.",
            1,
            least=1,
        ),
        option(
            "--blocks NAME",
            "Solver of the blocks of hedging and decomposed: NAMES.  The first two prove bounds; "
            "so do qcgd and lifted with an exact oracle.",
            names=lambda: list(BLOCKS),
            otherwise="enumeration up to 2^16 weight settings, else the oracle or annealing",
        ),
        option(
            "--block-size N",
            "Samples in each block of hedging and decomposed.",
            least=1,
            otherwise="a quarter of the samples",
        ),
        option(
            "--restricted-model NAME",
            "Model that restricted sends to a named oracle: flips (all single and double moves of "
            "32 weights) or states (two to eight weights, with every state of the network that "
            "they change).",
            "flips",
            of=["flips", "states"],
        ),
        option(
            "--flips N",
            "Proposals of annealing in each restart, and of hedging in each block that is too "
            "large to solve exactly (above 2^16 weight settings).",
            20_000,
        ),
        option("--restarts N", "Number of restarts of annealing.", 1),
        option(
            "--time-limit SECONDS", "Stop any solver after this time, and keep its best result."
        ),
    ),
    oracle_options(_oracle_users()),
    under(
        "Oracle",
        option("--reads N", "Samples a call, for oracles that have this option.", 10),
        option("--sweeps N", "Steps a read, for oracles that have this option.", 50),
        option("--threads N", "Threads of exact, and of local oracles that have this option.", 2),
    ),
    timeout_option,
)
budget_options = under(
    "Budget (the run stops when it is spent, and keeps its best result)",
    option("--budget-calls N", "Largest number of oracle calls.", least=0),
    option("--budget-seconds SECONDS", "Largest total of the oracle's own time.", least=0),
    option("--budget-charged SECONDS", "Largest total that an account is charged.", least=0),
)
record_options = under(
    "Oracle",
    option("--record FOLDER", "Store every answer in this folder, and reuse those that it holds."),
    option("--replay FOLDER", "Take all answers from a folder of --record; make no call."),
)
search_option = option(
    "--search SECONDS",
    "Time to search for an embedding on each QPU graph; 0: no search.",
    least=0,
    otherwise="10 up to 64 variables, else 0",
)
dry_run_options = under(
    "Dry run",
    option("--dry-run", "Print what the run would take, and send nothing.", is_flag=True),
    search_option,
)

# -- results ---------------------------------------------------------------------------------------

OUTPUT = "Run and results"

seed_option = under(
    OUTPUT,
    option(
        "--seed N", "Seed of all random choices: the same seed gives the same result.", 0, least=0
    ),
)
json_words = (
    "--json json_file FILE",
    "Write the results to this file; -: to standard output, with nothing else there.",
)
json_option = under(OUTPUT, option(*json_words))
output_options = under(OUTPUT, seed_option, json_option)


def file_option(words: str, help: str) -> Decorator:
    """Return an option that names an output file."""
    return under(OUTPUT, option(words, help))


def chosen(given: dict[str, Any]) -> tuple[DataOptions, ModelOptions, SolverOptions]:
    """Convert the options of ``train`` and ``compare`` to the values that the work uses."""
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.training import DataOptions, ModelOptions

    if given.get("bits") is not None:
        source = click.get_current_context().get_parameter_source
        # The budget determines what is None here, and all samples train.
        by_budget = {
            "hidden": None,
            "activation": "relu:4",
            "weights": None,
            "bias": "auto",
            "loss": "cross-entropy",
            "levels": "auto",
            "samples": None,
        }
        unsaid = [name for name in by_budget if source(name) is ParameterSource.DEFAULT]
        given = {**given, **{name: by_budget[name] for name in unsaid}}
    given = {**given, "spec": given["data"]}

    def part(kind: type[Any]) -> Any:
        return kind(**{one.name: given[one.name] for one in fields(kind) if one.name in given})

    return part(DataOptions), part(ModelOptions), part(SolverOptions)
