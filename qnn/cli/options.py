"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
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
    "FILE.csv": "A line for each sample, numbers, and a column with its class; the first line may "
    "name the columns.",
    "FILE.npz": "Arrays X and y, or X_train, y_train, X_test and y_test.",
    "FILE-images-idx3-ubyte": "Images in IDX, the labels beside them; .gz as well.",
    "DATA:A,B,...": "Only these classes, in this order: digits:3,8 makes 3 the class -1.",
}
"""What DATA may be."""

data_argument = argument("data", known=KNOWN_DATA, shell_complete=name_or_file(vocabulary.DATA))
where_options = (
    option("--target COLUMN", "Column of a CSV file with the classes.",
           otherwise="y, label, target or class; else the last"),
    option("--data-dir FOLDER", "Where mnist and fashion are.",
           otherwise="$QNN_DATA, else fetched once"),
)  # fmt: skip
reading_options = under(
    "Data",
    option(
        "--samples N",
        "Training samples; the others are for the test.  all: three quarters, or the whole "
        "training part of data that have one.",
        "100",
        read=samples,
    ),
    option("--inputs N", "Pool images to N inputs, such as 16 for 4 x 4."),
    option(
        "--levels N",
        "Integer levels of each input, a share of 1/N of the samples on each, or of pixels, "
        "from 8 levels on, of equal width.  even:N: of equal width.  scaled:N: of equal width in "
        "each column's mean +- 2.5 standard deviations.  thermometer:N: N inputs of two levels of "
        "each.  keep: leave inputs that are integers as they are.",
        "2",
        read=levels,
    ),
    *where_options,
)
bits_option = under(
    "Network",
    option(
        "--bits N",
        "Most stored bits of weights and thresholds.  What is not given follows: one hidden layer "
        "as wide as that allows, relu:4, thresholds as wide as needed, cross-entropy, 16 levels of "
        "the inputs, all samples.",
        least=1,
        otherwise="as the other options say",
    ),
)
hidden_option = under(
    "Network",
    option(
        "--hidden LAYERS",
        "Hidden layers: widths, as 5 or 8-4; convolutions, as conv:8:3x3:2,pool:max:2x2,32 "
        "(filters, size, stride); or none.",
        "5",
        read=layers,
        of=["none"],
    ),
)
model_options = under(
    "Network",
    option(
        "--activation NAME",
        f"Of the hidden units: {', '.join(vocabulary.ACTIVATIONS)}.",
        "sign",
        of=beginnings(vocabulary.ACTIVATIONS),
    ),
    option(
        "--weights CODE",
        f"Values of a weight: {', '.join(vocabulary.WEIGHTS)}, as codebook:-1,0.5,2.",
        "bipolar",
        of=beginnings(vocabulary.WEIGHTS),
    ),
    option(
        "--bias CODE",
        "Thresholds: none, same as the weights, a code of their own, or auto: integers as "
        "wide as the inputs demand.",
        "none",
        read=bias,
        of=["none", "same", "auto", *beginnings(vocabulary.WEIGHTS)],
    ),
    option(
        "--loss NAME",
        f"Summed over the samples: {', '.join(vocabulary.LOSSES)}; auto for MARGIN or SCALE "
        "takes it from the width.",
        "hinge",
        of=beginnings(vocabulary.LOSSES),
    ),
    option(
        "--constraint constraints NAME",
        f"What the weights must satisfy: {', '.join(vocabulary.CONSTRAINTS)}; may be given again.",
        multiple=True,
        of=beginnings(vocabulary.CONSTRAINTS),
    ),
    option(
        "--encoding NAME",
        f"Of sums in the model: {', '.join(vocabulary.ENCODINGS)}.",
        of=vocabulary.ENCODINGS,
        otherwise="chosen for each layer",
    ),
)

# -- solvers and oracles ---------------------------------------------------------------------------


