"""QCGD as a sampler like dimod's and Ocean's, for models with and without constraints."""

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

    Ocean's composites accept it like any other sampler; a ``with`` block closes nothing.

    Parameters
    ----------
    solver : QCGD, optional
        Solver whose options apply unless a parameter overrides them.

    Attributes
    ----------
    parameters : dict
        Keywords of ``sample_cqm`` and ``sample``: the options of :class:`~solvers.qcgd.qcgd.QCGD`;
        ``num_reads`` (also ``reads``) and ``sweeps`` of its oracle, an annealer, with that
        annealer's values as defaults, or 20 and 100 if the solver was given none;
        ``initial_states`` (also ``initial_state``); ``num_samples`` and ``diverse``; ``label``;
        ``verbose``.
    properties : dict
        Kinds of models it accepts.

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
        """Do nothing: there is nothing to close."""

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Keywords of its methods, with the properties related to each, which are none."""
        own = [field.name for field in fields(QCGD) if field.name not in self.NOT_HERE]
        names = (*own, *self.OF_ANNEALER, *self.OF_ANSWER, *self.ALSO)
        return {name: [] for name in names}

    @property
    def properties(self) -> dict[str, Any]:
        """Supported kinds of variables, degrees and penalties."""
        return {
            "category": "software",
            "vartypes": ["BINARY", "SPIN", "INTEGER"],
            "maximum_degree": 2,
            "soft_penalties": ["linear", "quadratic"],
        }

    def min_time_limit(self, cqm: dimod.ConstrainedQuadraticModel) -> float:
        """Return the least time limit in seconds: any positive one is accepted and kept."""
        return 0.0

    def sample_cqm(
        self, cqm: dimod.ConstrainedQuadraticModel, **parameters: Any
    ) -> dimod.SampleSet:
        """Solve ``cqm``: see :meth:`solvers.qcgd.qcgd.QCGD.sample_cqm`.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
        **parameters
            Keywords in ``parameters``.  At most ``num_samples`` distinct answers are returned, the
            best ones, or with ``diverse=True`` the best one and others far from it and from each
            other.  ``label`` is returned as ``info["problem_label"]``; ``verbose`` shows the log on
            standard error, 1 for improvements, 2 for each step.

        Raises
        ------
        InvalidInputError
            For an unknown parameter, or a model that is not supported.
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
        """Minimise a model without constraints, otherwise like ``sample_cqm``.

        Returns
        -------
        dimod.SampleSet
            Best first, in the model's variable type.
        """
        answer = self.sample_cqm(dimod.ConstrainedQuadraticModel.from_bqm(bqm), **parameters)
        values = answer.record.sample.astype(np.int8)
        return dimod.SampleSet.from_samples_bqm(
            (values, list(answer.variables)), bqm, info=answer.info
        )

    def _by_own_names(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, with the first name for those that have two.

        Raises
        ------
        InvalidInputError
            For an unknown parameter, or one given by both names.
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
        """Return the solver with some options changed."""
        given = self._by_own_names(given)
        annealing = {name: given.pop(name) for name in self.OF_ANNEALER if name in given}
        if annealing:
            given["oracle"] = _annealer(given.get("oracle", self.solver.oracle), annealing)
        return replace(self.solver, **given)


def _chosen(samples: dimod.SampleSet, number: int, diverse: bool) -> dimod.SampleSet:
    """Return the first samples, or the first and others as far apart as possible."""
    record = samples.record
    if diverse and len(record):
        feasible = record[record.is_feasible] if record.is_feasible.any() else record
        record = feasible[_far_apart(feasible.sample.astype(np.float64), number)]
        record = record[np.argsort(record.energy, kind="stable")]
    return dimod.SampleSet(record[:number], samples.variables, samples.info, samples.vartype)


def _far_apart(points: FloatArray, number: int) -> IntArray:
    """Return the first point, then repeatedly the one farthest from those chosen.

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
    """Make an annealer with other reads or sweeps."""
    if oracle is None:
        return Annealer(**{"reads": 20, "sweeps": 100, **changed})
    if not isinstance(oracle, Annealer):
        raise InvalidInputError(
            f"parameters {', '.join(changed)}: expected with the annealer only, but the oracle is "
            f"{oracle!r}; give them to the oracle itself"
        )
    return oracle.changed(**changed)
