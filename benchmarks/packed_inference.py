"""Microseconds per inference and bytes of one network: packed, float32, int8, ONNX.

The network is 196-64-10 with one-bit weights and thresholds and the sign rule.  A ratio above 1 is
faster than numpy's float32.  Everything uses one thread, with inputs in the type that each way
takes.  The C reader takes one sample at a time; a batch is a loop in C.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sharing import parser_of, write_figures

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy is loaded

import numpy as np  # noqa: E402

from formulations import Network  # noqa: E402
from formulations.network.network import Weights  # noqa: E402
from formulations.network.splines import sign  # noqa: E402
from qnn.export import TrainedModel, pack, to_onnx, unpack  # noqa: E402

WIDTHS = (196, 64, 10)
BATCH = 1000
READER = Path(__file__).parents[1] / "qnn" / "export" / "c"
LOOP = """
#include "qnn.h"
int labels(const unsigned char *data, size_t size, const int32_t *x, size_t count, int64_t *z,
           qnn_cell *work, int32_t *found) {
    static qnn_network net;
    static const unsigned char *opened;
    if (opened != data && qnn_open(&net, data, size) != QNN_OK)
        return 1;
    opened = data;
    for (size_t i = 0; i < count; i++) {
        if (qnn_outputs(&net, x + i * net.inputs, z, work) != QNN_OK)
            return 2;
        found[i] = (int32_t)qnn_label(&net, z);
    }
    return 0;
}
"""

Array = np.ndarray[Any, Any]
Way = Callable[[Array], Array]


def random_model(seed: int) -> TrainedModel:
    """Return random weights, which do not affect speed and size."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    network = Network.dense(WIDTHS, "sign", "bipolar", bias=True)
    matrices = tuple(rng.choice([-1, 1], (m.outputs, m.inputs)) for m in network.layers)
    biases = tuple(rng.choice([-1, 1], m.outputs) for m in network.layers)
    return TrainedModel(network, Weights(matrices, biases, (sign(),)), span=(-1, 1, 2))


# -- ways of computing it: each takes integers of the lattice, (N, 196), and gives labels ----------


def in_c(data: bytes, flags: list[str], folder: Path) -> Way:
    """Return the C reader, compiled, called by ctypes once per batch."""
    source, library = folder / "loop.c", folder / f"reader{''.join(flags)}.so"
    source.write_text(LOOP)
    command = ["cc", *flags, "-shared", "-fPIC", "-I", READER, source, READER / "qnn.c"]
    subprocess.run([*command, "-o", library], check=True)
    labels = ctypes.CDLL(str(library)).labels
    labels.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    labels.argtypes += [ctypes.c_void_p] * 3
    z, work = np.empty(WIDTHS[-1], np.int64), np.empty(4 * max(WIDTHS), np.uint64)
    space = {count: np.empty(count, np.int32) for count in (1, BATCH)}
    kept = (z, work), (z.ctypes.data, work.ctypes.data)
    at = {count: found.ctypes.data for count, found in space.items()}

    def way(X: Array) -> Array:
        _, addresses = kept
        count = len(X)
        error = labels(data, len(data), X.ctypes.data, count, *addresses, at[count])
        assert error == 0
        return space[count]

    return way


def in_float32(model: TrainedModel) -> Way:
    """Return inference by numpy's float32 with BLAS."""
    (W, V), (b, c) = (
        [np.ascontiguousarray(part.T, np.float32) for part in parts if part is not None]
        for parts in (model.weights.matrices, model.weights.biases)
    )
    one = np.float32(1)

    def way(X: Array) -> Array:
        z = X @ W
        z += b
        np.copysign(one, z, out=z)  # z is never -0, since IEEE 754 sums that are zero are +0
        z = z @ V
        z += c
        return np.asarray(z.argmax(axis=1))

    return way


def in_int8(model: TrainedModel) -> Way:
    """Return inference by numpy's integers: int8 weights, int32 sums, without BLAS."""
    W, V = (m.T.astype(np.int8) for m in model.weights.matrices)
    b, c = (np.asarray(b, np.int32) for b in model.weights.biases)

    def way(X: Array) -> Array:
        z = np.matmul(X, W, dtype=np.int32, casting="safe") + b
        a = np.where(z >= 0, np.int8(1), np.int8(-1))
        z = np.matmul(a, V, dtype=np.int32, casting="safe") + c
        return np.asarray(z.argmax(axis=1))

    return way


def in_onnxruntime(content: bytes) -> Way:
    """Return inference by onnxruntime's CPU provider on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    return lambda X: np.asarray(session.run(["label"], {"inputs": X})[0])


def quantized(content: bytes, folder: Path) -> bytes:
    """Return inference of the same ONNX model with onnxruntime's dynamic int8 products."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    before, after = folder / "float32.onnx", folder / "int8.onnx"
    before.write_bytes(content)
    quantize_dynamic(before, after, weight_type=QuantType.QInt8, reduce_range=True)
    return after.read_bytes()


