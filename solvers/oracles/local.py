"""Ocean's local samplers as oracles, each a few lines over the one adapter.

What they add to it: temperatures and fields from the model's scale, a limit on work instead of a
limit on time, so that the same seed gives the same samples, and refusal before work of what would
not fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.errors import InvalidInputError
from solvers.options import MOST_SWEEPS, check_effort, check_number, check_whole
from solvers.oracles.annealing import Ising
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.dimod_sampler import DimodOracle, WarmDimodOracle

WIDEST = 25
"""Largest ``max_width``: Ocean's solver runs out of memory above it."""

SPARSE = 500
"""From this many variables on, steepest descent keeps its candidates in a search tree."""


class PathIntegral(DimodOracle):
    """Oracle: path-integral Monte Carlo of a transverse-field Ising model, its field turned off.

    Simulated quantum annealing: at a fixed inverse temperature the worldlines of
    H(s) = s (h'z + z'Jz) - (1 - s) gamma f sum_i x_i are annealed from s = 0 to s = 1, f being the
    scale of the fields on the spins (see :meth:`Ising.beta_range`).  The sampler is that of King et
    al., "Scaling advantage over path-integral Monte Carlo in quantum simulation of geometrically
    frustrated magnets", Nature Communications 12, 1113 (2021).

    Parameters
    ----------
    reads : int
        Independent runs of each call.
    sweeps : int
        Sweeps of each run.
    beta : float
        Inverse temperature, in units of 1 / f.  A sweep's time grows with it.
    gamma : float
        Transverse field at the start, in units of f.

    Raises
    ------
    InvalidInputError
        For an option that is out of range; by ``sample``, for coefficients that are not finite.

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


class Tabu(WarmDimodOracle):
    """Oracle: multistart tabu search.

    Palubeckis, "Multistart tabu search strategies for the unconstrained binary quadratic
    optimization problem", Annals of Operations Research 131, 259 (2004).  Ocean's sampler keeps a
    dense matrix and stops after a time; this one stops after a number of looks at each variable, so
    that the same seed gives the same samples.

    Parameters
    ----------
    reads : int
        Independent searches of each call.
    sweeps : int
        Flips that the first search of each read weighs, per variable.
    restarts : int
        Further searches of each read, each with a quarter of that.

    Raises
    ------
    InvalidInputError
        For an option that is out of range; by ``sample``, for coefficients that are not finite.

    Examples
    --------
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


class TreeDecomposition(DimodOracle):
    """Oracle: the states of least energy, by elimination of one variable after the other.

    Exact, and in a time that grows with the number of variables times two to the power of the width
    of the elimination order, which is found by the min-fill heuristic.

    Parameters
    ----------
    reads : int
        States of each call: the best, the second best and so on.
    max_width : int
        Widest order that is accepted, at most 25.

    Raises
    ------
    InvalidInputError
        For an option that is out of range; by ``sample``, for coefficients that are not finite, and
        for a model that is wider.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = TreeDecomposition(reads=2).sample(qubo, np.random.SeedSequence(0))
    >>> samples.energies.tolist(), samples.exact
    ([-3.0, 0.0], True)
    """

    exact = True

    def __init__(self, reads: int = 1, *, max_width: int = 20) -> None:
        from dwave.samplers import TreeDecompositionSolver

        check_effort(reads)
        check_whole("max_width", max_width, most=WIDEST)
        super().__init__(TreeDecompositionSolver(), num_reads=int(reads))
        self.max_width = int(max_width)

    def __repr__(self) -> str:
        return f"TreeDecomposition(reads={self.reads}, max_width={self.max_width})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """The states of least energy; the seed makes no difference."""
        check_question(qubo, seed)
        joined = qubo.couplings != 0.0  # a zero coupler of a fixed pattern widens nothing
        if not joined.all():
            kept = qubo.heads[joined], qubo.tails[joined], qubo.couplings[joined]
            qubo = QUBO(qubo.linear, *kept)
        return super().sample(qubo, seed)

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        # of a model without couplers Ocean's solver finds one state and promises all of them
        return self.options if len(qubo.couplings) else self.options | {"num_reads": 1}

    def _send(self, bqm: Any, arguments: dict[str, Any]) -> Any:
        import dimod
        import networkx as nx
        from dwave.samplers.tree.utilities import min_fill_heuristic

        # no order is narrower than the core number, which is known at once
        cores = nx.core_number(dimod.to_networkx_graph(bqm))
        width, order = max(cores.values()), None
        if width <= self.max_width:
            width, order = min_fill_heuristic(bqm)
        if width > self.max_width:
            raise InvalidInputError(
                f"a QUBO of {bqm.num_variables} variables needs an elimination order of width "
                f"{width} {'at least' if order is None else 'or so'}, and max_width is "
                f"{self.max_width}: take a heuristic oracle such as Annealer, or a smaller problem"
            )
        return super()._send(bqm, arguments | {"elimination_order": order})
