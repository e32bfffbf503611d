"""QCGD for dimod's constrained models: presolve, the descent, and an answer in their own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from formulations.checks import choose
from formulations.errors import InvalidInputError
from solvers.oracles import Annealer, Oracle
from solvers.qcgd.qcgd import QCGD

if TYPE_CHECKING:
    import dimod


class QCGDSampler:
    """QCGD in the shape of dimod's and Ocean's CQM samplers.

    Parameters
    ----------
    solver : QCGD, optional
        What its ``sample_cqm`` does unless a parameter says otherwise.

    Attributes
    ----------
    parameters : dict
        Keywords of ``sample_cqm``: the options of :class:`~solvers.qcgd.qcgd.QCGD`, and ``reads``
        and ``sweeps`` of the annealer that is its oracle; of these two the one that is not given is
        what that annealer has, or 20 and 100 where the solver was given none.
    properties : dict
        What it takes.

    Examples
    --------
    >>> import dimod
    >>> x = list(dimod.Binaries(["a", "b", "c"]))
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(-x[0] - 2 * x[1] - 3 * x[2])
    >>> _ = cqm.add_constraint(x[0] + x[1] + x[2] <= 2)
    >>> best = QCGDSampler().sample_cqm(cqm, iterations=10, seed=1).first
    >>> print(best.energy, best.is_feasible)
    -5.0 True
    """

    OF_ANNEALER = ("reads", "sweeps")
    NOT_HERE = ("encoding", "checkpoint", "checkpoint_every")

    def __init__(self, solver: QCGD | None = None) -> None:
        if solver is not None and not isinstance(solver, QCGD):
            raise InvalidInputError(f"solver={solver!r}: expected a QCGD(...), or None")
        self.solver = QCGD() if solver is None else solver

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Keywords of ``sample_cqm``, with the properties that concern each, of which none does."""
        own = [field.name for field in fields(QCGD) if field.name not in self.NOT_HERE]
        return {name: [] for name in (*own, *self.OF_ANNEALER)}

    @property
    def properties(self) -> dict[str, Any]:
        """Kinds of variables, degrees and penalties that are taken."""
        return {
            "category": "software",
            "vartypes": ["BINARY", "SPIN", "INTEGER"],
            "maximum_degree": 2,
            "soft_penalties": ["linear", "quadratic"],
        }

    def sample_cqm(
        self, cqm: dimod.ConstrainedQuadraticModel, **parameters: Any
    ) -> dimod.SampleSet:
        """Solve ``cqm``: see :meth:`solvers.qcgd.qcgd.QCGD.sample_cqm`.

        Raises
        ------
        InvalidInputError
            For a parameter that there is not, and for what the model cannot hold.
        """
        return self._with(parameters).sample_cqm(cqm)

    def _with(self, parameters: Mapping[str, Any]) -> QCGD:
        """The solver with some options changed."""
        for name in parameters:
            choose(
                "parameter of QCGDSampler",
                name,
                [*self.parameters, *getattr(QCGD, "old_keywords", ())],
            )
        given = dict(parameters)
        annealing = {name: given.pop(name) for name in self.OF_ANNEALER if name in given}
        if annealing:
            given["oracle"] = _annealer(given.get("oracle", self.solver.oracle), annealing)
        return replace(self.solver, **given)


def _annealer(oracle: Oracle | None, changed: dict[str, Any]) -> Annealer:
    """An annealer with other reads or sweeps."""
    if oracle is None:
        return Annealer(**{"reads": 20, "sweeps": 100, **changed})
    if not isinstance(oracle, Annealer):
        raise InvalidInputError(
            f"parameters {', '.join(changed)}: expected with the annealer only, but the oracle is "
            f"{oracle!r}; give them to the oracle itself"
        )
    return oracle.changed(**changed)
