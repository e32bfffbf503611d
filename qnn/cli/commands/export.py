"""``qnn export``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from formulations.errors import InvalidInputError
from qnn.cli import console
from qnn.cli.commands.predict import network_argument
from qnn.cli.help import command, option, under

if TYPE_CHECKING:
    from qnn.export import Exported, TrainedModel


@command(
    examples="""
    qnn train digits --levels 4 --save network.npz
    qnn export network.npz --packed network.qnnp --c predict
    qnn export network.npz --embedded firmware --inputs raw
    qnn export network.npz --onnx network.onnx --inputs raw
    qnn train digits:3,8 --weights ternary --constraint fan-in:6 --save lut.npz
    qnn export lut.npz --verilog network.v
    """
)
@network_argument("RUN")
@under(
    "Forms",
    option("--packed FILE", "Write a packed file."),
    option(
        "--c FOLDER",
        "Write a C program that reads packed networks, and this network, to this folder.",
    ),
    option(
        "--embedded FOLDER",
        "Write C for this network alone to this folder: no heap, and only integers where the "
        "inputs are integers.",
    ),
    option("--onnx FILE", "Write an ONNX file."),
    option("--qonnx FILE", "Write a QONNX file."),
    option(
        "--verilog FILE",
        "Write a Verilog module with a lookup table for each unit, for two-level inputs and units "
        "of at most six inputs, as --constraint fan-in:6 trains them.",
    ),
)
@option(
    "--inputs WHAT",
    "Inputs of the exported network: levels (the integers that it was trained on) or raw "
    "(numbers that it puts on their levels itself).",
    "levels",
)
@option(
    "--range span LOW,HIGH",
    "Least and greatest integer input, if the file does not state them; with --inputs raw, of "
    "raw whole numbers, such as 0,255 for pixels.",
)
@option(
    "--json json_file FILE",
    "Write the sizes to this file; -: to standard output, with nothing else there.",
)
def export(
    run: str,
    packed: str | None,
    c: str | None,
    embedded: str | None,
    onnx: str | None,
    qonnx: str | None,
    verilog: str | None,
    inputs: str,
    span: str | None,
    json_file: str | None,
) -> None:
    """Export a trained network to formats that other programs read.

    Each file computes exactly what the network computes.  Before it is written, it is checked on
    1,000 random inputs: packed files always, Verilog by its tables, C programs if there is a
    compiler, and ONNX if onnxruntime is installed.  If no format is given, the command only prints
    the sizes.
    """
    from dataclasses import replace

    from formulations.checks import choose
    from formulations.files.writing import check_distinct
    from qnn import export as exports
    from qnn.runs.output import FORMAT

    raw = choose("inputs", inputs, ["levels", "raw"]) == "raw"
    own = [
        os.path.join(place, name)
        for place, names in ((c, exports.C_FILES), (embedded, exports.EMBEDDED_FILES))
        if place and os.path.isdir(place)
        for name in names
    ]
    places = (json_file, packed, onnx, qonnx, verilog, c, embedded)
    check_distinct([path for path in places if path not in (None, "-")])
    console.check_outputs(
        json_file, packed, onnx, qonnx, verilog, *own, inputs=[run], folders=[run]
    )
    model = exports.TrainedModel.of(run)
    if span is not None and raw:
        model = replace(model, raw_span=_span(span)[:2])
    elif span is not None:
        if model.thresholds is not None:
            raise InvalidInputError("--range: the inputs have levels, which tell it; leave it out")
        model = replace(model, span=_span(span))
    found = exports.export(
        model, packed=packed, c=c, embedded=embedded, onnx=onnx, qonnx=qonnx, verilog=verilog,
        raw=raw,
    )  # fmt: skip
    sizes = [*found, *exports.usual_sizes(model)]
    record = {
        "format": FORMAT,
        "kind": "export",
        "widths": model.network.widths,
        "num_weights": model.network.num_weights,
        "stored_bits": model.network.stored_bits,
        "bits_per_weight": model.network.bits_per_weight,
        "inputs": inputs,
        "span": model.span,
        "raw_span": model.raw_span,
        "image": model.image,
        "classes": model.names,
        "sizes": [
            {"form": s.form, "file": s.path, "bytes": s.size, "checked": s.checked} for s in sizes
        ],
    }
    console.deliver(json_file, record, _table(model, sizes, raw))


def _span(text: str) -> tuple[int, int, int]:
    """Parse a range such as ``0,255``; the inputs -1 and +1 are two steps apart."""
    try:
        low, high = (int(word) for word in text.split(","))
    except ValueError:
        raise InvalidInputError(f"--range {text!r}: expected two whole numbers, as 0,255") from None
    if not -(2**31) <= low < high < 2**31:
        raise InvalidInputError(
            f"--range {text!r}: expected the smaller of two 32-bit numbers first"
        )
    return low, high, 2 if (low, high) == (-1, 1) else 1


def _table(model: TrainedModel, sizes: list[Exported], raw: bool) -> Any:
    """Table of bytes and bits per weight of each form."""
    from qnn.runs.tables import terminal_table

    network = model.network
    claimed = network.stored_bits / 8
    widths = str(network)
    title = (
        f"{widths}: {network.stored_bits:,} bits for {network.num_weights:,} weights, "
        f"{network.bits_per_weight:.3f} a weight"
    )
    rows = [["bits alone", f"{claimed:,.1f}", f"{network.bits_per_weight:.3f}", "1.00", "", ""]]
    for s in sizes:
        bits = f"{8 * s.size / network.num_weights:.3f}"
        checked = f"{s.checked:,} inputs" if s.checked else "-"
        share = f"{s.size / claimed:.2f}"
        rows.append([s.form, f"{s.size:,}", bits, share, checked, s.path or "-"])
    columns = ["form", "bytes", "bits a weight", "x bits alone", "checked on", "file"]
    return terminal_table(title, columns, rows, words=(0, 5), caption=_takes(model, raw))


def _takes(model: TrainedModel, raw: bool) -> str:
    """Describe the inputs of the exported network."""
    if raw:
        image = f" of images of {model.image[0]} x {model.image[1]}" if model.image else ""
        if model.raw_span is None:
            return f"Inputs are raw numbers{image}."
        low, high = model.raw_span
        return f"Inputs are raw whole numbers{image}, from {low} to {high} in the data."
    if model.span is None:
        return "Inputs are whole numbers; the file does not say which: name them by --range."
    low, high, step = model.span
    steps = f" in steps of {step}" if step > 1 else ""
    return f"Inputs are whole numbers from {low} to {high}{steps}." + (
        " --inputs raw keeps the levels in the file." if model.thresholds is not None else ""
    )
