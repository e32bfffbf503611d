"""QONNX files read by other tools: qonnx's own executor, and hls4ml's C simulation.

    python -m venv hls && hls/bin/pip install hls4ml -e '.[onnx]'
    hls/bin/python benchmarks/qonnx_tools.py FOLDER --data-dir DIR

Each network is exported twice.  The full file takes raw numbers; qonnx's executor computes scores
and labels of 1,000 samples.  hls4ml supports neither thresholds of raw numbers nor labels, so its
file takes inputs on their levels and ends with the integers of the last layer.  g++ compiles the
code of hls4ml, with its fixed-point types, which runs on the same samples.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hls4ml.converters import convert_from_onnx_model
from hls4ml.model.flow.flow import update_flow
from hls4ml.utils import config_from_onnx_model
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.cleanup import cleanup_model

from formulations.arrays import Array
from qnn import load
from qnn.export import TrainedModel, to_qonnx

NETWORKS = {
    "two bits": "digits --bits 4096 --time-limit 20",
    "ternary": "digits --hidden 24 --weights ternary --levels 16 --activation relu:4 --bias auto "
    "--loss cross-entropy --samples 1300 --solver straight-through",
    "one bit": "digits --inputs 16 --levels 16 --hidden 24-12 --weights bipolar --activation sign "
    "--bias auto --loss cross-entropy --samples 1300 --solver straight-through",
    "one bit, MNIST": "mnist --inputs 144 --levels 16 --hidden 40-40 --activation relu:4 "
    "--bias auto --loss cross-entropy --samples all --solver straight-through --time-limit 60",
}


def until_integers(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph up to the last layer's integers, from which scores are computed."""
    helper, graph = onnx.helper, proto.graph
    double = onnx.TensorProto.DOUBLE
    (last,) = [n for n in graph.node if n.op_type == "Cast" and n.attribute[0].i == double]
    needed, nodes = {last.input[0]}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, end.dim[1].dim_value])
        for name, end in (
            ("inputs", graph.input[0].type.tensor_type.shape),
            (last.input[0], graph.output[0].type.tensor_type.shape),
        )
    ]
    constants = [constant for constant in graph.initializer if constant.name in needed]
    cut = helper.make_graph(nodes, "qnn", ends[:1], ends[1:], constants)
    imports, version = proto.opset_import, proto.ir_version
    return helper.make_model(cut, opset_imports=imports, ir_version=version)


def by_qonnx(proto: onnx.ModelProto, X: Array) -> dict[str, Array]:
    """Compute scores and labels with qonnx's executor."""
    onnx.IR_VERSION = proto.ir_version  # it makes an onnxruntime model of each node
    model = ModelWrapper(proto)
    model.set_tensor_shape("inputs", list(X.shape))
    found: dict[str, Array] = execute_onnx(model.transform(InferShapes()), {"inputs": X})
    return found


def by_hls4ml(proto: onnx.ModelProto, X: Array, folder: Path) -> Array:
    """Compute the last layer's integers with the compiled project of hls4ml."""
    model: Any = cleanup_model(ModelWrapper(until_integers(proto)))
    config = config_from_onnx_model(
        model, granularity="name", backend="Vitis", default_precision="fixed<32,24>"
    )
    config["LayerName"]["global_in"]["Precision"]["result"] = "fixed<8,8>"
    project = convert_from_onnx_model(
        model, output_dir=str(folder), backend="Vitis", io_type="io_parallel", hls_config=config
    )
    project.compile()
    z: Array = project.predict(np.ascontiguousarray(X, np.float32))
    return z


def main() -> None:
    """Train, export, run, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--only", choices=list(NETWORKS), default=None)
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    # hls4ml 1.3.0 converts weights 0 and 1 to -1 and +1 a second time if a threshold follows
    update_flow("vivado:quantization", remove_optimizers=["vivado:quantize_dense_output"])
    rows = ["| network | widths | samples | qonnx: scores, labels | hls4ml: integers, labels |"]
    rows.append("|---|---|--:|--:|--:|")
    for name in [arguments.only] if arguments.only else NETWORKS:
        file = arguments.folder / f"{name.replace(', ', '-').replace(' ', '-')}.npz"
        more = ["--data-dir", arguments.data_dir] if arguments.data_dir else []
        if not file.exists():
            train = [sys.executable, "-m", "qnn", "train", *NETWORKS[name].split(), *more]
            subprocess.run([*train, "--save", str(file)], check=True, stdout=subprocess.DEVNULL)
        model = TrainedModel.of(file)
        data = load(NETWORKS[name].split()[0], levels=None, data_dir=arguments.data_dir)
        X = np.concatenate([data.X_test, data.X_train])[:1000].astype(np.float32)
        lattice = model.on_lattice(X)
        found = by_qonnx(to_qonnx(model, raw=True), X)
        scores = (found["scores"] != model.scores(lattice)).any(axis=1).sum()
        labels = (found["label"] != model.labels(lattice)).sum()
        z = by_hls4ml(to_qonnx(model), lattice, file.with_suffix(""))
        ours = model.network.pre_activations(model.weights, lattice)[-1]
        differing = (z != ours).any(axis=1).sum(), (z.argmax(axis=1) != ours.argmax(axis=1)).sum()
        row = f"| {name} | {model.network} | {len(X):,} | {scores}, {labels} "
        rows.append(f"{row}| {differing[0]}, {differing[1]} |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
