"""Export of networks with at most six inputs per unit as lookup tables in Verilog.

An input or a unit of two levels is one wire, 0 for the lower level.  A hidden unit with k <= 6
nonzero weights is a table of 2^k bits, which synthesis puts into one LUT of an FPGA,

    a_j = T_j[{x_(i_k), ..., x_(i_1)}],

A single output is also a table; with several outputs, each bit of an output is a table, and
comparisons find the largest output.  ``FanIn(6)`` trains such networks.  [LogicNets: Umuroglu et
al., FPL 2020.]
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from formulations.arrays import BoolArray, IntArray
from formulations.errors import InvalidInputError
from qnn.export.trained import TrainedModel


def to_verilog(model: TrainedModel, name: str = "network") -> str:
    """Return a Verilog module that computes the network's predictions.

    It has one input bit per input of the network; ``y`` is the class number.

    Raises
    ------
    InvalidInputError
        If a unit has more than six inputs, or inputs or activations have more than two levels.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> weights = Weights((np.array([[1, 0, -1]]),), (None,), ())
    >>> model = TrainedModel(Network.dense([3, 1], weights="ternary"), weights, span=(-1, 1, 2))
    >>> print(to_verilog(model).splitlines()[5])
        assign y[0] = T1_0[{x[2], x[0]}];
    """
    levels = _levels(model)
    network, weights = model.network, model.weights
    lines = [
        f"// {'-'.join(map(str, network.widths))}: {sum(network.widths[1:])} units as tables",
        "",
    ]
    classes = max(model.num_classes, 2)
    width = max((classes - 1).bit_length(), 1)
    lines += [f"module {name}(input wire [{network.widths[0] - 1}:0] x, "
              f"output wire [{width - 1}:0] y);", ""]  # fmt: skip
    source = "x"
    units = network.bias_units(weights.splines)
    for number, matrix in enumerate(weights.matrices):
        bias = weights.biases[number]
        added = np.zeros(len(matrix), np.int64) if bias is None else units[number] * bias
        tables = [_sums(row, int(b), levels[number]) for row, b in zip(matrix, added, strict=True)]
        last, target = number == len(weights.splines), f"a{number + 1}"
        if last and network.num_outputs == 1:
            bits = {"y[0]": (tables[0][0], tables[0][1] >= 0)}
            target = "y"
        elif last:
            lines += _outputs(tables, number + 1, source, width)
            break
        else:
            spline = weights.splines[number]
            low = levels[number + 1][0]
            bits = {f"{target}[{j}]": (inputs, spline.units(z).astype(np.int64) > low)
                    for j, (inputs, z) in enumerate(tables)}  # fmt: skip
            lines.append(f"    wire [{len(matrix) - 1}:0] {target};")
        for j, (wire, (inputs, table)) in enumerate(bits.items()):
            lines += _table(wire, f"T{number + 1}_{j}", inputs, table, source)
        source = target
    return "\n".join([*lines, "endmodule", ""])


def _levels(model: TrainedModel) -> list[tuple[int, int]]:
    """Return both levels of each layer's inputs."""
    if model.line is not None:
        raise InvalidInputError("Verilog of a regression: expected a classifier")
    if model.span is None or model.span[1] - model.span[0] != model.span[2]:
        raise InvalidInputError(
            f"Verilog of inputs from {model.span}: expected two levels, as --levels 2 or "
            "thermometer:N makes them"
        )
    for number, matrix in enumerate(model.weights.matrices, start=1):
        most = int((matrix != 0).sum(axis=1).max())
        if most > 6:
            raise InvalidInputError(
                f"Verilog: a unit of layer {number} has {most} inputs, and a lookup table 6: "
                "train with the constraint fan-in:6"
            )
    found = [model.span[:2]]
    for number, spline in enumerate(model.weights.splines, start=1):
        values = np.unique(np.rint(spline.intercepts).astype(np.int64))
        if len(values) != 2 or spline.order:
            raise InvalidInputError(
                f"Verilog: activations of layer {number} have {len(values)} levels: expected two, "
                "such as sign"
            )
        found.append((int(values[0]), int(values[1])))
    return found


