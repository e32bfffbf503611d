"""Constraints that double precision can evaluate, and exact integers for those it cannot.

dimod, presolve and solvers all evaluate rows as sums of doubles.  If rounding decides the result,
as in 1e16 x + y >= 1, the row is written in exact integers and replaced by an equivalent row with
small coefficients; if none is found, the row is refused by name.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp

from formulations.arrays import FloatArray
from formulations.errors import InfeasibleModelError, InvalidInputError, QnnError
from formulations.passes.coefficient_step import common_steps
from formulations.passes.coefficient_tightening import FEW, smallest_integers

if TYPE_CHECKING:
    import dimod

RTOL, ATOL = 1e-6, 1e-8
"""Tolerances of dimod: a row holds if its violation is at most ATOL + RTOL |right-hand side|."""

EXACT = 2.0**52
"""Sums of integers are exact in double precision if their absolute values add up to less."""


def satisfied(constraint: dimod.sym.Comparison, sample: Mapping[Hashable, int]) -> bool:
    """Return True if a row holds in exact arithmetic, up to a thousandth of its step.

    Examples
    --------
    >>> import dimod
    >>> x, y = dimod.Binaries("xy")
    >>> row = 1e18 * x + y <= 1e18
    >>> satisfied(row, {"x": 1, "y": 1}), satisfied(row, {"x": 1, "y": 0})
    (False, True)
    """
    lhs, terms = constraint.lhs, []
    for v, a in lhs.iter_linear():
        terms.append((float(a), int(sample[v])))
    for u, v, a in lhs.iter_quadratic():
        terms.append((float(a), int(sample[u]) * int(sample[v])))
    total = sum((Fraction(a) * value for a, value in terms), Fraction(float(lhs.offset)))
    over = total - Fraction(float(constraint.rhs))
    excess = {"<=": over, ">=": -over, "==": abs(over)}[constraint.sense.value]
    steps, fits = common_steps(sp.csr_array(np.array([[a for a, _ in terms if a]])))
    step = float(steps.step[0]) if fits[0] else 0.0
    return excess <= Fraction(max(step / 1000, ATOL))


Reach = Mapping[Hashable, float]
"""Largest absolute value of each variable."""


def precision(constraint: dimod.sym.Comparison, reach: Reach) -> Literal["tells", "rough", "wide"]:
    """Return the accuracy of evaluating ``constraint`` in double precision.

    ``tells``: evaluation decides whether the constraint holds.  ``rough``: it decides only whether
    the constraint nearly holds, since dimod's tolerance or the rounding exceeds half a step of the
    row; nothing is proven then.  ``wide``: it decides nothing.

    Examples
    --------
    >>> import dimod
    >>> x, y = dimod.Binaries("xy")
    >>> reach = {"x": 1.0, "y": 1.0}
    >>> [precision(row, reach) for row in (x + y <= 1, x + y <= 1e7, 1e16 * x + y >= 1)]
    ['tells', 'rough', 'wide']
    """
    lhs, rhs = constraint.lhs, float(constraint.rhs)
    terms = _terms(lhs, reach)
    if not terms:
        return "tells"
    biases = np.array([a for a, _ in terms])
    numbers = np.array([*biases, rhs, float(lhs.offset)])
    total = sum(abs(a) * size for a, size in terms) + abs(rhs) + abs(float(lhs.offset))
    tolerance = ATOL + RTOL * abs(rhs)
    whole = bool((numbers == np.rint(numbers)).all())
    rounding = _rounding(len(numbers), total, whole)
    if whole and total < EXACT and tolerance < 0.5:
        return "tells"
    dust = min(tolerance, RTOL) / (4 * len(biases))  # smaller coefficients do not matter
    smallest = float(np.abs(biases).min(where=np.abs(biases) > dust, initial=np.inf))
    steps, fits = common_steps(sp.csr_array(biases[None]))
    if rounding >= (steps.step[0] if fits[0] else smallest) / 4:
        return "wide"
    if fits[0]:
        tells = max(tolerance, rounding) < steps.step[0] / 2
    else:
        tells = rounding < tolerance / 4 and tolerance < smallest / 1000
    return "tells" if tells else "rough"


@dataclass(frozen=True)
class Objective:
    """Resolution of the objective in double precision.

    Parameters
    ----------
    step : float
        Least difference of two objectives; a thousandth of the smallest coefficient if the
        coefficients have no common step.
    rounding : float
        Bound on the rounding error of evaluating an objective.
    """

    step: float
    rounding: float

    @classmethod
    def of(cls, cqm: dimod.ConstrainedQuadraticModel, reach: Reach) -> Objective:
        """Compute the resolution for a CQM, including the cost of its soft constraints.

        Examples
        --------
        >>> import dimod
        >>> x, y = dimod.Binaries("xy")
        >>> cqm = dimod.ConstrainedQuadraticModel()
        >>> cqm.set_objective(1e18 * x + 2 * y)
        >>> Objective.of(cqm, {"x": 1.0, "y": 1.0}).tells
        False
        """
        whole = cqm.objective
        terms = _terms(whole, reach)
        numbers, total = [abs(a) for a, _ in terms], sum(abs(a) * size for a, size in terms)
        total += abs(float(whole.offset))
        for row in cqm.constraints.values():
            if row.lhs.is_soft():
                weight, square = float(row.lhs.weight()), row.lhs.penalty() == "quadratic"
                inner = _terms(row.lhs, reach)
                size = sum(abs(a) * size for a, size in inner) + abs(float(row.rhs))
                numbers += [weight * (a * a if square else abs(a)) for a, _ in inner]
                total += weight * (size * size if square else size)
        biases = np.array([a for a in numbers if a], dtype=np.float64)
        if not len(biases):
            return cls(1.0, 0.0)
        steps, fits = common_steps(sp.csr_array(biases[None]))
        integers = bool((biases == np.rint(biases)).all()) and float(whole.offset).is_integer()
        rounding = _rounding(len(biases), total, integers)
        return cls(float(steps.step[0]) if fits[0] else float(biases.min()) / 1000, rounding)

    @property
    def tells(self) -> bool:
        """True if objectives that are equal up to rounding are equal."""
        return self.rounding < self.step / 4


def _rounding(count: int, total: float, integers: bool) -> float:
    """Bound the rounding of a sum of ``count`` terms whose sizes add up to ``total``."""
    return 0.0 if integers and total < EXACT else 2.0**-51 * (count + 4) * total


def _terms(form: Any, reach: Reach) -> list[tuple[float, float]]:
    """Return the coefficients of a quadratic form, and the largest size of their factors."""
    linear = [(float(a), reach[v]) for v, a in form.iter_linear() if a]
    return linear + [(float(a), reach[u] * reach[v]) for u, v, a in form.iter_quadratic() if a]


class ExactRow:
    """A row sum a x == b or <= b over bits and products of two bits, in exact arithmetic.

    Parameters
    ----------
    label : hashable
    equality : bool
    tolerance : float
        Tolerance of dimod: a row that holds within it does not count as infeasible.
    """

    def __init__(self, label: Hashable, equality: bool, tolerance: float = 0.0) -> None:
        self.label, self.equality, self.tolerance = label, equality, Fraction(tolerance)
        self.terms: dict[Any, Fraction] = {}
        self.rhs = Fraction(0)

    def add(self, key: Any, amount: Fraction) -> None:
        """Add to the coefficient of a bit or of a pair of bits."""
        self.terms[key] = self.terms.get(key, Fraction(0)) + amount

    @property
    def rough(self) -> bool:
        """True if dimod's tolerance accepts points that do not satisfy the row."""
        terms = [a for a in self.terms.values() if a]
        scale = lcm(*(a.denominator for a in terms))
        step = Fraction(gcd(*(int(a * scale) for a in terms)) or 1, scale)
        above = (self.rhs + self.tolerance) // step > self.rhs // step
        below = (self.tolerance - self.rhs) // step > -self.rhs // step
        return above or (self.equality and below)

    def narrow(self) -> tuple[dict[Any, float], float]:
        """Find coefficients and right-hand side of an equivalent row that doubles evaluate exactly.

        Raises
        ------
        InfeasibleModelError
            If the row never holds.
        InvalidInputError
            If no such row is found.

        Examples
        --------
        >>> row = ExactRow("big", equality=False)
        >>> row.add("x", Fraction(10**16)), row.add("y", Fraction(-1))  # 1e16 x - y <= -1
        (None, None)
        >>> row.rhs = Fraction(-1)
        >>> row.narrow()
        ({'x': 1.0, 'y': -1.0}, -1.0)
        """
        terms = {key: a for key, a in self.terms.items() if a}
        scale = lcm(self.rhs.denominator, *(a.denominator for a in terms.values()))
        whole = {key: int(a * scale) for key, a in terms.items()}
        rhs = int(self.rhs * scale)
        if self.equality:
            return self._equality(whole, rhs, scale)
        below = sum(a for a in whole.values() if a < 0)
        weights = {key: abs(a) for key, a in whole.items()}
        capacity = rhs - below  # of the row over x, or over 1 - x if its coefficient is negative
        if capacity < 0:
            raise self._never(capacity + self.tolerance * scale < 0)
        if sum(weights.values()) <= capacity:
            return {}, 0.0  # it always holds
        capacity = _tighten(weights, capacity)
        if not _fits(weights.values(), capacity) and len(weights) <= FEW:
            capacity = _enumerate(weights, capacity)
        if not _fits(weights.values(), capacity):
            raise self._refusal()
        signed = {key: w if whole[key] > 0 else -w for key, w in weights.items() if w}
        rhs = capacity + sum(a for a in signed.values() if a < 0)
        return {key: float(a) for key, a in signed.items()}, float(rhs)

    def _equality(
        self, whole: dict[Any, int], rhs: int, scale: int
    ) -> tuple[dict[Any, float], float]:
        step = gcd(*whole.values()) or 1
        least, most = (sum(f(a, 0) for a in whole.values()) for f in (min, max))
        if rhs % step or not least <= rhs <= most:
            low, high = rhs - self.tolerance * scale, rhs + self.tolerance * scale
            first = Fraction(max(-(-low // step) * step, least))
            raise self._never(bool(first > min(high, Fraction(most))))
        whole, rhs = {key: a // step for key, a in whole.items()}, rhs // step
        if not _fits(whole.values(), rhs):
            raise self._refusal()
        return {key: float(a) for key, a in whole.items()}, float(rhs)

    def _never(self, proven: bool) -> QnnError:
        """Return the error that the row never holds; a refusal if a point holds by tolerance."""
        if not proven:
            return self._refusal()
        return InfeasibleModelError(
            f"row {self.label!r} never holds in exact arithmetic: no assignment satisfies it; "
            "look for a wrong coefficient or right-hand side"
        )

    def _refusal(self) -> InvalidInputError:
        return too_wide(self.label, [float(abs(a)) for a in self.terms.values() if a])


def too_wide(label: Hashable, sizes: list[float]) -> InvalidInputError:
    """Return the error for a constraint that double precision cannot evaluate."""
    least, most = min(sizes, default=0.0), max(sizes, default=0.0)
    return InvalidInputError(
        f"constraint {label!r} has coefficients of {least:g} to {most:g}: double precision cannot "
        "tell whether it holds; expected coefficients that add up to less than "
        "2^52 steps of the row; round them, or split the constraint"
    )


def _fits(numbers: Any, rhs: int) -> bool:
    return bool(sum(abs(a) for a in numbers) + abs(rhs) < EXACT)


def _tighten(weights: dict[Any, int], capacity: int) -> int:
    """Reduce positive weights (in place) and the capacity to an equivalent row over bits."""
    while True:
        before = capacity, sum(weights.values())
        for key, w in weights.items():
            weights[key] = min(w, capacity + 1)
        step = gcd(*weights.values()) or 1
        for key in weights:
            weights[key] //= step
        capacity //= step
        total = sum(weights.values())
        for key, w in sorted(weights.items(), key=lambda item: -item[1]):
            excess = capacity - (total - w)
            if 0 < excess < w:
                weights[key] -= excess
                total -= excess
                capacity -= excess
        if (capacity, total) == before:
            return capacity


def _enumerate(weights: dict[Any, int], capacity: int) -> int:
    """Reduce weights and capacity as :func:`_tighten`, by enumerating all settings of few bits."""
    a = np.array(list(weights.values()), dtype=object)
    settings = (np.arange(2 ** len(a))[:, None] >> np.arange(len(a))) & 1
    holds = np.array([value <= capacity for value in settings.astype(object) @ a])
    ratio: FloatArray = (a / max(a)).astype(np.float64)
    found = smallest_integers(ratio, settings.astype(np.float64), holds)
    if found is None:
        return capacity
    weights.update(zip(weights, (int(w) for w in found[0]), strict=True))
    return int(found[1])
