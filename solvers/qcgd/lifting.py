"""The lifted problem of QCGD as one fixed sparse map.

Lift z = (1, x) and W = z z'.  The rows of a model become linear functions of W, one residual each:

    (i)    (a_r'x - b_r) / s_r                   of every linear row,
    (ii)   (a_r'x - b_r)^2 / s_r^2               of every equality,
           (a_r'x - b_r)(a_r'x - b_r + g) / s^2  of an inequality with just the sums b and b - g,
    (iii)  x_v x_w - 2 (x_v + x_w) x_u + 3 x_u   of every product row x_u = x_v x_w.

Residuals (ii) and (iii) are never negative on bits, so their multipliers are penalty weights: "at
most one" and x <= y need no slack bits.  An inequality with more possible sums needs a slack word
to become an equality; without one it has only (i).  The multipliers of (i) may have either sign;
for an inequality only positive ones count.  A QUBO is the vector of its n linear coefficients and
its e couplings, and with multipliers p it is

    G = C + A*(p) = objective + M p,

one sparse product with a matrix M of fixed pattern.  (Q-FW: Yurtsever, Birdal, Golyanik, ECCV 2022,
arXiv 2203.12633.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import lsqr

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.errors import ModelSizeError
from formulations.files.bounded import available_memory
from formulations.model.qcbo import QCBO
from formulations.passes.base import entry_rows, row_range
from solvers.oracles.base import QUBO

Entries = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True)
class Lifting:
    """Maps C, A and A* of a model with scaled rows and objective.

    Parameters
    ----------
    model : QCBO
    heads, tails : ndarray of int, shape (e,)
        All couplers that the objective or a row can use, sorted.
    objective : ndarray, shape (n + e,)
        C: linear coefficients, then couplings, divided by ``unit``.
    unit : float
        Frobenius norm of the model's objective; 1 if there is none.
    adjoint : csr_array, shape (n + e, K)
        M: the change of the coefficients per unit of each multiplier.
    constant : ndarray, shape (K,)
        Residual of each lifted row at x = 0.
    rows, rhs : csr_array of shape (m, n), ndarray of shape (m,)
        The linear rows divided by their scales s_r.
    scale : ndarray, shape (m,)
        s_r.
    squared : ndarray of bool, shape (m,)
        Rows with a square (ii).
    gap : ndarray, shape (m,)
        g / s_r of these rows; 0 for equalities.

    Examples
    --------
    >>> lifting = Lifting.of(QCBO.from_arrays([-1, -2], [[1, 1]], [1]))
    >>> lifting.residuals([1, 1]).tolist()
    [1.0, 1.0]
    >>> qubo = lifting.qubo([0.0, 10.0])
    >>> (qubo.energies([[0, 0], [0, 1], [1, 1]]) + 10.0).round(2).tolist()  # b^2 = 1
    [10.0, -0.89, 8.66]
    """

    model: QCBO
    heads: IntArray
    tails: IntArray
    objective: FloatArray
    unit: float
    adjoint: sp.csr_array
    constant: FloatArray
    rows: sp.csr_array
    rhs: FloatArray
    scale: FloatArray
    squared: BoolArray
    gap: FloatArray

    @classmethod
    def of(cls, model: QCBO) -> Lifting:
        """Lift ``model``: merge patterns and collect coefficients, once."""
        n, m, p = model.num_variables, model.num_rows, model.num_products
        scale = row_scales(model)
        rows = sp.csr_array(sp.diags_array(1.0 / scale) @ model.rows)
        rhs = model.rhs / scale
        gap = two_sums(model) / scale
        squared = model.equality | (gap > 0.0)
        squares, b, g = sp.csr_array(rows[squared]), rhs[squared], gap[squared]
        i, j, of_row, crossed = _pairs(squares)
        u, v, w = model.products.T
        Q = sp.coo_array(model.quadratic)
        at_head, at_tail = Q.row.astype(np.int64), Q.col.astype(np.int64)
        heads, tails, (at_Q, at_ij, at_vw, at_vu, at_wu) = _coordinates(
            n, (at_head, at_tail), (i, j), (v, w), (v, u), (w, u)
        )
        objective = np.concatenate([model.linear, np.zeros(len(heads))])
        np.add.at(objective, at_Q, Q.data)
        unit = float(np.linalg.norm(objective)) or 1.0

        mean, square = sp.coo_array(rows), sp.coo_array(squares)
        of_square = m + np.arange(len(b))
        of_product = m + len(b) + np.arange(p)
        a = square.data
        adjoint = _matrix(
            (len(objective), m + len(b) + p),
            (mean.col, mean.row, mean.data),
            (square.col, of_square[square.row], a * (a + (g - 2.0 * b)[square.row])),  # x^2 = x
            (at_ij, of_square[of_row], 2.0 * crossed),
            (at_vw, of_product, 1.0),
            (at_vu, of_product, -2.0),
            (at_wu, of_product, -2.0),
            (u, of_product, 3.0),
        )
        constant = np.concatenate([-rhs, b * (b - g), np.zeros(p)])
        return cls(
            model, heads, tails, objective / unit, unit, adjoint, constant,
            rows, rhs, scale, squared, gap,
        )  # fmt: skip

    @property
    def num_multipliers(self) -> int:
        """Number K of lifted rows."""
        return len(self.constant)

    @property
    def kinds(self) -> tuple[slice, slice, slice]:
        """Slices of the multipliers of (i), (ii) and (iii)."""
        m, p = self.model.num_rows, self.model.num_products
        return (
            slice(0, m),
            slice(m, self.num_multipliers - p),
            slice(self.num_multipliers - p, self.num_multipliers),
        )

    @property
    def signed(self) -> BoolArray:
        """Mask of multipliers that cannot be negative: those of (i) of inequalities, shape (K,)."""
        signed = np.zeros(self.num_multipliers, dtype=np.bool_)
        signed[self.kinds[0]] = ~self.model.equality
        return signed

    def qubo(self, multipliers: npt.ArrayLike) -> QUBO:
        """Compute G = C + A*(multipliers), without its constant part."""
        coefficients = self.objective + self.adjoint @ np.asarray(multipliers, dtype=np.float64)
        n = self.model.num_variables
        return QUBO(coefficients[:n], self.heads, self.tails, coefficients[n:])

    def plausible_scale(self) -> float:
        """Estimate the multiplier at which rows balance the objective."""
        n = self.model.num_variables
        linear, couplings = self.objective[:n], self.objective[n:]
        return plausible_scale(linear, self.heads, self.tails, couplings, self.rows, self.rhs)

    def residuals(self, x: npt.ArrayLike) -> FloatArray:
        """Compute A(z z') - v at one point x in {0, 1}^n, shape (K,)."""
        x = np.asarray(x, dtype=np.float64)
        mean = self.rows @ x - self.rhs
        u, v, w = x[self.model.products.T]
        square = (mean * (mean + self.gap))[self.squared]
        return np.concatenate([mean, square, v * w - 2.0 * (v + w) * u + 3.0 * u])


def plausible_scale(
    linear: FloatArray,
    heads: IntArray,
    tails: IntArray,
    couplings: FloatArray,
    rows: sp.csr_array,
    rhs: FloatArray,
) -> float:
    """Estimate the multiplier at which scaled rows balance an objective.

    The averaged residuals add their force: with more than a quarter, a search freezes early; with
    less, no row holds.  This value was best on both QAPLIB and networks.

    It is a quarter of (root mean square change of the objective when one bit of a plausible point
    flips) / (mean over the bits of sum_r a_ri^2).  Plausible points are drawn bit by bit around the
    point of [0, 1]^n that least squares finds for the rows from 1/2.  The mean square is used
    because a few bits may carry the whole objective, as in a network.

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> rows = sp.csr_array([[1.0, 1.0]])
    >>> plausible_scale(np.array([2.0, 2.0]), none, none, np.zeros(0), rows, np.ones(1))
    0.5
    """
    n, random = len(linear), np.random.default_rng(0)  # not part of a seed
    share = np.full(n, 0.5)
    if len(rhs):
        step = lsqr(rows, rhs - rows @ share, iter_lim=30)[0]
        share = np.clip(share + step, 0.0, 1.0)
    x = (random.random((16, n)) < share).astype(np.float64)
    starts = np.searchsorted(heads, np.arange(n + 1))
    upper = sp.csr_array((couplings, tails, starts), shape=(n, n))
    change = np.sqrt(np.mean((linear + x @ upper + x @ upper.T) ** 2))
    stiffness = np.bincount(rows.indices, rows.data**2, n).mean()
    return float(0.25 * change / stiffness) if change > 0 and stiffness > 0 else 1.0


def row_scales(model: QCBO) -> FloatArray:
    """Compute s_r: the largest |a_ri| over the variables that row r shares with other rows.

    A multiplier is then the price of flipping one shared bit.  Bits that occur in one row only,
    such as a word for z, can always be set to satisfy it, so they do not determine its scale.  A
    row that shares no variables takes its largest coefficient.

    Examples
    --------
    >>> row_scales(QCBO.from_arrays([0, 0, 0], [[2, 1, 8], [0, 1, 0]], [1, 1])).tolist()
    [1.0, 1.0]
    """
    rows = sp.coo_array(model.rows)
    size = np.abs(rows.data)
    uses = np.bincount(rows.col, minlength=model.num_variables)
    uses += np.bincount(model.products.ravel(), minlength=model.num_variables)
    largest, shared = np.zeros(model.num_rows), np.zeros(model.num_rows)
    np.maximum.at(largest, rows.row, size)
    np.maximum.at(shared, rows.row, np.where(uses[rows.col] > 1, size, 0.0))
    scales = np.where(shared > 0.0, shared, largest)
    return np.where(scales > 0.0, scales, 1.0)


def two_sums(model: QCBO) -> FloatArray:
    """Return g of each inequality whose sum can only be b or b - g if it holds; 0 for other rows.

    These are rows of coefficients +g and -g whose least sum is b - g: at most one of several bits,
    at least one of two, x <= y.

    Examples
    --------
    >>> rows = [[2, 2, 2], [1, -1, 0], [1, 1, 1], [1, 1, 0]]
    >>> two_sums(QCBO.from_arrays([0, 0, 0], rows, [2, 0, 2, 1], equality=[0, 0, 0, 1])).tolist()
    [2.0, 1.0, 0.0, 0.0]
    """
    rows = model.rows
    length = np.diff(rows.indptr)
    size = np.zeros(model.num_rows)
    np.maximum.at(size, entry_rows(rows), np.abs(rows.data))
    least, most = row_range(rows)
    total = most - least
    close = 1e-9 * (1.0 + np.abs(model.rhs))
    two = (np.abs(total - length * size) <= close) & (np.abs(least + size - model.rhs) <= close)
    return np.where(two & ~model.equality, size, 0.0)


def _pairs(rows: sp.csr_array) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """List all pairs of entries of each row: columns i and j, the row, and a_i a_j."""
    length = np.diff(rows.indptr)
    _refuse_if_too_many(int((length.astype(np.int64) * (length - 1) // 2).sum()))
    later = np.repeat(rows.indptr[1:], length) - np.arange(rows.nnz) - 1
    first = np.repeat(np.arange(rows.nnz), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    row = np.repeat(np.arange(rows.shape[0], dtype=np.int64), length)
    product = rows.data[first] * rows.data[second]
    columns = rows.indices.astype(np.int64)
    return columns[first], columns[second], row[first], np.asarray(product)


def _refuse_if_too_many(pairs: int) -> None:
    """Raise before listing pairs whose four numbers alone would not fit in memory."""
    needed, free = 32 * pairs, available_memory()
    if free is not None and needed > free:
        raise ModelSizeError(
            f"the QUBO of this model would couple {pairs:,} pairs of entries of its rows, in more "
            f"than {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free: train on fewer "
            "samples, narrow the network, or solve restricted problems or blocks"
        )


def _coordinates(
    n: int, *pairs: tuple[IntArray, IntArray]
) -> tuple[IntArray, IntArray, list[IntArray]]:
    """Merge and sort the couplers of several lists of pairs; return the coordinate of each pair.

    Coordinates below n are linear, x_i x_i being x_i; that of coupler e is n + e.
    """
    low = np.concatenate([np.minimum(i, j) for i, j in pairs]).astype(np.int64)
    high = np.concatenate([np.maximum(i, j) for i, j in pairs]).astype(np.int64)
    couples = low < high
    keys, place = np.unique((low * n + high)[couples], return_inverse=True)
    coordinate = low.copy()
    coordinate[couples] = n + place
    ends = np.cumsum([len(i) for i, _ in pairs])
    return keys // n, keys % n, np.split(coordinate, ends[:-1])


def _matrix(shape: tuple[int, int], *entries: Entries) -> sp.csr_array:
    """Make a sparse matrix from lists of (row, column, value); values broadcast."""
    parts = [np.broadcast_arrays(*part) for part in entries]
    row, column, value = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return sp.csr_array((value.astype(np.float64), (row, column)), shape=shape)
