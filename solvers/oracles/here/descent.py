"""Ocean's local samplers as oracles, each a few lines over the one adapter.

What they add to it: temperatures and fields from the model's scale, a limit on work instead of a
limit on time, so that the same seed gives the same samples, and refusal before work of what would
not fit.
"""

from __future__ import annotations

from typing import Any

from solvers.oracles.base import QUBO
from solvers.oracles.dimod_sampler import WarmDimodOracle
from solvers.run.option_checks import check_effort

SPARSE = 500
"""From this many variables on, steepest descent keeps its candidates in a search tree."""


class SteepestDescent(WarmDimodOracle):
    """Oracle: the best flip, again and again until none lowers the energy.

    The least that any other oracle has to beat.

    Parameters
    ----------
    reads : int
        Descents of each call.

    Raises
    ------
    InvalidInputError
        For an option that is out of range; by ``sample``, for coefficients that are not finite.

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
        return self.options | {"large_sparse_opt": qubo.num_variables >= SPARSE}
