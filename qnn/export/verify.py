"""Check on random inputs that an exported network computes the same as the network."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from formulations.arrays import Array
from formulations.errors import QnnError
from qnn.export.packed_reader import unpack
from qnn.export.parts import stored_thresholds
from qnn.export.trained import TrainedModel
from qnn.export.verilog import simulate

SAMPLES = 1000


class ExportError(QnnError, RuntimeError):
    """Raised if an exported network differs from the network, which is our own fault."""


def inputs_for(model: TrainedModel, *, raw: bool, seed: int = 0) -> Array:
    """Draw random inputs: lattice integers, or raw numbers at, just above and between thresholds.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> net, weights = Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ())
    >>> inputs_for(TrainedModel(net, weights, span=(-1, 1, 2)), raw=False).shape
    (1000, 2)
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    shape = (SAMPLES, model.num_inputs)
    if not raw:
        low, high, step = model.span or (-100, 100, 1)
        return np.asarray(low + step * rng.integers(0, (high - low) // step + 1, shape))
    if model.image is not None:  # bright and dark images cover sums at every level
        low, high = model.raw_span or (0, 1)
        bright = rng.integers(low, high + 1, (SAMPLES, 1))
        return np.asarray(rng.integers(low, np.maximum(bright, low + 1), (SAMPLES, model.num_raw)))
    rows = stored_thresholds(model)
    rows = np.broadcast_to(rows, (len(rows), model.num_inputs))[:, :: model.repeat]
    shape = (SAMPLES, model.num_raw)
    chosen = np.take_along_axis(rows, rng.integers(0, len(rows), shape), axis=0)
    if model.raw_span is not None:
        return np.clip(chosen + rng.integers(-2, 4, shape), *model.raw_span)
    above = np.nextafter(chosen, np.float32(np.inf))
    other = chosen + rng.normal(size=shape).astype(np.float32) * np.ptp(rows)
    return np.asarray(np.choose(rng.integers(0, 3, shape), [chosen, above, other]))


def check_packed(model: TrainedModel, data: bytes, *, raw: bool = False) -> int:
    """Check a packed file; return the number of inputs on which it matched exactly."""
    X, packed = inputs_for(model, raw=raw), unpack(data)
    inputs = model.on_lattice(X) if raw else X
    same = not raw or np.array_equal(packed.on_lattice(X), inputs)
    same = same and np.array_equal(packed.scores(inputs), model.scores(inputs))
    return _counted("the packed file", same and _same_labels(model, inputs, packed.labels(inputs)))


def check_onnx(model: TrainedModel, proto: Any, *, raw: bool = False) -> int | None:
    """Check an ONNX model with onnxruntime in the same way; None if that is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    X = inputs_for(model, raw=raw)
    inputs = model.on_lattice(X) if raw else X
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    scores, *label = session.run(None, {"inputs": X.astype(np.float32)})
    same = np.array_equal(scores, model.scores(inputs))
    return _counted("ONNX", same and (not label or _same_labels(model, inputs, label[0])))


def check_c(
    model: TrainedModel, contents: Mapping[str | PathLike[str], bytes], *, raw: bool = False
) -> int | None:
    """Compile, run and check a C program in the same way; None if no compiler can build it."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    X = inputs_for(model, raw=raw)
    inputs = model.on_lattice(X) if raw else X
    text = "\n".join(" ".join(f"{v:.9g}" if v != int(v) else str(int(v)) for v in x) for x in X)
    with TemporaryDirectory() as folder:
        for path, content in contents.items():
            (Path(folder) / Path(path).name).write_bytes(content)
        sources = sorted(Path(folder).glob("*.c"))
        program = Path(folder) / "program"
        try:
            subprocess.run(
                [compiler, "-O1", *sources, "-o", program],
                check=True,
                capture_output=True,
                timeout=300,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        ran = subprocess.run([program], input=text, capture_output=True, text=True, timeout=300)
    said = ran.stdout.splitlines()
    if model.line is not None:
        same = [float(word) for word in said] == model.scores(inputs)[:, 0].tolist()
    else:
        same = said == [model.names[label] for label in model.labels(inputs)]
    return _counted("the C program", same)


def check_verilog(model: TrainedModel, text: str) -> int:
    """Check a Verilog module in the same way, by the tables in its text."""
    inputs = inputs_for(model, raw=False)
    said = simulate(text, inputs == inputs.max())
    return _counted("Verilog", _same_labels(model, inputs, said))


def _same_labels(model: TrainedModel, inputs: Array, labels: Any) -> bool:
    return model.line is not None or np.array_equal(labels, model.labels(inputs))


def _counted(what: str, same: bool) -> int:
    if not same:
        raise ExportError(
            f"{what} does not compute what the network computes; nothing is written: please report "
            "this with the network's file"
        )
    return SAMPLES
