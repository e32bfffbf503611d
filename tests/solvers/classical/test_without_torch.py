"""Every classical solver works where torch is not installed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["torch"] = None  # importing it is an error
import numpy as np
from formulations import Network, TrainingProblem
from formulations.errors import MissingExtraError
from solvers import *
from solvers.classical.gradients.objectives import NetworkObjective, TorchObjective
from solvers.classical.gradients.outputs import softmax_cross_entropy
from solvers.classical.gradients.stack import RealLayer, Stack

rng = np.random.default_rng(0)
X = rng.choice([-1, 1], (30, 5))
y = np.where(X[:, :3].sum(axis=1) > 0, 1, -1)
problem = TrainingProblem(Network.dense([5, 2, 1]), X, y)
for solver in (ExplicitSoftmax(), ManifoldNetwork(), MonotoneVI(epochs=2), RMDA(epochs=2),
               StraightThrough(epochs=2), RandomFeatures(), Rounding("nearest"), Rounding("greedy"),
               Rounding("qubo", draws=1)):
    assert solver.solve(problem).loss < 30, solver
classes = (y + 1) // 2
layer = RealLayer(np.zeros((2, 5)), np.zeros(2), None)
network, Y = Stack([layer], softmax_cross_entropy()), np.eye(2)[classes]
ExplicitSoftmax().fit(X + 1, classes)
ManifoldNetwork([4]).fit(X, classes)
RandomFeatures(units=9).fit(X, classes)
MonotoneVI(epochs=2).fit(network, X, Y)
RMDA(epochs=2).fit(NetworkObjective(network, X, Y))
try:
    TorchObjective(None, None, None, None)
except MissingExtraError as error:
    print(error)
"""


def test_nothing_but_a_torch_module_needs_torch() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "qnn-ising[torch]" in done.stdout
