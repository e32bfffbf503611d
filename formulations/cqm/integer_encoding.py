"""Encoding of a CQM's variables as words of bits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.model.qcbo import times
from formulations.passes.slack import SlackWord

if TYPE_CHECKING:
    import dimod

Bounds = Mapping[Hashable, tuple[float, float]]
"""Least and greatest values of some variables, tighter than the CQM's bounds."""


@dataclass(frozen=True)
class IntegerEncoding:
    """The variables of a CQM as functions of a model's bits: value = low + unit * word.

    The words are the first bits of the model; the bits after them, such as products, are not read.

    Parameters
    ----------
    variables : tuple
        The CQM's variables, in its order.
    low, unit : ndarray, shape (V,)
        Least value of each variable, and the step between its values: 2 for a spin, else 1.
    word : SlackWord
        Words of all variables.

    Examples
    --------
    >>> import dimod
    >>> from formulations.cqm.from_dimod import read_cqm
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.add_variables("INTEGER", ["i"], lower_bound=-1, upper_bound=5)
    >>> model, readout = read_cqm(cqm)
    >>> model.labels.strings(), readout.sample([1, 1, 0])
    (['i[bit=0]', 'i[bit=1]', 'i[bit=2]'], {'i': 2})
    """

    variables: tuple[Hashable, ...]
    low: FloatArray
    unit: FloatArray
    word: SlackWord

    @classmethod
    def of(
        cls, cqm: dimod.ConstrainedQuadraticModel, bounds: Bounds | None = None
    ) -> IntegerEncoding:
        """Encode the variables of ``cqm`` within its bounds, or within tighter ones.

        Raises
        ------
        InvalidInputError
            For real variables and integers with too wide a range; the message has the name.
        InfeasibleModelError
            For an integer without a value between its bounds.
        """
        import dimod

        check_usable(cqm)
        bounds = {} if bounds is None else bounds
        low, span, unit, widest = [], [], [], 2**26
        for v in cqm.variables:
            vartype = cqm.vartype(v)
            least, most = bounds.get(v, (cqm.lower_bound(v), cqm.upper_bound(v)))
            if most - least > widest:
                raise InvalidInputError(
                    f"integer variable {v!r} ranges from {least:g} to {most:g}: expected a range "
                    f"of {widest:,} at most; tighten its bounds"
                )
            low.append(ceil(least))
            unit.append(2 if vartype is dimod.SPIN else 1)
            span.append((floor(most) - ceil(least)) // unit[-1])
            if span[-1] < 0:
                raise InfeasibleModelError(
                    f"integer variable {v!r} has no value between its bounds {least:g} and {most:g}"
                )
        return cls(
            tuple(cqm.variables),
            np.array(low, dtype=np.float64),
            np.array(unit, dtype=np.float64),
            SlackWord.covering(np.array(span, dtype=np.int64)),
        )

    @property
    def span(self) -> FloatArray:
        """Largest word of each variable, shape (V,)."""
        word = self.word
        return np.bincount(word.row, word.coefficient, len(self.variables)).astype(np.float64)

    @property
    def reach(self) -> dict[Hashable, float]:
        """Largest absolute value of each variable."""
        sizes = np.maximum(np.abs(self.low), np.abs(self.low + self.unit * self.span))
        return dict(zip(self.variables, sizes.tolist(), strict=True))

    @property
    def num_bits(self) -> int:
        """Total number of bits of the words."""
        return len(self.word.row)

    @property
    def matrix(self) -> sp.csr_array:
        """Matrix T with values = low + T bits, shape (V, num_bits)."""
        count = self.num_bits
        return sp.csr_array(
            (self.unit[self.word.row] * self.word.coefficient, (self.word.row, np.arange(count))),
            shape=(len(self.variables), count),
        )

    def values(self, x: npt.ArrayLike) -> FloatArray:
        """Return the values of the CQM's variables, shape (..., n) -> (..., V)."""
        bits = np.asarray(x, dtype=np.float64)[..., : self.num_bits]
        return self.low + times(self.matrix, bits)

    def sample(self, x: npt.ArrayLike) -> dict[Hashable, int]:
        """Convert a sample (n,) to the mapping that dimod expects."""
        values = self.values(x).astype(np.int64).tolist()
        return dict(zip(self.variables, values, strict=True))

    def bits(self, values: npt.ArrayLike) -> BitArray:
        """Encode values within their bounds, shape (..., V) -> (..., num_bits)."""
        steps = (np.asarray(values, dtype=np.float64) - self.low) / self.unit
        return self.word.spell(np.rint(steps).astype(np.int64))

    def labels(self, cqm: dimod.ConstrainedQuadraticModel) -> list[Hashable]:
        """Return labels of the bits: ``label[bit=k]`` for integers, else the variable's label."""
        import dimod

        names = self.variables
        return [
            f"{names[v]}[bit={k}]" if cqm.vartype(names[v]) is dimod.INTEGER else names[v]
            for v, k in zip(self.word.row.tolist(), self.word.place.tolist(), strict=True)
        ]


def check_usable(cqm: dimod.ConstrainedQuadraticModel) -> None:
    """Refuse anything but a CQM; also real variables and numbers that are not finite.

    Raises
    ------
    InvalidInputError
        Naming the first offender.
    """
    import dimod

    if not isinstance(cqm, dimod.ConstrainedQuadraticModel):
        raise InvalidInputError(
            f"expected a dimod.ConstrainedQuadraticModel, got a {type(cqm).__name__}; convert "
            "an unconstrained model by ConstrainedQuadraticModel.from_bqm or .from_qm"
        )
    for v in cqm.variables:
        if cqm.vartype(v) is dimod.Vartype.REAL:
            raise InvalidInputError(
                f"variable {v!r} is real: expected binary, spin or integer variables; make it "
                "an integer number of steps"
            )
    largest = 1e100  # sums of squares of such numbers have to be finite, too
    if not _finite(cqm.objective, largest):
        raise InvalidInputError(
            f"the objective has numbers that are not finite or beyond {largest:g}: expected "
            "smaller numbers; rescale it, or make a term that outweighs all others a constraint"
        )
    for label, row in cqm.constraints.items():
        weight = row.lhs.weight() if row.lhs.is_soft() else 0.0
        if weight != weight or largest < weight < inf:
            raise InvalidInputError(
                f"soft constraint {label!r} has weight {weight}: expected a positive number of at "
                f"most {largest:g}, or infinity"
            )
        if not (_finite(row.lhs) and isfinite(row.rhs)):
            raise InvalidInputError(
                f"constraint {label!r} has numbers that are not finite: expected finite "
                "coefficients and right-hand side; leave out a constraint that always holds"
            )


def _finite(form: Any, largest: float = inf) -> bool:
    """Return True if all numbers of a quadratic form are finite and at most ``largest``."""
    linear = (bias for _, bias in form.iter_linear())
    quadratic = (bias for _, _, bias in form.iter_quadratic())
    numbers = (form.offset, *linear, *quadratic)
    return all(isfinite(number) and abs(number) <= largest for number in numbers)
