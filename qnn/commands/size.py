"""``qnn size``."""

from __future__ import annotations

from typing import Any

import click

from formulations.errors import InvalidInputError
from qnn import options
from qnn.commands import console


@click.command()
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

    console.check_outputs(json_file)
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
    console.write_json(json_file, {"format": FORMAT, "kind": "size", "samples": samples, **record})
    if json_file != "-":
        console.for_tables(json_file).print(record_table(f"{widths}, {samples} samples", record))
