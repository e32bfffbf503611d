"""Scoring of an oracle's samples: candidates, their values, and completion to full points.

A solver that asks an oracle repeatedly sees a model in one of two ways: as a training problem,
where a sample's value is the real loss of its weight bits, or as a constrained model, where it is
the objective once all rows hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes import Slack
from formulations.passes.base import take_rows
from formulations.passes.cliques import cliques
from formulations.passes.coefficient_step import common_steps
from solvers.kernels.loss_form import LossForm
from solvers.qcgd.lifting import two_sums
from solvers.qcgd.linear import Relaxation
from solvers.qcgd.repair import Polish, Repair

if TYPE_CHECKING:
    from formulations import TrainingProblem


MET = 1e-6
"""A loss within this distance of a bound meets it."""


class Scoring(Protocol):
    """Scoring: reads candidates from samples of a model and values them."""

    @property
    def model(self) -> QCBO:
        """The sampled model."""
        ...

    @property
    def floor(self) -> float:
        """Lower bound on any candidate's value."""
        ...

    @property
    def floor_kind(self) -> str | None:
        """Proof of the floor; None if it is only the sum of the least of each term."""
        ...

    @property
    def relaxation(self) -> Relaxation | None:
        """Linear relaxation of the model, if any; its bound is included in ``floor``."""
        ...

    @property
    def tolerance(self) -> float | None:
        """Distance at which a candidate's value meets a bound; None if no bound can be met."""
        ...

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        """Return candidates (R, k) of samples (R, n) and their values (R,), less being better."""
        ...

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        """Return the candidates nearest to points (R, k) and their values (R,)."""
        ...

    def local_search(self) -> Repair | Polish | None:
        """Make a local search that improves candidates; None if there is none."""
        ...

    def complete(self, candidate: BitArray) -> BitArray:
        """Complete a candidate to all variables of the model, (k,) -> (n,)."""
        ...

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        """Draw random candidates (count, k) with their values, or none."""
        ...


@dataclass(frozen=True)
class TrainingScoring:
    """Scoring of weight bits by the real forward pass on all samples."""

    problem: TrainingProblem
    encoding: str | None = None
    relaxation: None = None
    floor_kind: None = None

    @property
    def tolerance(self) -> float:
        """Distance at which a loss meets a bound."""
        return MET

    @property
    def model(self) -> QCBO:
        """The problem's model in the chosen encoding."""
        return self.problem.qcbo(self.encoding)

    @cached_property
    def floor(self) -> float:
        """Sum of the least losses of outputs in range."""
        return LossForm.of(self.problem).floor

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        """Return weight bits and their real losses."""
        return self.score(x[:, self.model.weight_variables])

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        """Return weight bits, with words without a level replaced, and their real losses."""
        problem, bits = self.problem, self.problem.repair_bits(points)
        if problem.constraints:  # Weights beyond a count limit are removed.
            bits = problem.sparse(problem.full_bits(bits))[:, problem.free]
        return bits, self.problem.losses(bits)

    def local_search(self) -> Polish:
        """Make a search over changes of one or two weights by the incremental loss."""
        return Polish(self.problem)

    def complete(self, candidate: BitArray) -> BitArray:
        """Return the only feasible point with these weights."""
        return self.problem.complete_bits(candidate, self.encoding)

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        """Draw random weights with their real losses."""
        bits = self.problem.random_bits(rng, count)
        return bits, self.problem.losses(bits)


class ModelScoring:
    """Scoring of all variables of a model; violating samples rank behind all feasible ones.

    The price per unit of violation is twice the range of the objective.

    Attributes
    ----------
    model : QCBO
    ceiling : float
        Upper bound on the value of feasible samples; all others exceed it.
    relaxation : Relaxation or None
        Linear relaxation, unless it is too large.
    floor_kind : str or None
        Proof of the floor, if it is not the sum of the least of each term.
    floor : float
        Lower bound on the value of feasible samples: the relaxation's bound, if it is better than
        the sum of the least of each term.
    tolerance : float or None
        Distance at which a sample's value meets a bound; None if no bound can be met.
    """

    tolerance: float | None = MET

    def __init__(self, model: QCBO) -> None:
        self.model = model
        self._range = 1.0 + float(np.abs(model.linear).sum() + abs(model.quadratic).sum())
        self.ceiling = model.offset + self._range
        self.relaxation = Relaxation.of(model)
        self.floor, self.floor_kind = least_objective(model), None
        if self.relaxation is not None:
            self.floor_kind = "linear relaxation"
            self.prove(self.relaxation.bound, self.floor_kind)

    def prove(self, bound: float, kind: str) -> None:
        """Raise the floor to the least possible objective that is no less than ``bound``."""
        bound = least_multiple(self.model, bound)
        if bound > self.floor:
            self.floor, self.floor_kind = bound, kind

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        """Return the samples, scored by the objective and the price of violated rows."""
        return self.score(x)

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        """Return the same, since a candidate is a sample."""
        rows, products = self.model.row_violations(points), self.model.product_violations(points)
        broken = (rows > TOLERANCE).any(axis=-1) | (products > TOLERANCE).any(axis=-1)
        price = (1.0 + rows.sum(axis=-1) + products.sum(axis=-1)) * 2.0 * self._range
        return points, self.model.objective(points) + np.where(broken, price, 0.0)

    def local_search(self) -> Repair:
        """Make a search for feasible points near samples, see :mod:`solvers.qcgd.repair`."""
        return Repair(self.model)

    def complete(self, candidate: BitArray) -> BitArray:
        """Return the candidate itself."""
        return candidate

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        """Return none: hardly any would satisfy all rows, and repair can start anywhere."""
        return np.zeros((0, self.model.num_variables), dtype=np.int8), np.zeros(0)


