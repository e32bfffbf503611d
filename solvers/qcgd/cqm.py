"""QCGD for dimod's constrained models: presolve, descent, and an answer in dimod's terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from formulations.arrays import BitArray, FloatArray
from formulations.cqm.presolved import ONE_HOT, Presolved
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.model.labels import distinct
from formulations.model.qcbo import QCBO
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import MET, ModelScoring, Scoring
from solvers.run.result import Status
from solvers.run.run import Ledger, Run

if TYPE_CHECKING:
    import dimod

    from solvers.qcgd.loop import Loop


Descend: TypeAlias = "Callable[[Scoring, QCBO, float], tuple[Run, Loop]]"
"""Maps scoring, model and start time to a run and its descent."""


def solve_cqm(
    cqm: dimod.ConstrainedQuadraticModel,
    descend: Descend,
    one_hot: str = ONE_HOT[0],
    initial_states: Any = None,
) -> dimod.SampleSet:
    """Answer ``cqm`` by a descent: see :meth:`solvers.qcgd.qcgd.QCGD.sample_cqm`."""
    started = time.perf_counter()  # includes presolve
    values = None if initial_states is None else states_of(cqm, initial_states)
    try:
        prepared = Presolved.of(cqm, one_hot=one_hot)
    except InfeasibleModelError as error:
        return _proven_infeasible(cqm, str(error), started)
    if prepared.model.num_variables == 0:
        return _decided(prepared, started)
    scoring = PresolvedScoring(prepared, None if values is None else prepared.bits(values))
    run, descent = descend(scoring, prepared.model, started)
    about_run = run.end()
    bits = descent.pool.bits
    if scoring.starts is not None:  # The answer is no worse than these, whatever the oracle.
        bits = np.concatenate([bits, scoring.starts])
    samples = prepared.samples(bits)
    feasible = bool(samples.record.is_feasible[0])
    status, bound = run.status, descent.bound
    greatest = _greatest(prepared.model)
    above = greatest + 1e-6 * max(1.0, abs(greatest))  # a margin above rounding
    if not feasible and bound is not None and bound > above:
        status = Status.INFEASIBLE
        about_run["reason"] = "an exact bound exceeds every value of the objective"
    elif status is Status.OPTIMAL and not feasible:  # dimod's sums round differently
        status, bound = Status.FINISHED, None
    samples.info.update(
        _info(
            status,
            run.ledger,
            run.seconds,
            bound=bound,
            feasible=feasible,
            gap=gap(float(samples.record.energy[0]), bound) if feasible else None,
            residuals=_residuals(cqm, samples),
            multipliers=multipliers(descent.lifting, descent.applied),
            coefficient_range=_coefficient_range(descent),
            history=run.history.columns,
            **_sizes(prepared),
            **descent.info(),
            **about_run,
        )
    )
    return samples


class PresolvedScoring(ModelScoring):
    """Scoring over all variables of a presolved model; products and excess bits follow the others.

    A sample is thus judged by the CQM's own variables, whatever the oracle set the rest to.

    Parameters
    ----------
    prepared : Presolved
    starts : ndarray, shape (R, n), optional
        Points of the model with which the pool starts, together with their repaired forms.
    """

    def __init__(self, prepared: Presolved, starts: BitArray | None = None) -> None:
        super().__init__(prepared.model)
        self._prepared = prepared
        self.starts = starts
        if starts is not None and len(starts):
            mended = Repair(prepared.model)(starts, np.random.SeedSequence(0))
            self.starts = np.concatenate([starts, mended])
        objective = prepared.objective
        tells = prepared.proves and objective.tells
        self.tolerance = min(MET, objective.step / 4) if tells else None

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        """Return the settled samples, scored by the objective and the price of violated rows."""
        return super().score(self._prepared.settled(points))

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        """Return the points with which the pool starts."""
        return super().guesses(rng, count) if self.starts is None else self.score(self.starts)


def states_of(
    cqm: dimod.ConstrainedQuadraticModel, states: Any, name: str = "initial_states"
) -> FloatArray:
    """Return values of the variables of ``cqm``, in its order, from any dimod samples-like object.

    Raises
    ------
    InvalidInputError
        If the object is something else, or lacks a variable.

    Examples
    --------
    >>> import dimod
    >>> cqm = dimod.ConstrainedQuadraticModel.from_bqm(dimod.Binary("x") - dimod.Binary("y"))
    >>> states_of(cqm, {"y": 1, "x": 0}).tolist()
    [[0.0, 1.0]]
    """
    import dimod

    try:
        values, labels = dimod.as_samples(states)
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name}: {error}; expected samples as dimod has them: a mapping, a list of "
            "mappings, or a SampleSet"
        ) from None
    place = {label: number for number, label in enumerate(labels)}
    missing = [label for label in cqm.variables if label not in place]
    if missing or not np.isfinite(numbers).all():
        what = f"no value of {missing[0]!r}" if missing else "a value that is not finite"
        raise InvalidInputError(f"{name} have {what}: give every variable one")
    return numbers[:, [place[label] for label in cqm.variables]]


def _proven_infeasible(
    cqm: dimod.ConstrainedQuadraticModel, reason: str, started: float
) -> dimod.SampleSet:
    """Return an empty sample set with the reason."""
    import dimod

    info = _info(
        Status.INFEASIBLE,
        Ledger(),
        time.perf_counter() - started,
        bound=None,
        feasible=False,
        reason=reason,
        constraint_labels=list(cqm.constraints),
    )
    return dimod.SampleSet.from_samples_cqm([], cqm, info=info)


def _decided(prepared: Presolved, started: float) -> dimod.SampleSet:
    """Return the only sample that presolve leaves."""
    samples = prepared.samples(np.zeros((1, 0), dtype=np.int8))
    feasible = bool(samples.record.is_feasible[0])
    proven = prepared.proves and feasible
    samples.info.update(
        _info(
            Status.OPTIMAL if proven else Status.FINISHED,
            Ledger(),
            time.perf_counter() - started,
            bound=float(samples.record.energy[0]) - prepared.objective.rounding if proven else None,
            feasible=feasible,
            residuals=_residuals(prepared.cqm, samples),
            reason="presolve leaves one assignment",
            **_sizes(prepared),
        )
    )
    return samples


def _info(
    status: Status,
    ledger: Ledger,
    seconds: float,
    *,
    bound: float | None,
    feasible: bool,
    **more: Any,
) -> dict[str, Any]:
    """Return the entries that every answer has, even if there was nothing to search."""
    blame = "model" if status is Status.INFEASIBLE else "search"
    said = {
        "status": status.value,
        "lower_bound": bound,
        "infeasibility": None if feasible else blame,
        "gap": 0.0 if status is Status.OPTIMAL else None,
        "bound_kind": None,
        "residuals": {},
        "multipliers": {"linear": {}, "square": {}, "product": {}},
        "coefficient_range": [0.0, 0.0],
        "history": {},
        "oracle_calls": ledger.calls,
        "oracle_reads": ledger.reads,
        "oracle_seconds": ledger.seconds,
        "ledger": asdict(ledger),
        "seconds": seconds,
        **more,
    }
    own = {"constraint_labels"}  # labels as dimod has them
    return {name: value if name in own else plain(value) for name, value in said.items()}


def gap(objective: float | None, bound: float | None) -> float | None:
    """Return the relative gap to the optimum at most; None if unknown.

    Examples
    --------
    >>> gap(-90.0, -100.0), gap(0.0, 0.0), gap(5.0, None)
    (0.1, 0.0, None)
    """
    if objective is None or bound is None:
        return None
    over, size = objective - bound, max(abs(objective), abs(bound))
    return 0.0 if over <= 1e-9 * max(size, 1.0) else over / size  # within rounding


def plain(value: Any) -> Any:
    """Convert ``value`` to what JSON and dimod's ``to_serializable`` return: lists, numbers, text.

    Keys of mappings become text, as JSON requires: ``str`` converts other labels, with a prime
    added if the text is already taken.

    Examples
    --------
    >>> plain({("job", 0): np.float64(1.5), "range": (0, 1)})
    {"('job', 0)": 1.5, 'range': [0, 1]}
    """
    if isinstance(value, Mapping):
        texts = [key for key in value if isinstance(key, str)]
        others = iter(distinct([str(key) for key in value if not isinstance(key, str)], texts))
        return {k if isinstance(k, str) else next(others): plain(v) for k, v in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(part) for part in value]
    return value


def _sizes(prepared: Presolved) -> dict[str, Any]:
    """Return the numbers of bits and rows before and after presolve."""
    return {
        "bits": prepared.reading.model.num_variables,
        "bits_after_presolve": prepared.model.num_variables,
        "rows_after_presolve": prepared.model.num_rows,
        "products_after_presolve": prepared.model.num_products,
    }


def _residuals(cqm: dimod.ConstrainedQuadraticModel, samples: dimod.SampleSet) -> dict[Any, float]:
    """Return the amount of each violation of the first sample, soft constraints included."""
    labels, holds = samples.info["constraint_labels"], samples.record.is_satisfied[0]
    broken = [label for label, good in zip(labels, holds.tolist(), strict=True) if not good]
    first = dict(zip(samples.variables, samples.record.sample[0].tolist(), strict=True))
    return {v: float(amount) for v, amount in cqm.iter_violations(first, labels=broken)}


def multipliers(lifting: Lifting, p: FloatArray) -> dict[str, dict[Any, float]]:
    """Return the multipliers of the lifted rows, in units of the objective per unit of the row.

    Returns
    -------
    dict
        ``linear`` and ``square`` for the residual a'x - b of a row and for its square, ``product``
        for the rows u = v w; each a mapping from label to multiplier.

    Examples
    --------
    >>> lifting = Lifting.of(QCBO.from_arrays([-3, -4], [[2, 2]], [2]))
    >>> multipliers(lifting, np.array([1.0, 2.0]))
    {'linear': {'rows[0]': 2.5}, 'square': {'rows[0]': 2.5}, 'product': {}}
    """
    model, scale, squared = lifting.model, lifting.scale, lifting.squared
    linear, square, product = (lifting.unit * p[kind] for kind in lifting.kinds)
    labels = model.row_labels.strings()
    squared_labels = [label for label, yes in zip(labels, squared.tolist(), strict=True) if yes]
    return {
        "linear": dict(zip(labels, (linear / scale).tolist(), strict=True)),
        "square": dict(zip(squared_labels, (square / scale[squared] ** 2).tolist(), strict=True)),
        "product": dict(zip(model.product_labels(), product.tolist(), strict=True)),
    }


def _coefficient_range(descent: Loop) -> list[float]:
    """Return the least and greatest |coefficient| of the QUBO at the last multipliers."""
    qubo = descent.lifting.qubo(descent.applied)
    size = descent.lifting.unit * np.abs(np.concatenate([qubo.linear, qubo.couplings]))
    size = size[size > 0]
    return [float(size.min(initial=np.inf if len(size) else 0.0)), float(size.max(initial=0.0))]


def _greatest(model: QCBO) -> float:
    """Return an upper bound on the objective."""
    return float(
        model.offset
        + np.maximum(model.linear, 0.0).sum()
        + np.maximum(model.quadratic.data, 0.0).sum()
    )