def _sums(row: IntArray, added: int, levels: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Return a unit's nonzero inputs, and z for all their settings, first input lowest."""
    inputs = np.flatnonzero(row)
    settings = (np.arange(2 ** len(inputs))[:, None] >> np.arange(len(inputs))) & 1
    values = np.asarray(levels)[settings]
    return inputs, values @ row[inputs] + added


def _table(wire: str, name: str, inputs: IntArray, table: BoolArray, source: str) -> list[str]:
    """Return a constant, and the wire that looks it up."""
    size = len(table)
    number = sum(1 << k for k, bit in enumerate(table.tolist()) if bit)
    text = f"{size}'h{number:0{-(-size // 4)}x}"
    if not len(inputs):  # constant output
        return [f"    assign {wire} = 1'b{number};"]
    at = ", ".join(f"{source}[{i}]" for i in reversed(inputs.tolist()))
    return [
        f"    localparam [{size - 1}:0] {name} = {text};",
        f"    assign {wire} = {name}[{{{at}}}];",
    ]


def _outputs(
    tables: list[tuple[IntArray, IntArray]], layer: int, source: str, width: int
) -> list[str]:
    """Return outputs as words of steps above the minimum, and the index of the first largest."""
    least = min(int(z.min()) for _, z in tables)
    bits = max(1, (max(int(z.max()) for _, z in tables) - least).bit_length())
    lines = []
    for c, (inputs, z) in enumerate(tables):
        lines.append(f"    wire [{bits - 1}:0] z{c};")
        for b in range(bits):
            bit = ((z - least) >> b & 1).astype(bool)
            lines += _table(f"z{c}[{b}]", f"T{layer}_{c}_{b}", inputs, bit, source)
    best, number = "z0", f"{width}'d0"
    for c in range(1, len(tables)):
        lines += [
            f"    wire g{c} = z{c} > {best};",
            f"    wire [{bits - 1}:0] b{c} = g{c} ? z{c} : {best};",
            f"    wire [{width - 1}:0] n{c} = g{c} ? {width}'d{c} : {number};",
        ]
        best, number = f"b{c}", f"n{c}"
    return [*lines, f"    assign y = {number};"]


def simulate(text: str, x: npt.ArrayLike) -> IntArray:
    """Evaluate the text of a :func:`to_verilog` module on bits x (N, inputs).

    Examples
    --------
    >>> module = "localparam [1:0] T = 2'h2;\\nassign y[0] = T[{x[0]}];"
    >>> simulate(module, [[0], [1]]).tolist()
    [0, 1]
    """
    bits = np.asarray(x, dtype=np.int64)
    wires: dict[str, IntArray] = {f"x[{i}]": bits[:, i] for i in range(bits.shape[1])}
    tables: dict[str, int] = {}

    def value(word: str) -> IntArray:
        if "'d" in word:
            return np.full(len(bits), int(word.partition("'d")[2]))
        if word in wires:
            return wires[word]
        parts = [name for name in wires if name.startswith(f"{word}[")]
        return np.asarray(np.sum([wires[p] << int(p[len(word) + 1 : -1]) for p in parts], axis=0))

    for line in text.splitlines():
        if found := re.match(r"\s*localparam \[\d+:0\] (\w+) = \d+'h(\w+);", line):
            tables[found[1]] = int(found[2], 16)
        elif found := re.match(r"\s*assign (\S+) = (\w+)\[\{(.*)\}\];", line):
            inputs = [wires[wire] for wire in reversed(found[3].split(", "))]
            place = np.sum([bit << k for k, bit in enumerate(inputs)], axis=0)
            wires[found[1]] = np.array([tables[found[2]] >> int(p) & 1 for p in place])
        elif found := re.match(r"\s*assign (\S+) = 1'b([01]);", line):
            wires[found[1]] = np.full(len(bits), int(found[2]))
        elif found := re.match(r"\s*wire (\w+) = (\S+) > (\S+);", line):
            wires[found[1]] = (value(found[2]) > value(found[3])).astype(np.int64)
        elif found := re.match(r"\s*wire \[\d+:0\] (\w+) = (\w+) \? (\S+) : (\S+);", line):
            wires[found[1]] = np.where(wires[found[2]] > 0, value(found[3]), value(found[4]))
        elif found := re.match(r"\s*assign y = (\S+);", line):
            return np.asarray(value(found[1]))
    return wires["y[0]"]
