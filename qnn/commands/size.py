"""``qnn size``."""

from __future__ import annotations

from typing import Any

import click

from formulations.errors import InvalidInputError
from qnn import options
from qnn.commands import console
from qnn.dry_run import search_option


@click.command()
@click.argument("widths")
@click.option("--samples", type=int, default=100, show_default=True, help="Training samples.")
@click.option("--levels", type=int, default=2, show_default=True, help="Levels of each input.")
@options.model_options
@click.option("--iterations", type=int, default=100, show_default=True, help="Oracle calls.")
@click.option("--reads", type=int, default=100, show_default=True, help="Reads of a call.")
@click.option("--annealing-time", type=float, help="Microseconds of a QPU's read.")
@search_option
@options.output_options
def size(
    widths: str,
    samples: int,
    levels: int,
    iterations: int,
    reads: int,
    annealing_time: float | None,
    search: float | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> None:
    """Count the model of a network WIDTHS, such as 16-4-1, and say what it would take to solve.

    The counts are by formula; a model that is not too large is also built, on random inputs, and
    its first QUBO measured: couplers, range of the coefficients, embeddings on the graphs of
    D-Wave's QPUs, and estimates of the QPU's and the hybrid solvers' time from published figures.
    """
    from formulations import Network
    from formulations.sizes import available_memory
    from qnn import dry_run
    from qnn.datasets import level_values
    from qnn.output import FORMAT
    from qnn.tables import record_table
    from solvers.footprint import Calls

    console.check_outputs(json_file)
    if levels < 2:
        raise InvalidInputError(f"levels={levels}: expected at least 2")
    network = Network.dense(
        options.widths(widths), given["activation"], given["weights"], given["bias"]
    )
    record = dry_run.of_network(
        network,
        samples,
        level_values(levels),
        Calls(iterations, reads, annealing_time),
        loss=given["loss"],
        encoding=given["encoding"],
        search=search,
        seed=seed,
    )
    free = available_memory()
    record["fits_in_memory"] = None if free is None else record["bytes"] <= free
    console.write_json(json_file, {"format": FORMAT, "kind": "size", "samples": samples, **record})
    if json_file != "-":
        found = record.pop("footprint")
        shown = {**record, **dry_run.lines(found)}
        console.for_tables(json_file).print(record_table(f"{widths}, {samples} samples", shown))
