"""MNIST in 1.1 KiB: a convolutional network with one-bit weights against the widest dense one.

    python benchmarks/convolution.py [--data-dir FOLDER] [--epochs 6] [--seed 0] [--dense]
                                     [--save NETWORK] [--checkpoint FOLDER]

Both are trained on 55,000 of the 60,000 training images; the other 5,000 select the epoch to keep.
Without a clock, the same command finds the same network.  The convolutional network is exported as
C, which is compiled and run, and as ONNX if onnxruntime is installed.  The program fails unless
their answers to 1,000 raw test images equal the network's.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from formulations import Network, TrainingProblem
from qnn import load
from qnn.architecture import network_for
from qnn.data.datasets import Dataset
from qnn.export import TrainedModel, export
from qnn.export.onnx_graph import to_onnx
from solvers import StraightThrough

BITS = 9011  # 1.1 KiB
HIDDEN = ("conv:18:5x5:2", "conv:18:3x3:2", "conv:18:3x3")
HELD_OUT, CHECKED = 5000, 1000


def trained(
    data: Dataset, network: Network, epochs: int, seed: int, checkpoint: str | None
) -> tuple[TrainedModel, float, float]:
    """Return the network after training, seconds, and its accuracy on held-out images."""
    X, y = data.X_train, data.y_train
    problem = TrainingProblem(network, X[:-HELD_OUT], y[:-HELD_OUT], loss="cross-entropy")
    solver = StraightThrough(
        epochs=epochs, held_out=1 / 12, seed=seed, checkpoint=checkpoint, checkpoint_every=20
    )
    result = solver.solve(problem)
    right = problem.network.predict(result.weights, X[-HELD_OUT:]) == y[-HELD_OUT:]
    model = TrainedModel(
        problem.network,
        result.weights,
        data.thresholds,
        data.classes,
        raw_span=data.raw_span,
        image=data.image,
    )
    return model, result.seconds, float(right.mean())


def check_exports(model: TrainedModel, raw: np.ndarray) -> list[str]:
    """Return forms and bytes; fail unless their answers to raw images equal the network's."""
    answers = [str(answer) for answer in model.predict(raw)]
    text = "\n".join(" ".join(map(str, row)) for row in raw.astype(int).tolist())
    with TemporaryDirectory() as folder:
        forms = export(
            model, packed=f"{folder}/net.qnnp", embedded=f"{folder}/c", c=f"{folder}/r", raw=True
        )
        for name in ("c", "r"):
            sources = [str(path) for path in Path(folder, name).glob("*.c")]
            program = f"{folder}/{name}/predict"
            subprocess.run(["cc", "-O2", *sources, "-o", program], check=True)
            said = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
            assert said.stdout.split() == answers, f"the C program of {name} answers otherwise"
    found = [f"{form.form}: {form.size:,} bytes" for form in forms]
    try:
        import onnxruntime
    except ImportError:
        return found
    proto = to_onnx(model, raw=True).SerializeToString()
    session = onnxruntime.InferenceSession(proto)
    scores, label = session.run(None, {"inputs": raw.astype(np.float32)})
    inputs = model.on_lattice(raw)
    assert np.array_equal(scores, model.scores(inputs)), "ONNX answers otherwise"
    assert np.array_equal(label, model.labels(inputs)), "ONNX answers otherwise"
    return [*found, f"ONNX: {len(proto):,} bytes"]


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", help="go on from here, and write it every ten seconds")
    parser.add_argument("--save")
    parser.add_argument("--dense", action="store_true", help="the dense network alone")
    given = parser.parse_args()
    print("| network | bits | KiB | epochs | seconds | held out | test |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for inputs in (196,) if given.dense else (784,):
        data = load("mnist", inputs=inputs, levels=16, data_dir=given.data_dir)
        if given.dense:
            network = network_for(data.X_train, 10, BITS)
        else:
            network = Network.conv((1, 28, 28), HIDDEN, 10, "relu:4", "bipolar", "auto")
        model, seconds, held_out = trained(
            data, network, given.epochs, given.seed, given.checkpoint
        )
        right = model.network.predict(model.weights, data.X_test) == data.y_test
        bits = model.network.stored_bits
        print(
            f"| {model.network} | {bits:,} | {bits / 8192:.2f} | {given.epochs} | {seconds:.0f} | "
            f"{held_out:.4f} | {right.mean():.4f} |",
            flush=True,
        )
        if given.save:
            model.save(given.save)
        if not given.dense:
            raw = load("mnist", levels="keep", data_dir=given.data_dir).X_test[:CHECKED]
            forms = ", ".join(check_exports(model, raw))
            print(f"\nThe same answers to {CHECKED:,} raw test images: {forms}.")


if __name__ == "__main__":
    main()
