"""Product rows to a penalty in the objective, after Rosenberg."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations.arrays import IntArray
from formulations.model.qcbo import QCBO, fold
from formulations.passes.base import Identity
from formulations.passes.penalty import checked_penalty


@dataclass(frozen=True)
class ProductReduction:
    """Every row u = v w becomes the objective term P g(u, v, w), g = v w - 2(v + w)u + 3u.

    g is 0 where u = v w and at least 1 elsewhere [Rosenberg 1975], so that a penalty P above the
    range of the objective is exact.

    Parameters
    ----------
    penalty : float
        The weight P.

    Examples
    --------
    >>> model = QCBO.from_arrays([0, 0, 0], products=[[2, 0, 1]])
    >>> reduced, _ = ProductReduction(5.0).apply(model)
    >>> reduced.objective([[1, 1, 1], [1, 1, 0], [0, 0, 1]]).tolist()
    [0.0, 5.0, 15.0]
    """

    penalty: float

    def apply(self, model: QCBO) -> tuple[QCBO, Identity]:
        """The model without product rows."""
        weight = checked_penalty("product rows", self.penalty)
        linear, quadratic = fold(rosenberg(model.products, model.num_variables))
        return replace(
            model,
            linear=model.linear + weight * linear,
            quadratic=sp.csr_array(model.quadratic + weight * quadratic),
            products=np.zeros((0, 3), dtype=np.int64),
        ), Identity()


def rosenberg(products: IntArray, num_variables: int) -> sp.csr_array:
    """Matrix M of the sum of all g(u, v, w) = v w - 2(v + w)u + 3u as the form x'Mx."""
    u, v, w = products.T
    heads = np.concatenate([v, v, w, u])
    tails = np.concatenate([w, u, u, u])
    values = np.repeat([1.0, -2.0, -2.0, 3.0], len(products))
    return sp.csr_array((values, (heads, tails)), shape=(num_variables, num_variables))
