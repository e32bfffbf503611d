"""Multipliers of QCGD, the state of a conditional gradient over the lifted problem.

beta = beta0 sqrt(t + 1);  eta = 2 / (t + 1)
p = y + beta r                          the multipliers of iteration t
x = oracle(C + A*(p))                   an atom
r = r + eta (A(x x') - v - r)
y = y + gamma r
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_flag, check_number, choose
from formulations.cqm.presolved import ONE_HOT
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.coefficient_step import common_steps
from solvers.oracles import QUBO, Samples
from solvers.qcgd.lifting import Lifting

ROUNDING = 1e-12
"""Relative error of energies, as a share of the sum of |coefficients|."""


@dataclass(frozen=True)
class LiftedRows:
    """Options for lifting the rows of a model and for the growth of their multipliers.

    Parameters
    ----------
    beta0 : float, optional
        Scale of the multipliers, in units of the normalised objective; None derives it from the
        model (:meth:`~solvers.qcgd.lifting.Lifting.plausible_scale`) and adapts it, so that a share
        of the reads satisfies a model's rows, and upwards while no better candidate is found.
    dual_step : float
        gamma in units of beta0.
    capped : bool
        Whether gamma |r|^2 is limited to beta |x's change of r|^2, as in CGAL.
    rows : {"both", "mean", "square"}
        Lifted rows that get multipliers: (i) and (ii) of :mod:`solvers.qcgd.lifting`, only (i), or
        only (ii) for rows that have one.
    slack : bool
        Whether inequalities get slack words, whose squared rows (ii) make the relaxation exact;
        without them, their averaged residual is projected.
    one_hot : {"eliminate", "keep"}
        Whether presolve of a CQM eliminates one bit of one-hot rows of three or more bits, if that
        adds no entries to the model.
    """

    beta0: float | None = None
    dual_step: float = 0.1
    capped: bool = False
    rows: str = "both"
    slack: bool = True
    one_hot: str = ONE_HOT[0]

    def __post_init__(self) -> None:
        if self.beta0 is not None:
            check_number("beta0", self.beta0, zero=True)
        check_number("dual_step", self.dual_step, zero=True)
        for name in ("capped", "slack"):
            check_flag(name, getattr(self, name))
        choose("rows", self.rows, ["both", "mean", "square"])
        choose("one_hot", self.one_hot, ONE_HOT)


class Multipliers:
    """Multipliers y, averaged residual r, and the best bound.

    Parameters
    ----------
    model : QCBO
    options : LiftedRows, optional

    Attributes
    ----------
    lifting : Lifting
    y, r : ndarray, shape (K,)
    applied : ndarray, shape (K,)
        p of the last QUBO.
    beta0 : float
        Current scale.
    bound : float or None
        The best bound proven by an exact answer.
    """

    def __init__(self, model: QCBO, options: LiftedRows | None = None) -> None:
        self.options = options = LiftedRows() if options is None else options
        self.lifting = lifting = Lifting.of(model)
        self.beta0 = lifting.plausible_scale() if options.beta0 is None else options.beta0
        self.bound: float | None = None
        self.r = np.zeros(lifting.num_multipliers)  # It affects only the first call: eta_1 = 1.
        self.y = np.zeros_like(self.r)
        mean, squares, products = lifting.kinds
        self.used = np.ones(lifting.num_multipliers, dtype=np.bool_)
        if options.rows == "mean":
            self.used[squares] = False
        elif options.rows == "square":
            self.used[mean] = ~lifting.squared
        self.y[squares] = self.y[products] = self.beta0
        self.y[~self.used] = 0.0
        self.applied = self.y
        self._margin = margins(lifting)

    @property
    def adapts(self) -> bool:
        """True if their scale may be changed: unless ``beta0`` is given."""
        return self.options.beta0 is None

    def qubo(self, t: int) -> QUBO:
        """Compute C + A*(y + beta r) of iteration t."""
        return self.lifting.qubo(self.multipliers(t))

    def take(self, samples: Samples, t: int) -> Mapping[str, float]:
        """Use the answer of iteration t: its bound if it is exact, and its first atom."""
        self.certify(samples, self.applied)
        self.step(samples.x[0], t)
        return {
            "beta": self.beta(t),
            "atom_objective": float(self.lifting.model.objective(samples.x[0])),
            **self.residual_norms(),
            **self.multiplier_norms(),
        }

    def projected(self, p: FloatArray) -> FloatArray:
        """Clip multipliers of inequalities at zero, and set those of unused rows to zero."""
        return np.where(self.used, np.where(self.lifting.signed, np.maximum(p, 0.0), p), 0.0)

    def multipliers(self, t: int) -> FloatArray:
        """Compute p of iteration t, shape (K,)."""
        self.applied = self.projected(self.y + self.beta(t) * self.r)
        return self.applied

    def beta(self, t: int) -> float:
        """Compute the weight of the averaged residual."""
        return float(self.beta0 * np.sqrt(t + 1.0))

    def step(self, x: BitArray, t: int) -> None:
        """Update r and y by the atom of iteration t."""
        eta = 2.0 / (t + 1.0)
        change = self.lifting.residuals(x) - self.r
        self.r += eta * change
        gamma = self.options.dual_step * self.beta0
        if self.options.capped:
            taken = float(np.linalg.norm(eta * change[self.used]))
            size = float(np.linalg.norm(self.violation()[self.used]))
            gamma = min(gamma, self.beta(t) * (taken / size) ** 2) if size > 0.0 else gamma
        self.y = self.projected(self.y + gamma * self.r)

    def certify(self, samples: Samples, p: FloatArray) -> None:
        """Update the bound from an exact answer: min_x objective(x) + p'(A(x x') - v), for any p.

        It is lowered by what rows that hold only within tolerance can add, and by rounding.
        """
        if samples.exact:
            lifting = self.lifting
            sizes = np.abs(lifting.objective + lifting.adjoint @ p).sum()
            sizes += np.abs(p) @ np.abs(lifting.constant)
            least = float(
                samples.energies.min() + p @ lifting.constant - np.abs(p) @ self._margin
            ) - ROUNDING * float(sizes)
            bound = self.lifting.unit * least + self.lifting.model.offset
            self.bound = bound if self.bound is None else max(self.bound, bound)

    def rescale(self, factor: float) -> None:
        """Multiply the scale of all multipliers, limited to 10,000."""
        factor = min(factor, 1e4 / max(self.beta0, 1e-300))
        self.beta0 *= factor
        _, squares, products = self.lifting.kinds
        self.y[squares] *= factor
        self.y[products] *= factor

    def violation(self) -> FloatArray:
        """Compute the averaged residual, for inequalities only its positive part, shape (K,)."""
        return np.where(self.lifting.signed, np.maximum(self.r, 0.0), self.r)

    def residual_norms(self) -> dict[str, float]:
        """Compute the norm of the averaged residual of each kind of row."""
        r = self.violation()
        return {
            f"residual_{name}": float(np.linalg.norm(r[kind]))
            for name, kind in zip(("mean", "square", "product"), self.lifting.kinds, strict=True)
        }

    def multiplier_norms(self) -> dict[str, float]:
        """Compute each kind's norm of multipliers, in units of the normalised objective."""
        return {
            f"multiplier_{name}": float(np.linalg.norm(self.y[kind]))
            for name, kind in zip(("mean", "square", "product"), self.lifting.kinds, strict=True)
        }

    def snapshot(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        names = ("y", "r", "applied", "beta0", "bound")
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.y, self.r, self.applied = snapshot["y"], snapshot["r"], snapshot["applied"]
        self.beta0, self.bound = snapshot["beta0"], snapshot["bound"]


@dataclass(frozen=True)
class FixedWeights:
    """Fixed multipliers, which answers do not change."""

    lifting: Lifting
    y: FloatArray
    beta0: float
    bound: None = None
    adapts: bool = False

    @cached_property
    def _qubo(self) -> QUBO:
        return self.lifting.qubo(self.y)

    def qubo(self, t: int) -> QUBO:
        """Return the same QUBO at each iteration."""
        return self._qubo

    def take(self, samples: Samples, t: int) -> Mapping[str, float]:
        """Ignore the answer."""
        return {}

    def rescale(self, factor: float) -> None:
        """Do nothing."""

    @property
    def applied(self) -> FloatArray:
        """Multipliers, the same in every QUBO."""
        return self.y

    def snapshot(self) -> Mapping[str, Any]:
        """Return an empty state, since nothing changes."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Do nothing, since nothing has changed."""


def margins(lifting: Lifting) -> FloatArray:
    """Compute how far a lifted residual may be from zero while its row holds, shape (K,).

    Rows whose coefficients have a common step hold exactly, others within the model's tolerance.

    Examples
    --------
    >>> lifting = Lifting.of(QCBO.from_arrays([0, 0], [[1, 2], [1, 2**0.5]], [1, 1]))
    >>> (margins(lifting) > 0.0).tolist()  # (i) of both rows, (ii) of both
    [False, True, False, True]
    """
    _, whole = common_steps(lifting.model.rows)
    mean = np.where(whole, 0.0, TOLERANCE / lifting.scale)
    square = (mean * (mean + lifting.gap))[lifting.squared]
    return np.concatenate([mean, square, np.zeros(lifting.model.num_products)])
