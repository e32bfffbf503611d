"""Ocean's steepest descent as an oracle."""

from __future__ import annotations

from typing import Any

from solvers.oracles.base import QUBO
from solvers.oracles.dimod_sampler import WarmDimodOracle
from solvers.run.option_checks import check_effort


class SteepestDescent(WarmDimodOracle):
    """Oracle: steepest descent by single flips until none lowers the energy.

    It is the baseline that every other oracle has to beat.

    Parameters
    ----------
    reads : int
        Descents per call.

    Examples
    --------
    >>> import numpy as np
    >>> from solvers.oracles import QUBO
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> SteepestDescent(reads=2).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(self, reads: int = 10) -> None:
        from dwave.samplers import SteepestDescentSampler

        check_effort(reads)
        super().__init__(SteepestDescentSampler(), num_reads=int(reads))

    def __repr__(self) -> str:
        return f"SteepestDescent(reads={self.reads})"

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        # For large models the sampler keeps its candidates in a search tree.
        return self.options | {"large_sparse_opt": qubo.num_variables >= 500}
