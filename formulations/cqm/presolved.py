"""Presolved CQMs: a model over bits, and the inverse to the CQM's variables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_flag, choose
from formulations.cqm.bound_tightening import domains
from formulations.cqm.exactness import Objective, satisfied
from formulations.cqm.from_dimod import BinaryForm, read
from formulations.cqm.integer_encoding import Bounds, check_usable
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.passes import (
    Chain,
    CoefficientTightening,
    Integral,
    Inverse,
    OneHot,
    OwnSlack,
    Pass,
    Presolve,
    Rounded,
)
from formulations.passes.base import take_rows

if TYPE_CHECKING:
    import dimod


ONE_HOT = ["eliminate", "keep"]
"""Treatments of one bit of each one-hot row in presolve; the first is the default."""


@dataclass(frozen=True)
class Presolved:
    """A smaller model with the same optimum as a CQM.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
    reading : BinaryForm
        The CQM in bits.
    model : QCBO
        The presolved model.
    inverse : Inverse
        Maps the bits of ``model`` to those of the reading.
    proves : bool
        True if proofs about ``model`` hold for all points that dimod calls feasible.  If dimod's
        tolerance exceeds half a step of a row, ``model`` has only the points that satisfy the row.

    Examples
    --------
    >>> import dimod
    >>> i, x, y = dimod.Integer("i", upper_bound=9), dimod.Binary("x"), dimod.Binary("y")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(-i * x)
    >>> _ = cqm.add_constraint(2 * i + x <= 7)
    >>> _ = cqm.add_constraint(x + y == 1)
    >>> prepared = Presolved.of(cqm)
    >>> prepared.model.labels.strings()  # i <= 3, and y is the complement of x
    ['x', 'i[bit=0]', 'i[bit=1]']
    >>> list(cqm.variables), prepared.values([[1, 1, 1]]).tolist()
    (['x', 'i', 'y'], [[1.0, 3.0, 0.0]])
    """

    cqm: dimod.ConstrainedQuadraticModel
    reading: BinaryForm
    model: QCBO
    inverse: Inverse
    proves: bool = True

    @classmethod
    def of(
        cls,
        cqm: dimod.ConstrainedQuadraticModel,
        *,
        presolve: bool = True,
        one_hot: str = ONE_HOT[0],
    ) -> Presolved:
        """Convert ``cqm`` to bits, with integer rows where possible, and presolve it.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
        presolve : bool
        one_hot : {"eliminate", "keep"}
            ``"eliminate"`` also eliminates one bit of each one-hot row of three bits or more if
            that adds no entries, see :class:`~formulations.passes.OneHot`.

        Raises
        ------
        InvalidInputError
            For anything that cannot be converted exactly, see
            :func:`formulations.cqm.from_dimod.read`.
        InfeasibleModelError
            If presolve proves that no assignment satisfies the rows.
        """
        choose("one_hot", one_hot, ONE_HOT)
        check_flag("presolve", presolve)
        check_usable(cqm)
        if not presolve:
            reading = read(cqm, canonical=True)
            return cls._of(cqm, reading, [])
        try:
            bounds = domains(cqm)
        except InfeasibleModelError as proof:
            try:
                cls._presolved(cqm, None)  # our own passes name a row, if they find the proof
            except InfeasibleModelError as named:
                raise named from None
            except InvalidInputError:
                pass
            raise proof from None
        return cls._presolved(cqm, bounds, one_hot)

    @classmethod
    def _presolved(
        cls,
        cqm: dimod.ConstrainedQuadraticModel,
        bounds: Bounds | None,
        one_hot: str = ONE_HOT[0],
    ) -> Presolved:
        reading = read(cqm, bounds, canonical=True)
        steps: list[Pass] = [Presolve(), CoefficientTightening(), Presolve()]
        steps += [OwnSlack(), Presolve()]
        if one_hot == "eliminate":
            steps += [OneHot(), Presolve()]
        return cls._of(cqm, reading, [*steps, Rounded()])

    @classmethod
    def _of(
        cls, cqm: dimod.ConstrainedQuadraticModel, reading: BinaryForm, steps: list[Pass]
    ) -> Presolved:
        """Convert the rows to integers within strict tolerances, then apply ``steps``."""
        try:
            strict = Chain((Integral(reading.strict), *steps)).apply(reading.model)
            return cls(cqm, reading, *strict, proves=reading.tells)
        except InfeasibleModelError:
            if reading.tells:
                raise
        # no point satisfies the rows strictly, but some may satisfy them within dimod's tolerance
        whole = take_rows(reading.model, np.flatnonzero(~reading.strict_only))
        tolerance = reading.tolerance[~reading.strict_only]
        loose = Chain((Integral(tolerance), *steps)).apply(whole)
        return cls(cqm, reading, *loose, proves=False)

    @cached_property
    def objective(self) -> Objective:
        """Resolution of the CQM's objective in double precision."""
        return Objective.of(self.cqm, self.reading.readout.reach)

    def settled(self, x: npt.ArrayLike) -> BitArray:
        """Return samples of ``model`` with the products and excess bits that the others imply."""
        if self.reading.model.num_variables == self.reading.readout.num_bits:
            return np.asarray(x, dtype=np.int8)  # without products and excess bits
        return self.inverse.lift(self.reading.settled(self.inverse.invert(x)))

    def values(self, x: npt.ArrayLike) -> FloatArray:
        """Return the values of the CQM's variables in its order: (..., n) -> (..., V)."""
        return self.reading.readout.values(self.inverse.invert(x))

    def bits(self, values: npt.ArrayLike) -> BitArray:
        """Convert values of the CQM's variables to points of ``model``: (..., V) -> (..., n).

        Values beyond a variable's bounds are clipped.  Points that satisfy the CQM satisfy
        ``model``.

        Examples
        --------
        >>> import dimod
        >>> i = dimod.Integer("i", upper_bound=9)
        >>> cqm = dimod.ConstrainedQuadraticModel.from_qm(2 * i)
        >>> Presolved.of(cqm, presolve=False).bits([[5], [70]]).tolist()
        [[1, 0, 1, 0], [1, 1, 1, 1]]
        """
        words = self.reading.readout
        end = words.low + words.unit * words.span
        within = np.clip(np.asarray(values, dtype=np.float64), words.low, end)
        return self.inverse.lift(self.reading.settled(words.bits(within)))

    def samples(self, x: npt.ArrayLike) -> dimod.SampleSet:
        """Return the distinct samples, evaluated by dimod, best first.

        Infeasible samples are returned only if there are no others, so that ``.first``, which
        looks at energies alone, is feasible.  A sample that violates a row by half a step or more
        counts as infeasible even if dimod's tolerance accepts it.
        """
        import dimod

        values = np.unique(self.values(x), axis=0)
        judged = dimod.SampleSet.from_samples_cqm(
            (values.astype(np.int64), list(self.cqm.variables)), self.cqm
        )
        feasible = judged.record.is_feasible
        for r in np.flatnonzero(self.reading.rough).tolist():
            row = self.cqm.constraints[self.reading.model.row_labels[r]]
            for number in np.flatnonzero(feasible).tolist():
                sample = dict(zip(self.cqm.variables, values[number].astype(int), strict=True))
                feasible[number] = satisfied(row, sample)
        order = np.argsort(judged.record.energy, kind="stable")
        best = judged.record[order[feasible[order]] if feasible.any() else order]
        return dimod.SampleSet(best, judged.variables, judged.info, judged.vartype)