class WithSlack:
    """Target whose model has slack words for inequalities; candidates are unchanged.

    Rows that can be squared without slack (:func:`solvers.qcgd.lifting.two_sums`) and rows whose
    word would be too long stay inequalities.
    """

    floor: float
    floor_kind: str | None
    relaxation: Relaxation | None
    tolerance: float | None

    def __init__(self, target: Scoring) -> None:
        self._target = target
        self.score, self.local_search = target.score, target.local_search
        self.guesses = target.guesses
        without = two_sums(target.model) > 0.0
        wordless = take_rows(target.model, np.flatnonzero(without))
        slackened, self._inverse = Slack(20).apply(
            take_rows(target.model, np.flatnonzero(~without))
        )
        a = wordless.rows
        rest = sp.csr_array((a.data, a.indices, a.indptr), (a.shape[0], slackened.num_variables))
        self.model = replace(
            slackened,
            rows=sp.csr_array(sp.vstack([slackened.rows, rest], format="csr")),
            rhs=np.concatenate([slackened.rhs, wordless.rhs]),
            equality=np.concatenate([slackened.equality, wordless.equality]),
            row_group=np.concatenate([slackened.row_group, wordless.row_group]),
            row_labels=slackened.row_labels + wordless.row_labels,
        )

    def __getattr__(self, name: str) -> Any:
        """Take the attributes of bounds from the target without slack words."""
        if name in ("floor", "floor_kind", "relaxation", "tolerance"):
            return getattr(self._target, name)
        raise AttributeError(name)

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        """Return the candidates of the samples without their slack bits, if they have any."""
        return self._target.candidates(self._inverse.invert(x))

    def complete(self, candidate: BitArray) -> BitArray:
        """Complete to all variables; the slack words hold the rows' remainders."""
        return self._inverse.lift(self._target.complete(candidate))


def least_objective(model: QCBO) -> float:
    """Bound the objective from below by the least of each term.

    Only one linear term counts among bits that exclude each other.

    Examples
    --------
    >>> least_objective(QCBO.from_arrays([3, 5, 4, -1], [[1, 1, 1, 0]], [1], offset=2))
    4.0
    """
    group, exact = cliques(model)
    alone = group < 0
    least = np.where(exact, np.inf, 0.0)
    np.minimum.at(least, group[~alone], model.linear[~alone])
    return float(
        model.offset
        + np.minimum(model.linear[alone], 0.0).sum()
        + least.sum()
        + np.minimum(model.quadratic.data, 0.0).sum()
    )


def least_multiple(model: QCBO, bound: float) -> float:
    """Return the least possible objective on bits that is no less than a bound.

    This needs coefficients with a common step; otherwise the bound itself is returned.

    Examples
    --------
    >>> least_multiple(QCBO.from_arrays([2, -4], offset=1), -2.7)
    -1.0
    """
    biases = np.concatenate([model.linear, model.quadratic.data])
    steps, fits = common_steps(sp.csr_array(biases[None]))
    if not len(biases) or not fits[0]:
        return bound
    step = float(steps.step[0])
    return float(model.offset + step * np.ceil((bound - model.offset) / step - MET))


@dataclass
class Pool:
    """The best distinct candidates so far, at most ``size``, best first.

    Examples
    --------
    >>> pool = Pool(size=2)
    >>> pool.add(np.array([[0, 1], [1, 1], [0, 1], [0, 0]]), np.array([3.0, 2.0, 3.0, 5.0]))
    >>> pool.bits.tolist(), pool.losses.tolist()
    ([[1, 1], [0, 1]], [2.0, 3.0])
    """

    size: int
    bits: BitArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int8))
    losses: FloatArray = field(default_factory=lambda: np.zeros(0))

    def add(self, bits: BitArray, losses: FloatArray) -> None:
        """Add candidates, shapes (R, k) and (R,)."""
        if len(self.losses):
            bits, losses = np.concatenate([self.bits, bits]), np.append(self.losses, losses)
        bits, losses = np.asarray(bits, dtype=np.int8), np.asarray(losses, dtype=float)
        packed = np.pad(np.packbits(bits, axis=1), ((0, 0), (0, 1)))  # same order as the bits
        packed = np.ascontiguousarray(packed)
        _, first = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_index=True)
        best = first[np.argsort(losses[first], kind="stable")[: self.size]]
        self.bits, self.losses = bits[best], losses[best]

    def draw(self, rng: np.random.Generator, count: int) -> BitArray:
        """Draw candidates evenly, with repetition, shape (count, k)."""
        return self.bits[rng.integers(0, len(self.bits), count)]

    def snapshot(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"bits": self.bits, "losses": self.losses}

    def restore(self, snapshot: Any) -> None:
        """Restore the state from a checkpoint."""
        self.bits, self.losses = snapshot["bits"], snapshot["losses"]
