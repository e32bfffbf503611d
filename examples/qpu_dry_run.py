"""Replace the local annealer by a quantum computer with one word, and estimate the cost first.

Runs without an account, because Ocean's mock QPU answers.  `registry.make("qpu", reads=100)` makes
the real one, once you have run `dwave config create`.
"""

import numpy as np

from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.footprint import Calls, Footprint, first_qubo
from solvers.oracles import Budget, registry

random = np.random.default_rng(0)
X = random.choice([-1, 1], (5, 4))
problem = TrainingProblem(Network.dense([4, 1]), X, y=np.where(X.sum(axis=1) > 0, 1, -1))
solver = {"iterations": 20, "seed": 0}

# Before anything is sent: the first QUBO of the run, and the cost of 20 calls with it.
qubo = first_qubo(lambda oracle: QCGD(oracle=oracle, **solver).solve(problem))
footprint = Footprint.of(qubo, Calls(calls=20, reads=100), graphs=["P16", "Z12"], search=5.0)
print(f"{footprint.variables} variables, {footprint.couplers} couplers")
for fit in footprint.fits:
    print(f"{fit.graph}, {fit.method}: {fit}")
for graph, seconds in footprint.qpu_seconds.items():
    print(f"QPU time on {graph}: {seconds:.2f} s")

# The run itself, with each oracle; a budget ends it before it costs more than 0.1 s.
for name in ("annealer", "mock-qpu"):
    oracle = Budget(registry.make(name, reads=100), charged=0.1)
    result = QCGD(oracle=oracle, **solver).solve(problem)
    print(
        f"{name}: loss {result.loss:g}, {result.status.value}, {result.ledger.calls} calls, "
        f"{result.ledger.charged:.3f} s charged"
    )