# -- measuring -------------------------------------------------------------------------------------


def measured(ways: dict[str, tuple[Way, Array]], repeats: int, seconds: float) -> dict[str, float]:
    """Return the median microseconds per inference of each way, taking turns.

    Times are of the processor in this thread, so that other work matters less.
    """
    calls = {}
    for name, (way, X) in ways.items():
        way(X)
        start = time.thread_time()
        way(X)
        calls[name] = max(1, int(seconds / max(time.thread_time() - start, 1e-6)))
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, (way, X) in ways.items():
            start = time.thread_time()
            for _ in range(calls[name]):
                way(X)
            spent = time.thread_time() - start
            found[name].append(1e6 * spent / calls[name] / len(X))
    return {name: float(np.median(times)) for name, times in found.items()}


def all_ways(
    model: TrainedModel, folder: Path
) -> dict[str, tuple[Way, type[np.generic], int | None]]:
    """Return each way, the type of its inputs, and the bytes that it computes from."""
    data, onnx = pack(model), to_onnx(model).SerializeToString()
    int8 = quantized(onnx, folder)
    numbers = model.network.stored_bits  # one bit each
    return {
        "packed, C by ctypes (-O2)": (in_c(data, ["-O2"], folder), np.int32, len(data)),
        "packed, C by ctypes (-O3)": (in_c(data, ["-O3"], folder), np.int32, len(data)),
        "packed, numpy": (unpack(data).labels, np.int8, len(data)),
        "float32, numpy and BLAS": (in_float32(model), np.float32, 4 * numbers),
        "int8, numpy": (in_int8(model), np.int8, numbers),
        "float32, onnxruntime": (in_onnxruntime(onnx), np.float32, len(onnx)),
        "int8 (dynamic), onnxruntime": (in_onnxruntime(int8), np.float32, len(int8)),
    }


def figures(repeats: int, seconds: float, seed: int) -> dict[str, Any]:
    """Return bytes, microseconds and agreement of every way, for batches of 1 and BATCH."""
    model = random_model(seed)
    X = np.random.default_rng(np.random.SeedSequence(seed)).choice([-1, 1], (BATCH, WIDTHS[0]))
    expected = model.labels(X)
    with tempfile.TemporaryDirectory() as folder:
        ways = all_ways(model, Path(folder))
        inputs = {name: X.astype(kind) for name, (_, kind, _) in ways.items()}
        same = {name: float(np.mean(ways[name][0](inputs[name]) == expected)) for name in ways}
        many = {name: (way, inputs[name]) for name, (way, _, _) in ways.items()}
        single = {name: (way, inputs[name][:1]) for name, (way, _, _) in ways.items()}
        batch, one = measured(many, repeats, seconds), measured(single, repeats, seconds)
    return {
        "widths": WIDTHS,
        "stored_bits": model.network.stored_bits,
        "bits_per_weight": model.network.bits_per_weight,
        "batch": BATCH,
        "ways": {
            name: {
                "bytes": ways[name][2],
                "agreement": same[name],
                "one_at_a_time": one[name],
                "in_a_batch": batch[name],
            }
            for name in ways
        },
    }


def table(found: dict[str, Any]) -> str:
    """Format the figures as Markdown."""
    ways = found["ways"]
    base = ways["float32, numpy and BLAS"]
    claimed = found["stored_bits"] / 8
    lines = [
        "| 196-64-10 | bytes | of the bits | same class | one a call, µs | ratio | "
        f"{found['batch']:,} a call, µs each | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, way in ways.items():
        one, batch = way["one_at_a_time"], way["in_a_batch"]
        lines.append(
            f"| {name} | {way['bytes']:,} | {way['bytes'] / claimed:.2f} | "
            f"{100 * way['agreement']:.1f} % | {one:.2f} | {base['one_at_a_time'] / one:.2f} | "
            f"{batch:.2f} | {base['in_a_batch'] / batch:.2f} |"
        )
    single = base["one_at_a_time"] / ways["packed, C by ctypes (-O2)"]["in_a_batch"]
    lines += [
        "",
        f"A C program (-O2) makes its calls one by one, each in "
        f"{ways['packed, C by ctypes (-O2)']['in_a_batch']:.2f} µs: {single:.1f} times as fast as "
        "numpy's float32 on one sample, most of whose time is Python's.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=0.05, help="of a repeat")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = figures(options.repeats, options.seconds, options.seed)
    print(table(found))
    write_figures(options.json, found)


if __name__ == "__main__":
    main()
