"""Choose the next multipliers: the best for all answers so far, in a box around the best known.

Each answer x of block k, with moments m(x), bounds min_x (f_k(x) + l_k.m(x)) from above by f_k(x) +
l_k.m(x) at any multipliers l_k.  The least of these planes models the dual function from above, and
its maximum over a box is a linear program [box step: Marsten, Hogan, Blankenship, Oper. Res. 23,
1975; for decomposed problems Linderoth, Wright, Comput. Optim. Appl. 24, 2003].  If the model's
maximum does not exceed the value at the centre, the centre maximises the dual function, which is
concave.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from formulations.arrays import FloatArray, IntArray


def box_step(
    moments: FloatArray, values: FloatArray, block: IntArray, radius: float
) -> tuple[FloatArray, FloatArray, float]:
    """Maximise sum_k min_(x of block k) (value_x + d_k.m(x)) over |d| <= radius, sum_k d_k = 0.

    Parameters
    ----------
    moments : ndarray, shape (A, M)
    values : ndarray, shape (A,)
        f_k(x) + l_k.m(x) of each answer, at the multipliers l of the centre.
    block : ndarray of int, shape (A,)
        Block k of each answer, ascending; every block has at least one answer.
    radius : float

    Returns
    -------
    change : ndarray, shape (K, M)
        d; its sum over the blocks vanishes up to rounding.
    weights : ndarray, shape (A,)
        Weights of the answers, with sum one per block: the linear program's dual solution.
    most : float
        Maximum; infinite if it was not found.

    Examples
    --------
    >>> moments, block = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0, 0, 1, 1])
    >>> change, weights, most = box_step(moments, np.array([0.0, 3.0, 2.0, 0.0]), block, 9.0)
    >>> change.sum(), weights.sum(), round(most, 6)
    (np.float64(0.0), np.float64(2.0), 2.0)
    """
    A, M = moments.shape
    K = int(block[-1]) + 1
    lowest = np.minimum.reduceat(values, np.searchsorted(block, np.arange(K)))
    rows, columns = np.nonzero(moments)
    planes = sp.csr_array(  # theta_k - d_k.m(x) <= value_x
        (
            np.concatenate([np.ones(A), -moments[rows, columns]]),
            (
                np.concatenate([np.arange(A), rows]),
                np.concatenate([block, K + block[rows] * M + columns]),
            ),
        ),
        shape=(A, K + K * M),
    )
    total = sp.hstack([sp.csr_array((M, K)), *[sp.eye_array(M)] * K], format="csr")
    inside = np.tile([-radius, radius], (K * M, 1))
    found = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices
        np.concatenate([-np.ones(K), np.zeros(K * M)]),
        A_ub=planes,
        b_ub=values - lowest[block],  # smaller numbers
        A_eq=total,
        b_eq=np.zeros(M),
        bounds=np.concatenate([np.tile([-np.inf, np.inf], (K, 1)), inside]),
        method="highs-ds",
    )
    if found.status != 0:
        first = np.zeros(A)
        first[np.searchsorted(block, np.arange(K))] = 1.0
        return np.zeros((K, M)), first, np.inf
    weights = np.maximum(-found.ineqlin.marginals, 0.0)
    weights /= np.bincount(block, weights)[block]
    return found.x[K:].reshape(K, M), weights, float(lowest.sum() - found.fun)
