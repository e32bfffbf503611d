"""Ocean's tabu search as an oracle, limited by work, so a seed reproduces its samples."""

from __future__ import annotations

from formulations.checks import check_whole
from solvers.oracles.dimod_sampler import WarmDimodOracle
from solvers.run.option_checks import MOST_SWEEPS, check_effort


class Tabu(WarmDimodOracle):
    """Oracle: multistart tabu search.

    Palubeckis, "Multistart tabu search strategies for the unconstrained binary quadratic
    optimization problem", Annals of Operations Research 131, 259 (2004).  Ocean's sampler keeps a
    dense matrix and stops after a time; this one stops after a number of evaluations per variable,
    so the same seed gives the same samples.

    Parameters
    ----------
    reads : int
        Independent searches per call.
    sweeps : int
        Flips evaluated per variable in the first search of each read.
    restarts : int
        Further searches of each read, each with a quarter of the work.

    Examples
    --------
    >>> import numpy as np
    >>> from solvers.oracles import QUBO
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> Tabu(reads=2).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(self, reads: int = 10, sweeps: int = 500, *, restarts: int = 0) -> None:
        from dwave.samplers import TabuSampler

        check_effort(reads, sweeps)
        check_whole("restarts", restarts, least=0, most=MOST_SWEEPS)
        self.sweeps, self.restarts = int(sweeps), int(restarts)
        super().__init__(
            TabuSampler(),
            num_reads=int(reads),
            num_restarts=self.restarts,
            coefficient_z_first=self.sweeps,
            coefficient_z_restart=max(self.sweeps // 4, 1),
            lower_bound_z=1,
            timeout=None,
        )

    def __repr__(self) -> str:
        return f"Tabu(reads={self.reads}, sweeps={self.sweeps}, restarts={self.restarts})"
