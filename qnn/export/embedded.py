"""Export of a trained network as dedicated C: no heap, no loader, integers of minimal width.

Each layer is a loop with fixed bounds over constant arrays.  Convolutions look up weights bit by
bit; other layers whose inputs are bit planes count the ones of words XOR words: with inputs low +
2^s q and weights of bits b,

    z = constant - 2^s sum_k sum_b 2^(k + b) ones(w_b XOR x_k),

where x_k is the plane of bit k of all q, and the constant holds the threshold.  Other layers
multiply.  The widths of sums follow from :func:`qnn.export.reach.reaches`.
"""

from __future__ import annotations

from math import isqrt
from os import PathLike
from pathlib import Path

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.network.codes import WeightCode
from formulations.network.splines import Spline
from formulations.network.ties import Window
from qnn.export import c_text
from qnn.export.c_source import reader_file
from qnn.export.c_text import braces, literal, signed, stored, unsigned, word_of, words_of
from qnn.export.packed import MOST_PLANES, TABLE, TERNARY, bit_planes, kind_of
from qnn.export.parts import clip_of, stored_part, stored_thresholds
from qnn.export.reach import ANYTHING, reaches
from qnn.export.trained import TrainedModel

EMBEDDED_FILES = ("network.h", "network.c", "reading.h", "main.c")


def embedded_contents(
    model: TrainedModel, folder: str | PathLike[str], *, raw: bool = False
) -> tuple[dict[str | PathLike[str], bytes], int]:
    """Return the C files for one network in a folder, and the number of bytes of its constants.

    Raises
    ------
    InvalidInputError
        If 64-bit integers cannot hold the network's numbers, or there are no raw inputs.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> weights = Weights((np.array([[1, -1, 1]]),), (None,), ())
    >>> model = TrainedModel(Network.dense([3, 1]), weights, span=(-1, 1, 2))
    >>> contents, size = embedded_contents(model, "firmware")
    >>> text = contents[Path("firmware/network.c")]
    >>> size, b"CONSTANT uint8_t weights_1[1][1][1] = {{{5}}};" in text
    (2, True)
    """
    source = _Source(model, raw)
    texts = [*source.text(), reader_file("reading.h"), reader_file("embedded.c")]
    named = zip(EMBEDDED_FILES, texts, strict=True)
    return {Path(folder) / name: text.encode() for name, text in named}, source.size


