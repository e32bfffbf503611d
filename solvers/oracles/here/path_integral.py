"""Ocean's simulated quantum annealing as an oracle, with fields from the model's scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.checks import check_number
from solvers.oracles.base import QUBO
from solvers.oracles.dimod_sampler import DimodOracle
from solvers.oracles.ising import Ising
from solvers.run.option_checks import check_effort


class PathIntegral(DimodOracle):
    """Oracle: path-integral Monte Carlo of an Ising model whose transverse field is turned off.

    Simulated quantum annealing: at a fixed inverse temperature the worldlines of
    H(s) = s (h'z + z'Jz) - (1 - s) gamma f sum_i x_i are annealed from s = 0 to s = 1, f being the
    scale of the fields on the spins (see :meth:`Ising.beta_range`).  The sampler is that of King et
    al., "Scaling advantage over path-integral Monte Carlo in quantum simulation of geometrically
    frustrated magnets", Nature Communications 12, 1113 (2021).

    Parameters
    ----------
    reads : int
        Independent runs per call.
    sweeps : int
        Sweeps of each run.
    beta : float
        Inverse temperature, in units of 1 / f.  A sweep's time grows with it.
    gamma : float
        Transverse field at the start, in units of f.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> PathIntegral(reads=2, sweeps=50).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(
        self, reads: int = 10, sweeps: int = 100, *, beta: float = 20.0, gamma: float = 1.0
    ) -> None:
        from dwave.samplers import PathIntegralAnnealingSampler

        check_effort(reads, sweeps)
        check_number("beta", beta)
        check_number("gamma", gamma)
        super().__init__(PathIntegralAnnealingSampler(), num_reads=int(reads))
        self.sweeps, self.beta, self.gamma = int(sweeps), float(beta), float(gamma)

    def __repr__(self) -> str:
        return f"PathIntegral(reads={self.reads}, sweeps={self.sweeps})"

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        hot, _ = Ising.of(qubo).beta_range()
        s = np.linspace(0.0, 1.0, self.sweeps) if self.sweeps > 1 else np.ones(1)
        schedule = {"Hp_field": hot * self.beta * s, "Hd_field": self.beta * self.gamma * (1 - s)}
        return self.options | schedule | {"beta_schedule_type": "custom"}
