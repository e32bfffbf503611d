"""Lookup tables in Verilog: what they answer is what the network predicts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.constraints import FanIn
from formulations.errors import InvalidInputError
from qnn.export import TrainedModel
from qnn.export.verilog import simulate, to_verilog


def trained(widths: list[int], seed: int, activation: str = "sign") -> TrainedModel:
    """A random network of at most six inputs a unit, on inputs -1 and +1."""
    X = np.array([[-1] * widths[0], [1] * widths[0]])
    y = [-1, 1] if widths[-1] == 1 else [0, 1]
    net = Network.dense(widths, activation, "ternary", "integer:3")
    problem = TrainingProblem(net, X, y, constraints=[FanIn(6)])
    bits = problem.random_bits(np.random.default_rng(seed), 1)[0]
    return TrainedModel(problem.network, problem.weights_from_bits(bits), span=(-1, 1, 2))


WIDTHS = [[9, 1], [12, 7, 1], [12, 8, 7, 1], [10, 8, 3], [10, 8, 5, 4]]


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("activation", ["sign", "relu:1"])
def test_tables_answer_what_the_network_predicts(widths: list[int], activation: str) -> None:
    for seed in range(5):
        model = trained(widths, seed, activation)
        x = np.random.default_rng(seed).integers(0, 2, (300, widths[0]))
        assert simulate(to_verilog(model), x).tolist() == model.labels(2 * x - 1).tolist()


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_a_simulator_agrees(widths: list[int], tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("needs iverilog, a free Verilog simulator")
    model = trained(widths, 1)
    x = np.random.default_rng(0).integers(0, 2, (50, widths[0]))
    (tmp_path / "network.v").write_text(to_verilog(model))
    words = ["".join(map(str, row[::-1])) for row in x.tolist()]
    steps = "\n".join(f'x = {widths[0]}\'b{word}; #1 $display("%0d", y);' for word in words)
    (tmp_path / "bench.v").write_text(
        f"module bench; reg [{widths[0] - 1}:0] x; wire [{max(widths[-1] - 1, 1)}:0] w; "
        f"wire [{max((max(widths[-1], 2) - 1).bit_length(), 1) - 1}:0] y; "
        f"network n(x, y); initial begin\n{steps}\nend endmodule\n"
    )
    subprocess.run(["iverilog", "-o", "bench", "network.v", "bench.v"], cwd=tmp_path, check=True)
    said = subprocess.run(
        ["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert [int(line) for line in said.stdout.split()] == model.labels(2 * x - 1).tolist()


def test_what_has_no_tables_is_refused() -> None:
    wide = TrainedModel(*_weights(Network.dense([9, 1])), span=(-1, 1, 2))
    with pytest.raises(InvalidInputError, match="fan-in:6"):
        to_verilog(wide)
    levels = TrainedModel(*_weights(Network.dense([2, 1])), span=(0, 15, 1))
    with pytest.raises(InvalidInputError, match="two levels"):
        to_verilog(levels)
    units = TrainedModel(*_weights(Network.dense([2, 2, 1], "relu:2", scale=1)), span=(-1, 1, 2))
    with pytest.raises(InvalidInputError, match="activations"):
        to_verilog(units)
    line = TrainedModel(*_weights(Network.dense([2, 1])), span=(-1, 1, 2), line=(1.0, 0.0))
    with pytest.raises(InvalidInputError, match="regression"):
        to_verilog(line)


def test_the_command_writes_the_module_it_has_checked(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    network, module = tmp_path / "network.npz", tmp_path / "network.v"
    trained([12, 8, 3], 0).save(network)
    code, said, _ = run("export", network, "--verilog", module, "--json", "-")
    form = next(size for size in json.loads(said)["sizes"] if size["form"] == "Verilog")
    assert (code, form["checked"], form["file"]) == (0, 1000, str(module))
    assert module.read_text() == to_verilog(TrainedModel.load(network))
    code, _, _ = run("export", network, "--verilog", tmp_path / "r.v", "--inputs", "raw")
    assert (code, (tmp_path / "r.v").exists()) == (2, False)


def _weights(net: Network) -> tuple[Network, object]:
    X = [[-1] * net.widths[0], [1] * net.widths[0]]
    problem = TrainingProblem(net, X, [-1, 1])
    return net, problem.weights_from_bits(np.ones(problem.num_free_bits, dtype=np.int8))
