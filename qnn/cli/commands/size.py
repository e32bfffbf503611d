"""``qnn size``."""

from __future__ import annotations

from typing import Any

from formulations.errors import InvalidInputError
from qnn.cli import console, options
from qnn.cli.help import argument, command, option, under
from qnn.cli.values import layers as parse_layers


@command(
    examples="""
    qnn size 16-4-1 --samples 1000
    qnn size 784-16-10 --weights ternary --bias same
    qnn size 4-2-1 --samples 10 --reads 1000 --search 60
    """
)
@argument(
    "widths",
    known={"16-4-1": "16 inputs, 4 hidden units, 1 output; any number of hidden layers."},
)
@under(
    "Data",
    option("--samples N", "Number of training samples.", 100),
    option("--levels N", "Number of integer levels of each input.", 2),
)
@options.model_options
@under(
    "Planned run",
    option("--iterations N", "Number of oracle calls.", 100),
    option("--reads N", "Samples a call.", 100),
    option("--annealing-time TIME", "Microseconds of a QPU's anneal.", least=0, more=True,
           otherwise="20"),
)  # fmt: skip
@under("Dry run", options.search_option)
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
    """Print the size of a network's model, and its cost.

    The counts come from formulas.  A model that is not too large is also built on random inputs,
    and its first QUBO is measured: couplers, range of the coefficients, embeddings on the graphs of
    D-Wave's QPUs, and the time of QPU and hybrid solvers, estimated from published figures.  The
    error bounds state how far the model's splines can move each hidden layer, an output and the
    loss from the exact activations and loss, for any weights.
    """
    import numpy as np

    from formulations import Network
    from formulations.files.bounded import available_memory
    from formulations.network.convolution import image_shape
    from qnn.data.levels import level_values
    from qnn.runs import dry_run
    from qnn.runs.output import FORMAT
    from qnn.runs.tables import record_table
    from solvers.footprint import Calls

    console.check_outputs(json_file)
    if levels < 2:
        raise InvalidInputError(f"levels={levels}: expected at least 2")
    kinds = given["activation"], given["weights"], given["bias"]
    inputs, *hidden = parse_layers(widths) or (0,)
    outputs = hidden[-1] if hidden else None
    if isinstance(inputs, int) and isinstance(outputs, int):
        hidden = hidden[:-1]
        network = Network.conv(image_shape(inputs), hidden, outputs, *kinds)
    else:
        layers: list[Any] = [inputs, *hidden]
        network = Network.dense(layers, *kinds)  # raises the explanatory error
    values = level_values(levels)
    some = values[np.linspace(0, len(values) - 1, min(len(values), 64)).astype(int)]
    network = network.for_inputs(np.repeat(some[:, None], network.widths[0], axis=1))
    record = dry_run.of_network(
        network,
        samples,
        values,
        Calls(iterations, reads, annealing_time),
        loss=given["loss"],
        encoding=given["encoding"],
        search=search,
        seed=seed,
    )
    record["stored_bits"] = network.stored_bits
    record["bits_per_weight"] = network.bits_per_weight
    free = available_memory()
    record["model_fits_in_memory"] = None if free is None else record["bytes"] <= free
    told = {"format": FORMAT, "kind": "size", "samples": samples, **record}
    shown = {**record, **dry_run.lines(record["footprint"])}
    del shown["footprint"]
    shown["layer_error_bounds"] = (
        ", ".join(f"{e:.4g}" for e in record["layer_error_bounds"]) or None
    )
    console.deliver(json_file, told, record_table(f"{widths}, {samples} samples", shown))
