"""QCGD in the shape of dimod's and Ocean's samplers, for models with constraints and without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

import dimod
import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_flag, check_whole, choose
from formulations.errors import InvalidInputError
from solvers.oracles import Annealer, Oracle
from solvers.qcgd.qcgd import QCGD
from solvers.shown import verbosely


class QCGDSampler(dimod.Sampler):  # type: ignore[misc]
    """QCGD for constrained models (``sample_cqm``), and a dimod sampler for those without.

    Composites of Ocean's take it as any other sampler; in a ``with`` block it has nothing to close.

    Parameters
    ----------
    solver : QCGD, optional
        What its methods do unless a parameter says otherwise.

    Attributes
    ----------
    parameters : dict
        Keywords of ``sample_cqm`` and ``sample``: the options of :class:`~solvers.qcgd.qcgd.QCGD`;
        ``num_reads`` (also ``reads``) and ``sweeps`` of the annealer that is its oracle, of which
        the one that is not given is what that annealer has, or 20 and 100 where the solver was
        given none; ``initial_states`` (also ``initial_state``); ``num_samples`` and ``diverse``;
        ``label``; ``verbose``.
    properties : dict
        What it takes.

    Examples
    --------
    >>> x = list(dimod.Binaries(["a", "b", "c"]))
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(-x[0] - 2 * x[1] - 3 * x[2])
    >>> _ = cqm.add_constraint(x[0] + x[1] + x[2] <= 2)
    >>> best = QCGDSampler().sample_cqm(cqm, iterations=10, seed=1, label="mine").first
    >>> print(best.energy, best.is_feasible)
    -5.0 True
    >>> print(QCGDSampler().sample_ising({"s": 1}, {("s", "t"): -1}, seed=1).first.sample)
    {'s': np.int8(-1), 't': np.int8(-1)}
    """

    ALSO: Mapping[str, str] = MappingProxyType(
        {"num_reads": "reads", "initial_state": "initial_states"}
    )
    OF_ANNEALER = ("reads", "sweeps")
    OF_ANSWER = ("initial_states", "num_samples", "diverse", "label", "verbose")
    NOT_HERE = ("encoding", "checkpoint", "checkpoint_every")

    def __init__(self, solver: QCGD | None = None) -> None:
        if solver is not None and not isinstance(solver, QCGD):
            raise InvalidInputError(f"solver={solver!r}: expected a QCGD(...), or None")
        self.solver = QCGD() if solver is None else solver

    def __enter__(self) -> QCGDSampler:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Keywords of its methods, with the properties that concern each, of which none does."""
        own = [field.name for field in fields(QCGD) if field.name not in self.NOT_HERE]
        names = (*own, *self.OF_ANNEALER, *self.OF_ANSWER, *self.ALSO)
        return {name: [] for name in names}

    @property
    def properties(self) -> dict[str, Any]:
        """Kinds of variables, degrees and penalties that are taken."""
        return {
            "category": "software",
            "vartypes": ["BINARY", "SPIN", "INTEGER"],
            "maximum_degree": 2,
            "soft_penalties": ["linear", "quadratic"],
        }

    def min_time_limit(self, cqm: dimod.ConstrainedQuadraticModel) -> float:
        """Least time limit in seconds: any positive one is taken, and kept."""
        return 0.0

    def sample_cqm(
        self, cqm: dimod.ConstrainedQuadraticModel, **parameters: Any
    ) -> dimod.SampleSet:
        """Solve ``cqm``: see :meth:`solvers.qcgd.qcgd.QCGD.sample_cqm`.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
        **parameters
            Of ``parameters``.  ``num_samples`` distinct answers at most are returned, the best
            ones, or with ``diverse=True`` the best one and others far from it and from each other;
            ``label`` comes back as ``info["problem_label"]``; ``verbose`` shows the log on standard
            error, 1 what is found, 2 each step.

        Raises
        ------
        InvalidInputError
            For a parameter that there is not, and for what the model cannot hold.
        """
        given = self._by_own_names(parameters)
        about = {name: given.pop(name) for name in self.OF_ANSWER if name in given}
        solver, number = self._with(given), about.get("num_samples")
        diverse = check_flag("diverse", about.get("diverse", False))
        if number is not None:
            number = check_whole("num_samples", number)
            pool = number * (10 if diverse else 1)  # some of them are far apart
            solver = replace(solver, candidates=replace(solver.candidates, pool=pool, wanted=pool))
        with verbosely(about.get("verbose", 0)):
            samples = solver.sample_cqm(cqm, initial_states=about.get("initial_states"))
        if number is not None:
            samples = _chosen(samples, number, diverse)
        if "label" in about:
            samples.info["problem_label"] = about["label"]
        return samples

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Minimise a model without constraints; as ``sample_cqm`` otherwise.

        Returns
        -------
        dimod.SampleSet
            Best first, in the model's own kind of variables.
        """
        answer = self.sample_cqm(dimod.ConstrainedQuadraticModel.from_bqm(bqm), **parameters)
        values = answer.record.sample.astype(np.int8)
        return dimod.SampleSet.from_samples_bqm(
            (values, list(answer.variables)), bqm, info=answer.info
        )

    def _by_own_names(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, those with two names by the first one.

        Raises
        ------
        InvalidInputError
            For one that there is not, or that is given by both names.
        """
        given: dict[str, Any] = {}
        known = [*self.parameters, *getattr(QCGD, "old_keywords", ())]
        for name, value in parameters.items():
            choose("parameter of QCGDSampler", name, known)
            own = self.ALSO.get(name, name)
            if own in given:
                raise InvalidInputError(f"{own} and {name} are the same: give one of them")
            given[own] = value
        return given

    def _with(self, given: Mapping[str, Any]) -> QCGD:
        """The solver with some options changed."""
        given = self._by_own_names(given)
        annealing = {name: given.pop(name) for name in self.OF_ANNEALER if name in given}
        if annealing:
            given["oracle"] = _annealer(given.get("oracle", self.solver.oracle), annealing)
        return replace(self.solver, **given)


def _chosen(samples: dimod.SampleSet, number: int, diverse: bool) -> dimod.SampleSet:
    """The first samples, or the first one and others as far from those before as there are."""
    record = samples.record
    if diverse and len(record):
        feasible = record[record.is_feasible] if record.is_feasible.any() else record
        record = feasible[_far_apart(feasible.sample.astype(np.float64), number)]
        record = record[np.argsort(record.energy, kind="stable")]
    return dimod.SampleSet(record[:number], samples.variables, samples.info, samples.vartype)


def _far_apart(points: FloatArray, number: int) -> IntArray:
    """The first point, then always the one farthest from the nearest of those before.

    Examples
    --------
    >>> _far_apart(np.array([[0.0, 0], [0, 1], [1, 1]]), 2).tolist()
    [0, 2]
    """
    chosen, distance = [0], np.abs(points - points[0]).sum(axis=1)
    while len(chosen) < min(number, len(points)) and distance.max() > 0.0:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.abs(points - points[chosen[-1]]).sum(axis=1))
    return np.array(chosen)


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
