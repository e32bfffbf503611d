"""The model: a quadratic constrained binary problem as sparse arrays.

minimise    offset + c'x + x'Qx          over x in {0, 1}^n
subject to  a_r'x = b_r  or  a_r'x <= b_r   (linear rows)
            x_u = x_v x_w                   (product rows)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import fsum, prod
from os import PathLike
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.array_checks import check_finite, check_products, inexact_rows
from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.checks import check_number
from formulations.errors import InvalidInputError
from formulations.model.labels import Family, Labels, row_group, unique_labels
from formulations.shown_table import facts_of

if TYPE_CHECKING:
    import dimod

TOLERANCE = 1e-6
"""Largest violation with which a row still holds."""


@dataclass(frozen=True, eq=False)
class QCBO:
    """A quadratic constrained binary optimization model.

    Parameters
    ----------
    linear : ndarray, shape (n,)
        Objective coefficient of each variable.
    quadratic : csr_array, shape (n, n)
        Objective couplers, strictly upper triangular, without duplicates.
    offset : float
        Constant of the objective.
    rows : csr_array, shape (m, n)
        Coefficients of the linear rows.
    rhs : ndarray, shape (m,)
        Right-hand sides.
    equality : ndarray of bool, shape (m,)
        True where a row is ``=``, False where it is ``<=``.
    row_group : ndarray of int, shape (m,)
        Group of each row, an index into ``group_names``.
    group_names : tuple of str
        Names of the row groups; penalties can differ by group.  Product rows always form the group
        ``"products"``, which is not listed here.
    products : ndarray of int, shape (p, 3)
        Columns u, v, w of each product row x_u = x_v x_w.
    labels, row_labels : Labels
        Names of the variables (in canonical order) and of the linear rows.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 1], activation="sign")
    >>> model = TrainingProblem(net, [[1, -1], [1, 1]], [1, -1], loss="hinge").qcbo()
    >>> model.num_variables, model.num_rows
    (8, 2)
    """

    linear: FloatArray
    quadratic: sp.csr_array
    offset: float
    rows: sp.csr_array
    rhs: FloatArray
    equality: BoolArray
    row_group: IntArray
    group_names: tuple[str, ...]
    products: IntArray
    labels: Labels
    row_labels: Labels

    _repr_html_ = facts_of(variables="num_variables", rows="num_rows", products="num_products")

    def __post_init__(self) -> None:
        n, m = len(self.linear), len(self.rhs)
        for name, shape, expected in (
            ("quadratic", self.quadratic.shape, (n, n)),
            ("rows", self.rows.shape, (m, n)),
            ("equality", self.equality.shape, (m,)),
            ("row_group", self.row_group.shape, (m,)),
            ("products", self.products.shape, (len(self.products), 3)),
            ("labels", (len(self.labels),), (n,)),
            ("row_labels", (len(self.row_labels),), (m,)),
        ):
            if shape != expected:
                raise InvalidInputError(
                    f"model with {n} variables and {m} rows: {name} has shape {shape}, "
                    f"expected {expected}"
                )

    @classmethod
    def from_arrays(
        cls,
        linear: npt.ArrayLike,
        rows: npt.ArrayLike | sp.csr_array | None = None,
        rhs: npt.ArrayLike = (),
        *,
        equality: npt.ArrayLike | None = None,
        quadratic: npt.ArrayLike | sp.csr_array | None = None,
        offset: float = 0.0,
        products: npt.ArrayLike = (),
        labels: Iterable[Hashable] | None = None,
        row_labels: Iterable[Hashable] | None = None,
    ) -> QCBO:
        """Make a model from arrays; by default rows are equalities and form one group.

        Parameters
        ----------
        linear : array, shape (n,)
            Objective coefficient of each variable.
        rows, rhs, equality : arrays, shapes (m, n), (m,) and (m,), optional
            Linear rows: ``=`` where ``equality`` is true (everywhere by default), else ``<=``.
        quadratic : array or sparse array, shape (n, n), optional
            Any square matrix M of the quadratic form x'Mx.
        products : array of int, shape (p, 3), optional
            Columns u, v, w of each product row.
        labels, row_labels : iterables, optional
            ``x[0]``, ... and ``rows[0]``, ... by default.  A row labelled ``name[...]`` belongs to
            the group ``name``, any other row to the group ``rows``, see
            :func:`formulations.model.labels.row_group`.

        Raises
        ------
        InvalidInputError
            If shapes do not fit, a number is not finite, a product names an unknown variable, or
            labels are not distinct.

        Examples
        --------
        >>> model = QCBO.from_arrays([1, 2, 3], [[1, 1, 1]], [1])
        >>> model.objective([0, 1, 0]).item(), model.violations([1, 1, 0])
        (2.0, {'rows[0]': 1.0})
        """
        c, b = check_finite("linear", linear, 1), check_finite("rhs", rhs, 1)
        n, m = len(c), len(b)
        diagonal, couplers = fold(_sparse("quadratic", quadratic, (n, n)))
        rows_of_products = check_products(products, n)
        constant = check_finite("offset", offset, 0)
        equal = np.ones(m) if equality is None else check_finite("equality", equality, 1)
        if not np.isin(equal, (0, 1)).all():
            raise InvalidInputError("equality: expected True or False for each row")
        names, row_names = _numbered("x", n), _numbered("rows", m)
        if labels is not None:
            names = unique_labels("labels of variables", labels)
        if row_labels is not None:
            row_names = unique_labels("labels of rows", row_labels)
        groups = [row_group(label) for label in row_names]
        group_names = tuple(dict.fromkeys(groups))
        return cls(
            linear=c + diagonal,
            quadratic=couplers,
            offset=float(constant),
            rows=_sparse("rows", rows, (m, n)),
            rhs=b,
            equality=equal.astype(np.bool_),
            row_group=np.array([group_names.index(g) for g in groups], dtype=np.int64),
            group_names=group_names,
            products=rows_of_products,
            labels=names,
            row_labels=row_names,
        )

    @property
    def num_variables(self) -> int:
        """Number of binary variables n."""
        return len(self.linear)

    @property
    def num_rows(self) -> int:
        """Number of linear rows m."""
        return len(self.rhs)

    @property
    def num_products(self) -> int:
        """Number of product rows p."""
        return len(self.products)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of all row groups, including that of the products if there are any."""
        return self.group_names + (("products",) if self.num_products else ())

    @property
    def weight_variables(self) -> IntArray:
        """Positions of the weight bits (labels that start with ``w[``), ascending."""
        return self.labels.of_kind("w")

    def equals(self, other: QCBO) -> bool:
        """Return True if ``other`` is exactly the same model.

        Numbers, labels, the order of the rows and the name of each row's group must be the same;
        the factors of a product may be exchanged.
        """
        return (
            self.num_variables == other.num_variables
            and self.num_rows == other.num_rows
            and self.offset == other.offset
            and np.array_equal(self.linear, other.linear)
            and (self.quadratic - other.quadratic).count_nonzero() == 0
            and (self.rows - other.rows).count_nonzero() == 0
            and np.array_equal(self.rhs, other.rhs)
            and np.array_equal(self.equality, other.equality)
            and np.array_equal(self.products[:, 0], other.products[:, 0])
            and np.array_equal(np.sort(self.products[:, 1:]), np.sort(other.products[:, 1:]))
            and self.labels == other.labels
            and self.row_labels == other.row_labels
            and [self.group_names[g] for g in self.row_group.tolist()]
            == [other.group_names[g] for g in other.row_group.tolist()]
        )

    # -- evaluation -------------------------------------------------------------------------------

    def array(self, sample: Mapping[str, int] | npt.ArrayLike) -> BitArray:
        """Convert a sample (mapping label -> 0/1, or array of shape (..., n)) to an array of bits.

        Raises
        ------
        InvalidInputError
            If a variable is missing, a shape does not fit, or a value is neither 0 nor 1.
        """
        if isinstance(sample, Mapping):
            missing = [s for s in self.labels if s not in sample]
            if missing:
                raise InvalidInputError(
                    f"the sample has no value for {len(missing)} variables, first {missing[0]!r}: "
                    "give every variable of the model a value of 0 or 1"
                )
            sample = [sample[s] for s in self.labels]
        try:
            values = np.asarray(sample)
        except ValueError:  # lists of several lengths
            expected = f"expected an array of shape (..., {self.num_variables})"
            raise InvalidInputError(f"samples of several lengths: {expected}") from None
        if values.shape[-1:] != (self.num_variables,):
            raise InvalidInputError(
                f"sample of shape {values.shape}: expected (..., {self.num_variables})"
            )
        if not np.isin(values, (0, 1)).all():
            raise InvalidInputError("sample values must be 0 or 1: convert spins by (s + 1) / 2")
        return values.astype(np.int8)

    def objective(self, sample: Mapping[str, int] | npt.ArrayLike) -> FloatArray:
        """Return offset + c'x + x'Qx of one sample or of many, shape (..., n) -> (...)."""
        x = self.array(sample).astype(np.float64)
        return np.asarray(
            self.offset + x @ self.linear + np.sum(times(self.quadratic, x) * x, axis=-1)
        )

    def row_residuals(self, sample: Mapping[str, int] | npt.ArrayLike) -> FloatArray:
        """Return a_r'x - b_r of every linear row, shape (..., n) -> (..., m).

        Sums whose rounding could decide whether a row holds are computed exactly.
        """
        x = self.array(sample).astype(np.float64)
        residuals = times(self.rows, x) - self.rhs
        for r in self._wide_rows.tolist():
            entries = slice(self.rows.indptr[r], self.rows.indptr[r + 1])
            a, b = self.rows.data[entries], float(self.rhs[r])
            of_row = x[..., self.rows.indices[entries]]
            for place in np.ndindex(of_row.shape[:-1]):
                residuals[(*place, r)] = fsum([*(a * of_row[place]).tolist(), -b])
        return residuals

    @cached_property
    def _wide_rows(self) -> IntArray:
        """Rows whose residual may be off by a quarter of the tolerance in double precision."""
        return inexact_rows(self.rows, self.rhs, TOLERANCE / 4)

    def row_violations(self, sample: Mapping[str, int] | npt.ArrayLike) -> FloatArray:
        """Return |a'x - b| of equalities and max(a'x - b, 0) of inequalities, shape (..., m)."""
        residuals = self.row_residuals(sample)
        return np.where(self.equality, np.abs(residuals), np.maximum(residuals, 0.0))

    def product_violations(self, sample: Mapping[str, int] | npt.ArrayLike) -> FloatArray:
        """Return |x_u - x_v x_w| of every product row, shape (..., p)."""
        x = self.array(sample)
        u, v, w = (x[..., self.products[:, i]] for i in range(3))
        return np.asarray(np.abs(u - v * w), dtype=np.float64)

    def is_feasible(
        self, sample: Mapping[str, int] | npt.ArrayLike, tolerance: float = TOLERANCE
    ) -> BoolArray:
        """Return True where all rows hold within ``tolerance``, shape (..., n) -> (...)."""
        tolerance = check_number("tolerance", tolerance, zero=True)
        return np.asarray(
            (self.row_violations(sample) <= tolerance).all(axis=-1)
            & (self.product_violations(sample) <= tolerance).all(axis=-1)
        )

    def violations(
        self, sample: Mapping[str, int] | npt.ArrayLike, tolerance: float = TOLERANCE
    ) -> dict[str, float]:
        """Return the violated rows of one sample: label -> amount, largest first."""
        sample, tolerance = self.array(sample), check_number("tolerance", tolerance, zero=True)
        if sample.ndim != 1:
            expected = f"expected one sample, of shape ({self.num_variables},)"
            raise InvalidInputError(f"samples of shape {sample.shape}: {expected}")
        amounts = dict(
            zip(self.row_labels.strings(), self.row_violations(sample).tolist(), strict=True)
        )
        amounts |= zip(self.product_labels(), self.product_violations(sample).tolist(), strict=True)
        broken = {label: amount for label, amount in amounts.items() if amount > tolerance}
        return dict(sorted(broken.items(), key=lambda item: -item[1]))

    def product_labels(self, positions: IntArray | None = None) -> list[str]:
        """Return the labels of all product rows, or of some: ``u = v * w`` in variable labels."""
        products = self.products if positions is None else self.products[positions]
        names = self.labels.strings() if len(products) else []
        return [f"{names[u]} = {names[v]} * {names[w]}" for u, v, w in products.tolist()]

    # -- dimod and files --------------------------------------------------------------------------

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Convert the model to a dimod CQM; product rows become quadratic equalities."""
        from formulations.cqm.to_dimod import to_cqm

        return to_cqm(self)

    @classmethod
    def from_cqm(cls, cqm: dimod.ConstrainedQuadraticModel) -> QCBO:
        """Convert a dimod CQM to arrays; what cannot be represented is refused by name."""
        from formulations.cqm.to_dimod import from_cqm

        return from_cqm(cqm)

    def to_bqm(self, penalty: float | Mapping[str, float]) -> dimod.BinaryQuadraticModel:
        """Convert to an unconstrained BQM with one penalty for all row groups, or one per group."""
        from formulations.cqm.to_dimod import to_bqm

        return to_bqm(self, penalty)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to ``path`` (npz with a JSON manifest), atomically."""
        from formulations.files.saved import save_qcbo

        save_qcbo(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> QCBO:
        """Read a model that ``save`` wrote, in this or an older format version."""
        from formulations.files.saved import load_qcbo

        return load_qcbo(path)


def fold(matrix: sp.csr_array) -> tuple[FloatArray, sp.csr_array]:
    """Rewrite the quadratic form x'Mx over bits as c'x + x'Qx, Q strictly upper triangular.

    A bit is its own square, so that c is the diagonal of M; Q_ij = M_ij + M_ji for i < j.

    Examples
    --------
    >>> linear, quadratic = fold(sp.csr_array([[2.0, 1.0], [3.0, 0.0]]))
    >>> linear.tolist(), quadratic.toarray().tolist()
    ([2.0, 0.0], [[0.0, 4.0], [0.0, 0.0]])
    """
    quadratic = sp.csr_array(sp.triu(matrix + matrix.T, k=1))
    quadratic.eliminate_zeros()
    quadratic.sort_indices()
    return matrix.diagonal(), quadratic


def _sparse(
    name: str, matrix: npt.ArrayLike | sp.csr_array | None, shape: tuple[int, int]
) -> sp.csr_array:
    """Convert to a matrix in canonical form: sorted, without duplicates or stored zeros."""
    if matrix is None:
        return sp.csr_array(shape, dtype=np.float64)
    dense = None if sp.issparse(matrix) else check_finite(name, matrix, 2)
    given = sp.coo_array(cast("sp.csr_array", matrix) if dense is None else dense)
    if given.shape != shape:
        raise InvalidInputError(f"{name} of shape {given.shape}: expected {shape}")
    result = sp.csr_array(given.astype(np.float64))
    if not np.isfinite(result.data).all():
        raise InvalidInputError(f"{name} must hold finite numbers")
    result.eliminate_zeros()
    return result


def _numbered(name: str, count: int) -> Labels:
    """Make labels ``name[0]``, ``name[1]``, ..."""
    return Labels((Family(name, ("",), np.arange(count)[:, None]),))


def times(matrix: sp.csr_array, x: FloatArray) -> FloatArray:
    """Multiply each vector of x by a matrix, shape (..., n) -> (..., m)."""
    flat = x.reshape(prod(x.shape[:-1]), x.shape[-1])  # -1 would fail without variables
    return np.asarray(matrix @ flat.T).T.reshape(*x.shape[:-1], matrix.shape[0])