def oracle_option_names(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Completes the name of an option of the oracle that ``--oracle`` names."""
    from formulations.errors import QnnError

    try:
        known = registry.options(context.params.get("oracle") or "annealer")
    except QnnError:
        known = []
    return one_of([f"{name}=" for name in known])(context, parameter, start)


def oracle_options(whose: str = "") -> Decorator:
    """The oracle and its options; ``whose`` QUBOs it answers goes into the help."""
    return under(
        "Oracle",
        option("--oracle NAME", f"Who answers QUBOs{whose}: NAMES.", names=registry.names,
               otherwise="annealer"),
        option("--oracle-option KEY=VALUE",
               "Option of the oracle, see qnn list oracles; may be given again.",
               multiple=True, shell_complete=oracle_option_names),
    )  # fmt: skip


def _oracle_users() -> str:
    """The toolkit's solvers that ask an oracle, in words."""
    always, named = (
        [name for name, (own, *_) in SOLVERS.items() if own == asks]
        for asks in ("always", "if named")
    )
    return f" of {', '.join(always)}, and of {' and '.join(named)} if it is named"


timeout_option = under(
    "Oracle",
    option(
        "--oracle-timeout SECONDS",
        "Give up a call that has not been answered in this time, and make it again, four times.",
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
            "Oracle calls of qcgd, qcgd-cold and penalty, rounds of hedging and decomposed; times "
            "--reads, the guesses of random.",
            100,
        ),
        option(
            "--level N",
            "Blocks of decomposed agree on the mean of every product of up to N weight bits.",
            1,
            least=1,
        ),
        option(
            "--blocks NAME",
            "Who solves the blocks of hedging and decomposed: NAMES.  The first two prove "
            "bounds, and so do qcgd and lifted with an exact oracle.",
            names=lambda: list(BLOCKS),
            otherwise="enumeration up to 2^16 weight settings, else the oracle or annealing",
        ),
        option(
            "--block-size N",
            "Samples in a block of hedging and decomposed.",
            least=1,
            otherwise="a quarter of them",
        ),
        option(
            "--restricted-model NAME",
            "What restricted asks a named oracle: flips, all single and double moves of 32 "
            "weights, or states, two to eight weights with all states of the network that they "
            "change.",
            "flips",
            of=["flips", "states"],
        ),
        option(
            "--flips N",
            "Proposals of annealing in each restart, and of hedging in each block too large to be "
            "solved exactly (above 2^16 weight settings).",
            20_000,
        ),
        option("--restarts N", "Restarts of annealing.", 1),
        option(
            "--time-limit SECONDS", "End any solver after this time, with the best that it has."
        ),
    ),
    oracle_options(_oracle_users()),
    under(
        "Oracle",
        option("--reads N", "Samples of a call, of every oracle that counts them.", 10),
        option("--sweeps N", "Steps of a read, of every oracle that counts them.", 50),
        option("--threads N", "Of the oracles here that have any, and of exact.", 2),
    ),
    timeout_option,
)
budget_options = under(
    "Budget, at whose end a run keeps what it has",
    option("--budget-calls N", "Most oracle calls.", least=0),
    option("--budget-seconds SECONDS", "Most of the oracle's own time.", least=0),
    option("--budget-charged SECONDS", "Most that an account is charged.", least=0),
)
record_options = under(
    "Oracle",
    option("--record FOLDER", "Keep every answer in this folder, and ask for none that is there."),
    option("--replay FOLDER", "Take all answers from a folder of --record, and ask for none."),
)
search_option = option(
    "--search SECONDS",
    "Search for an embedding on each graph of a QPU for so long; 0: not at all.",
    least=0,
    otherwise="10 up to 64 variables, else 0",
)
dry_run_options = under(
    "Dry run",
    option("--dry-run", "Say what the run would take, and send nothing.", is_flag=True),
    search_option,
)

# -- results ---------------------------------------------------------------------------------------

OUTPUT = "Run and results"

seed_option = under(
    OUTPUT,
    option("--seed N", "Of every random choice: the same seed gives the same result.", 0, least=0),
)
json_words = (
    "--json json_file FILE",
    "Write the results to this file; - for standard output, and nothing else there.",
)
json_option = under(OUTPUT, option(*json_words))
output_options = under(OUTPUT, seed_option, json_option)


def file_option(words: str, help: str) -> Decorator:
    """An option that names a file to be written."""
    return under(OUTPUT, option(words, help))


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


def chosen(given: dict[str, Any]) -> tuple[DataOptions, ModelOptions, SolverOptions]:
    """The options of ``train`` and ``compare`` as the values that the work is done with."""
    from qnn.runs.solver_options import SolverOptions
    from qnn.runs.training import DataOptions, ModelOptions

    if given.get("bits") is not None:
        source = click.get_current_context().get_parameter_source
        unsaid = [name for name in FROM_BUDGET if source(name) is ParameterSource.DEFAULT]
        given = {**given, **{name: FROM_BUDGET[name] for name in unsaid}}
    given = {**given, "spec": given["data"]}

    def part(kind: type[Any]) -> Any:
        return kind(**{one.name: given[one.name] for one in fields(kind) if one.name in given})

    return part(DataOptions), part(ModelOptions), part(SolverOptions)