class _Source:
    """Source text of one network, built layer by layer."""

    def __init__(self, model: TrainedModel, raw: bool) -> None:
        self.model, self.raw = model, raw
        self.limits = reaches(model)
        self.units = model.network.bias_units(model.weights.splines)
        self.thresholds = stored_thresholds(model) if raw else None
        self.constants: list[str] = []
        self.body: list[str] = []
        self.stack = self.size = 0

    def text(self) -> tuple[str, str]:
        model, network = self.model, self.model.network
        self.inputs()
        for number in range(len(network.layers)):
            self.layer(number)
        counted = any(self.counts(number) for number in range(len(network.layers)))
        source = [c_text.beginning(counted), *self.constants]
        source += ["\nvoid network_outputs(const network_number sample[NETWORK_NUMBERS],\n"]
        source += ["                     network_sum outputs[NETWORK_OUTPUTS]) {\n"]
        source += [*(f"    {line}".rstrip() + "\n" for line in self.body), "}\n"]
        if model.line is None:
            source += [c_text.class_function(network.num_outputs)]
            answer = c_text.class_declared(model.names)
        else:
            answer = c_text.number_declared(model.scale, model.shift)
        kind, limits = self.number()
        total = signed(self.limits[-1].largest, fast=False)
        self.array(total, "outputs", network.num_outputs)
        header = c_text.header(
            widths=str(network),
            bits=f"{network.stored_bits:,}",
            arrays=f"{self.stack:,}",
            stack=f"{self.stack + 100:,}",  # measured overhead: 70 to 116
            size=f"{self.size:,}",
            numbers=model.num_raw if self.raw else model.num_inputs,
            outputs=network.num_outputs,
            range=limits,
            number=kind,
            sum=total,
            answer=answer,
        )
        return header, "".join(source)

    # -- constants and types -----------------------------------------------------------------------

    def constant(self, name: str, values: Array, kind: str | None = None) -> str:
        """Add a constant array, in the smallest type that holds it unless ``kind`` is given."""
        kind = kind or stored(int(values.min()), int(values.max()))
        self.size += values.size * _bytes_of(kind)
        sizes = "".join(f"[{size}]" for size in values.shape)
        self.constants.append(f"\nCONSTANT {kind} {name}{sizes} = {braces(values)};\n")
        return name

    def array(self, kind: str, name: str, *sizes: int) -> str:
        """Declare an array and count its bytes."""
        self.stack += _bytes_of(kind) * int(np.prod(sizes))
        return f"{kind} {name}" + "".join(f"[{size}]" for size in sizes)

    def counts(self, number: int) -> bool:
        """True if a layer's inputs are bit planes."""
        layer = self.model.network.layers[number]
        kind = kind_of(stored_part(layer, self.model.weights.matrices[number], None)[0])
        if layer.ties is not None and layer.ties.window is not None:
            return False
        return self.limits[number].planes <= MOST_PLANES and kind < TABLE

    def number(self) -> tuple[str, str]:
        """Return the type of a sample's numbers, and its limits as macros."""
        if self.thresholds is not None and self.thresholds.dtype.kind == "f":
            return "float", "#define NETWORK_REAL 1\n"
        low, high, step = self.model.span or ANYTHING
        if self.raw:
            assert self.model.raw_span is not None
            (low, high), step = self.model.raw_span, 1
            if 0 <= low and high < 256:  # pixels have a known range
                low, high = 0, 255
            elif -(2**15) <= low and high < 2**15:
                low, high = -(2**15), 2**15 - 1
            else:
                low, high = ANYTHING[:2]
        least = "INT32_MIN" if low == ANYTHING[0] else low  # C has no 32-bit literal -2^31
        lines = [f"NETWORK_LEAST {least}", f"NETWORK_MOST {high}", f"NETWORK_STEP {step}"]
        return stored(low, high), "".join(f"#define {line}\n" for line in lines)

    # -- the network -------------------------------------------------------------------------------

    def inputs(self) -> None:
        """Convert the sample to inputs of the first layer."""
        model, reach = self.model, self.limits[0]
        count = model.num_inputs
        self.declare(0, count)
        self.body.append(f"for (unsigned i = 0; i < {count}; i++) {{")
        if self.thresholds is not None:
            self.raw_number()
            self.body += [f"    uint32_t q = 0;  /* {len(self.thresholds)} thresholds */"]
            name = self.constant(
                "thresholds",
                self.thresholds[:, 0] if self.thresholds.shape[1] < count else self.thresholds,
                "float" if self.thresholds.dtype.kind == "f" else None,
            )
            at = "[t]" if self.thresholds.shape[1] < count else "[t][i]"
            self.body += [
                f"    for (unsigned t = 0; t < {len(self.thresholds)}; t++)",
                f"        q += v > {name}{at};",
            ]
            self.put(0, "q", f"{reach.low} + {2**reach.shift} * (int32_t)q")
        else:
            distance = f"(uint32_t)sample[i] - (uint32_t){literal(reach.low)}"
            self.put(0, f"({distance}) >> {reach.shift}", "sample[i]")
        self.body.append("}")

    def raw_number(self) -> None:
        """Compute the raw number of input i: the number itself, or the sum of an image block."""
        model = self.model
        if model.image is None:
            at = f"i / {model.repeat}" if model.repeat > 1 else "i"
            self.body.append(f"    const network_number v = sample[{at}];")
            return
        k, (height, width) = isqrt(model.num_inputs), model.image
        rows, columns = height // k, width // k
        first = height % k // 2 * width + width % k // 2
        begin = f"{first} + " if first else ""
        assert model.raw_span is not None
        largest = rows * columns * max(*map(abs, model.raw_span), 255)
        self.body += [
            f"    {signed(largest)} v = 0;",
            f"    for (unsigned y = 0; y < {rows}; y++)",
            f"        for (unsigned x = 0; x < {columns}; x++)",
            f"            v += sample[{begin}(i / {k} * {rows} + y) * {width} + "
            f"i % {k} * {columns} + x];",
        ]

    def declare(self, number: int, count: int) -> None:
        """Declare a layer's input array: words of bit planes, or integers."""
        reach = self.limits[number]
        if self.counts(number):
            word = word_of(count)
            words = -(-count // word)
            name = self.array(f"uint{word}_t", f"x{number + 1}", reach.planes, words)
            self.body.append(f"{name} = {{{{0}}}};")
        else:
            kind = stored(reach.low, reach.high)
            self.body.append(f"{self.array(kind, f'x{number + 1}', count)};")

    def put(self, number: int, above: str, value: str, index: str = "i") -> None:
        """Store input ``index`` of a layer, as steps above the minimum or unchanged."""
        name, planes = f"x{number + 1}", self.limits[number].planes
        if not self.counts(number):
            self.body.append(f"    {name}[{index}] = {value};")
            return
        word = word_of(self.model.network.widths[number])
        self.body += [
            f"    const uint32_t bits = {above};",
            f"    for (unsigned k = 0; k < {planes}; k++)",
            f"        {name}[k][{index} / {word}] |= "
            f"(uint{word}_t)((bits >> k & 1) << {index} % {word});",
        ]

    def layer(self, number: int) -> None:
        """Add one layer, and its activations as inputs of the next."""
        model = self.model
        layer, matrix = model.network.layers[number], model.weights.matrices[number]
        bias = model.weights.biases[number]
        added = np.zeros(layer.outputs, np.int64) if bias is None else self.units[number] * bias
        last = number == len(model.network.layers) - 1
        self.body += ["", f"/* layer {number + 1}: {layer.inputs} to {layer.outputs} */"]
        if not last:
            self.declare(number + 1, layer.outputs)
        self.body.append(f"for (unsigned j = 0; j < {layer.outputs}; j++) {{")
        code, _, matrix, _ = stored_part(layer, matrix, None)
        if layer.ties is not None and layer.ties.window is not None:
            self.slide(number, code, layer.ties.window, matrix, added)
        elif self.counts(number):
            self.count(number, code, matrix, added)
        else:
            self.multiply(number, matrix, added)
        if last:
            self.body.append("    outputs[j] = (network_sum)z;")
        else:
            self.activate(number, model.weights.splines[number])
        self.body.append("}")

    def count(self, number: int, code: WeightCode, matrix: IntArray, added: IntArray) -> None:
        """Compute z from bit planes; twice z if weights have half steps."""
        reach, n = self.limits[number], matrix.shape[1]
        ternary = kind_of(code) == TERNARY
        bits = 2 if ternary else code.stored_bits
        twice = np.array([1, 1] if ternary else [2 << b for b in range(bits)])
        middle = 2 * reach.low + (((1 << reach.planes) - 1) << reach.shift)
        spread = ((1 << reach.planes) - 1) * n * int(twice.sum()) << reach.shift
        constants = matrix.sum(axis=1) * middle + 2 * added + spread // 2
        factor, half = 1 << reach.shift, bool(ternary and not reach.shift)
        if not half:
            constants //= 2
            factor, twice = (factor // 2, twice) if ternary else (factor, twice // 2)
        word = word_of(n)
        planes = bit_planes(code, matrix)
        weights = self.constant(f"weights_{number + 1}", words_of(planes, word), f"uint{word}_t")
        name = self.constant(f"constants_{number + 1}", constants)
        most = ((1 << reach.planes) - 1) * n * int(twice.sum())
        kind = signed(int(np.abs(constants).max()) + factor * most)
        terms = [
            f"{c << k} * ones({weights}[j][{b}][i] ^ x{number + 1}[{k}][i])"
            for b, c in enumerate(twice.tolist())
            for k in range(reach.planes)
        ]
        joined = "\n                + ".join(term.removeprefix("1 * ") for term in terms)
        total = unsigned(most)
        result = f"({kind}){name}[j] - " + (f"({kind}){factor} * " if factor > 1 else "")
        result += f"({kind})sum"
        self.body += [
            f"    {total} sum = 0;",
            f"    for (unsigned i = 0; i < {-(-n // word)}; i++)",
            f"        sum += {joined};",
            f"    const {kind} z = " + (f"({result}) / 2;" if half else f"{result};"),
        ]

    def multiply(self, number: int, matrix: IntArray, added: IntArray) -> None:
        """Compute z from integers."""
        weights = self.constant(f"weights_{number + 1}", matrix)
        name = self.constant(f"constants_{number + 1}", added)
        kind = signed(self.limits[number].largest)
        self.body += [
            f"    {kind} z = {name}[j];",
            f"    for (unsigned i = 0; i < {matrix.shape[1]}; i++)",
            f"        z += ({kind}){weights}[j][i] * ({kind})x{number + 1}[i];",
        ]

    def slide(
        self, number: int, code: WeightCode, window: Window, filters: IntArray, added: IntArray
    ) -> None:
        """Compute z from windows: unit j is filter f at row y and column x."""
        _, rows, columns = window.units
        (depth, height, width), (down, across) = window.shape, window.size
        share, depth = window.filters // window.groups, depth // window.groups
        name = self.constant(f"constants_{number + 1}", added[:: rows * columns])
        kind, at = signed(self.limits[number].largest), f"x{number + 1}"
        self.body += [
            f"    const unsigned f = j / {rows * columns}, y = j / {columns} % {rows}, "
            f"x = j % {columns};",
            f"    {kind} z = {name}[f];",
            f"    for (unsigned k = 0; k < {filters.shape[1]}; k++) {{",
            f"        const unsigned row = y * {window.stride[0]} + k / {across} % {down}"
            + (f" - {window.padding[0]};" if window.padding[0] else ";"),
            f"        const unsigned column = x * {window.stride[1]} + k % {across}"
            + (f" - {window.padding[1]};" if window.padding[1] else ";"),
        ]
        if any(window.padding):  # indices below zero have wrapped around
            beyond = f"row >= {height} || column >= {width}"
            self.body += [f"        if ({beyond})", "            continue;"]
        channel = f"k / {down * across}" + (
            f" + f / {share} * {depth}" if window.groups > 1 else ""
        )
        self.body.append(
            f"        const {kind} v = {at}[(({channel}) * {height} + row) * {width} + column];"
        )
        self.body += [f"        z += {self.tap(number, code, window, filters)};", "    }"]

    def tap(self, number: int, code: WeightCode, window: Window, filters: IntArray) -> str:
        """Return the contribution of tap k of filter f for input v."""
        if window.pooled is not None:
            return "v"
        of, bits = kind_of(code), code.stored_bits
        if of >= TABLE:
            return f"v * {self.constant(f'weights_{number + 1}', filters)}[f][k]"
        planes = words_of(bit_planes(code, filters), 8)
        name = self.constant(f"weights_{number + 1}", planes, "uint8_t")
        found = [f"({name}[f][{b}][k / 8] >> k % 8 & 1)" for b in range(bits)]
        if bits == 1:
            return f"{found[0]} ? v : -v"
        if of == TERNARY:
            return f"v * ({found[0]} + {found[1]} - 1)"
        total = " + ".join(f"{2 << b} * {word}" for b, word in enumerate(found))
        return f"v * ({total} - {2**bits - 1})"

    def activate(self, number: int, spline: Spline) -> None:
        """Store the activation of z as an input of the next layer."""
        reach, after = self.limits[number], self.limits[number + 1]
        clip = clip_of(spline)
        if spline.breakpoints.tolist() == [0] and spline.intercepts.tolist() == [-1.0, 1.0]:
            value, plain = "z >= 0 ? 1 : -1", "z >= 0"
            simple = (after.low, after.shift) == (-1, 1)
        elif clip is not None:
            least, most = clip.first << clip.shift, (clip.first + clip.pieces - 1) << clip.shift
            wide = "uint64_t" if max(reach.largest, -least, most) >= 2**31 else "uint32_t"
            self.body.append(
                f"    const uint32_t q = z < {literal(least)} ? 0 : z >= {literal(most)} ? "
                f"{clip.pieces - 1} : (uint32_t)((({wide})z - ({wide}){literal(least)}) >> "
                f"{clip.shift});"
            )
            value = f"{clip.value} + {clip.gain} * (int32_t)q"
            plain, simple = "q", (clip.value, clip.gain) == (after.low, 1 << after.shift)
        else:
            value, plain, simple = self.piece(number, spline), "", False
        distance = f"(uint32_t)({value}) - (uint32_t){literal(after.low)}"
        above = plain if simple else f"({distance}) >> {after.shift}"
        self.put(number + 1, above, value, "j")

    def piece(self, number: int, spline: Spline) -> str:
        """Compute the value of the piece that contains z."""
        reach, name = self.limits[number], f"pieces_{number + 1}"
        parts = {
            "starts": spline.breakpoints,
            "slopes": spline.slopes.astype(np.int64),
            "values": spline.intercepts.astype(np.int64),
        }
        self.body.append("    unsigned p = 0;")
        if len(spline.breakpoints):
            self.constant(f"{name}_starts", parts["starts"])
            self.body += [
                f"    while (p < {len(spline.breakpoints)} && z >= {name}_starts[p])",
                "        p++;",
            ]
        self.constant(f"{name}_values", parts["values"])
        value = f"{name}_values[p]"
        if spline.order == 1:
            self.constant(f"{name}_slopes", parts["slopes"])
            largest = int(np.abs(parts["slopes"]).max()) * max(-reach.z_low, reach.z_high)
            kind = signed(largest + int(np.abs(parts["values"]).max()))
            value = f"({kind}){name}_slopes[p] * ({kind})z + {value}"
        return value


def _bytes_of(kind: str) -> int:
    """Return the size of a type in bytes."""
    return 4 if kind == "float" else int("".join(filter(str.isdigit, kind))) // 8
