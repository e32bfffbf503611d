"""The options of solvers, of oracles, and of what guards their calls."""

from __future__ import annotations

from collections.abc import Callable

import click

from qnn.cli.help import Items, folder, one_of, option
from qnn.cli.options import BUDGET, ORACLE, SOLVER, Command, together
from qnn.cli.values import at_least
from qnn.runs.solver_options import BLOCKS
from qnn.runs.solver_table import SOLVERS
from solvers.oracles import registry


def oracle_option_names(context: click.Context, parameter: click.Parameter, start: str) -> Items:
    """Completes the name of an option of the oracle that ``--oracle`` names."""
    from formulations.errors import QnnError

    try:
        known = registry.options(context.params.get("oracle") or "annealer")
    except QnnError:
        known = []
    return one_of([f"{name}=" for name in known])(context, parameter, start)


def oracle_options(whose: str = "") -> Callable[[Command], Command]:
    """The oracle and its options; ``whose`` QUBOs it answers goes into the help."""
    return together(
        option(
            "--oracle",
            heading=ORACLE,
            metavar="NAME",
            shell_complete=one_of(registry.names),
            names=registry.names,
            help=f"Who answers QUBOs{whose}: NAMES.",
            otherwise="annealer",
        ),
        option(
            "--oracle-option",
            heading=ORACLE,
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=oracle_option_names,
            help="Option of the oracle, see qnn list oracles; may be given again.",
        ),
    )


timeout_option = option(
    "--oracle-timeout",
    heading=ORACLE,
    type=float,
    callback=at_least(0, more=True),
    metavar="SECONDS",
    help="Give up a call that has not been answered in this time, and make it again, four times.",
)


def _oracle_users() -> str:
    """The toolkit's solvers that ask an oracle, in words."""
    always, named = (
        [entry.name for entry in SOLVERS.values() if entry.asks == asks]
        for asks in ("always", "if named")
    )
    return f" of {', '.join(always)}, and of {' and '.join(named)} if it is named"


solver_options = together(
    option(
        "--iterations",
        heading=SOLVER,
        type=int,
        default=100,
        metavar="N",
        help="Oracle calls of qcgd, qcgd-cold and penalty, rounds of hedging and decomposed; times "
        "--reads, the guesses of random.",
    ),
    option(
        "--level",
        heading=SOLVER,
        type=int,
        default=1,
        callback=at_least(1),
        metavar="N",
        help="Blocks of decomposed agree on the mean of every product of up to N weight bits.",
    ),
    option(
        "--blocks",
        heading=SOLVER,
        metavar="NAME",
        shell_complete=one_of(BLOCKS),
        names=lambda: list(BLOCKS),
        help="Who solves the blocks of hedging and decomposed: NAMES.  The first two prove "
        "bounds, and so do qcgd and lifted with an exact oracle.",
        otherwise="enumeration up to 2^16 weight settings, else the oracle or annealing",
    ),
    option(
        "--block-size",
        heading=SOLVER,
        type=int,
        callback=at_least(1),
        metavar="N",
        help="Samples in a block of hedging and decomposed.",
        otherwise="a quarter of them",
    ),
    option(
        "--restricted-model",
        heading=SOLVER,
        metavar="NAME",
        default="flips",
        shell_complete=one_of(["flips", "states"]),
        help="What restricted asks a named oracle: flips, all single and double moves of 32 "
        "weights, or states, two to eight weights with all states of the network that they "
        "change.",
    ),
    option(
        "--flips",
        heading=SOLVER,
        type=int,
        default=20_000,
        metavar="N",
        help="Proposals of annealing in each restart, and of hedging in each block too large to be "
        "solved exactly (above 2^16 weight settings).",
    ),
    option(
        "--restarts",
        heading=SOLVER,
        type=int,
        default=1,
        metavar="N",
        help="Restarts of annealing.",
    ),
    option(
        "--time-limit",
        heading=SOLVER,
        type=float,
        metavar="SECONDS",
        help="End any solver after this time, with the best that it has.",
    ),
    oracle_options(_oracle_users()),
    option(
        "--reads",
        heading=ORACLE,
        type=int,
        default=10,
        metavar="N",
        help="Samples of a call, of every oracle that counts them.",
    ),
    option(
        "--sweeps",
        heading=ORACLE,
        type=int,
        default=50,
        metavar="N",
        help="Steps of a read, of every oracle that counts them.",
    ),
    option(
        "--threads",
        heading=ORACLE,
        type=int,
        default=2,
        metavar="N",
        help="Of the oracles here that have any, and of exact.",
    ),
    timeout_option,
)
budget_options = together(
    option(
        "--budget-calls",
        heading=BUDGET,
        type=int,
        callback=at_least(0),
        metavar="N",
        help="Most oracle calls.",
    ),
    option(
        "--budget-seconds",
        heading=BUDGET,
        type=float,
        callback=at_least(0),
        metavar="SECONDS",
        help="Most of the oracle's own time.",
    ),
    option(
        "--budget-charged",
        heading=BUDGET,
        type=float,
        callback=at_least(0),
        metavar="SECONDS",
        help="Most that an account is charged.",
    ),
)
record_options = together(
    option(
        "--record",
        heading=ORACLE,
        metavar="FOLDER",
        shell_complete=folder,
        help="Keep every answer in this folder, and ask for none that is there.",
    ),
    option(
        "--replay",
        heading=ORACLE,
        metavar="FOLDER",
        shell_complete=folder,
        help="Take all answers from a folder of --record, and ask for none.",
    ),
)
