"""An oracle of your own: fifteen lines, checked by the conformance kit, and used by QCGD.

An oracle is any object with ``sample(qubo, seed)``.  To use it on the command line as well, with
``qnn train ... --oracle descent --oracle-option reads=50``, declare it in your package's
``pyproject.toml``:

    [project.entry-points."qnn.oracles"]
    descent = "my_package:Descent"

Expect all checks to pass, and a loss near that of the annealer with the same number of reads.
"""

import time

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.oracles import Annealer, Samples
from solvers.oracles.testing import CHECKS, check_oracle


class Descent:
    """Descent from random states, one bit at a time."""

    def __init__(self, reads: int = 20, sweeps: int = 20) -> None:
        self.reads, self.sweeps = reads, sweeps

    def sample(self, qubo, seed):
        """Return samples of ``qubo``, best first; the same seed gives the same samples."""
        started, n = time.perf_counter(), qubo.num_variables
        if not np.isfinite(np.r_[qubo.linear, qubo.couplings]).all():
            raise ValueError("a coefficient is not finite: nothing can be minimised")
        J = np.zeros((n, n))
        J[qubo.heads, qubo.tails] = J[qubo.tails, qubo.heads] = qubo.couplings
        x = np.random.default_rng(seed).integers(0, 2, (self.reads, n), dtype=np.int8)
        for bit in [*range(n)] * self.sweeps:
            x[:, bit] = qubo.linear[bit] + x @ J[bit] < 0
        energies = qubo.energies(x)
        order = np.argsort(energies)
        return Samples(x[order], energies[order], time.perf_counter() - started)


check_oracle(Descent)
print(f"Descent passes all {len(CHECKS)} checks")

data = qnn.load("digits:3,8", samples=20, inputs=4)
problem = TrainingProblem(Network.dense([4, 2, 1]), data.X_train, data.y_train)
for oracle in (Descent(), Annealer(reads=20, sweeps=20)):
    result = QCGD(oracle=oracle, iterations=20, seed=0).solve(problem)
    print(
        f"{type(oracle).__name__}: hinge loss {result.loss:g}, {result.ledger.calls} calls, "
        f"{result.ledger.seconds:.2f} s"
    )
