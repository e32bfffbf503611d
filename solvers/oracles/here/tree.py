"""Ocean's exact solver by tree decomposition as an oracle."""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.dimod_sampler import DimodOracle
from solvers.run.option_checks import check_effort


class TreeDecomposition(DimodOracle):
    """Oracle: the states of least energy, by successive elimination of variables.

    It is exact, and its time grows with the number of variables times two to the power of the width
    of the elimination order, which the min-fill heuristic finds.

    Parameters
    ----------
    reads : int
        States per call: the best, the second best and so on.
    max_width : int
        Largest accepted width, at most 25.

    Raises
    ------
    InvalidInputError
        For an option out of range; from ``sample``, for coefficients that are not finite or a model
        of larger width.

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
        check_whole("max_width", max_width, most=25)  # Above it, Ocean's solver runs out of memory.
        super().__init__(TreeDecompositionSolver(), num_reads=int(reads))
        self.max_width = int(max_width)

    def __repr__(self) -> str:
        return f"TreeDecomposition(reads={self.reads}, max_width={self.max_width})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return the states of least energy; the seed has no effect."""
        check_question(qubo, seed)
        joined = qubo.couplings != 0.0  # A zero coupler of a fixed pattern adds no width.
        if not joined.all():
            kept = qubo.heads[joined], qubo.tails[joined], qubo.couplings[joined]
            qubo = QUBO(qubo.linear, *kept)
        return super().sample(qubo, seed)

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        # For a model without couplers, Ocean's solver finds one state but promises all of them.
        return self.options if len(qubo.couplings) else self.options | {"num_reads": 1}

    def _send(self, bqm: Any, arguments: dict[str, Any]) -> Any:
        import dimod
        import networkx as nx
        from dwave.samplers.tree.utilities import min_fill_heuristic

        # No order is narrower than the core number, which is quick to compute.
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
