"""Rosenberg's penalty of product rows in the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations.checks import check_number
from formulations.model.qcbo import QCBO, fold
from formulations.passes.base import Composed


@dataclass(frozen=True)
class ProductReduction:
    """Replace every row u = v w by the objective term P g, where g = v w - 2(v + w)u + 3u.

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

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model without product rows."""
        weight = check_number("penalty for product rows", self.penalty)
        u, v, w = model.products.T
        entries = (np.concatenate([v, v, w, u]), np.concatenate([w, u, u, u]))
        values = np.repeat([1.0, -2.0, -2.0, 3.0], model.num_products)
        linear, quadratic = fold(sp.csr_array((values, entries), shape=model.quadratic.shape))
        return replace(
            model,
            linear=model.linear + weight * linear,
            quadratic=sp.csr_array(model.quadratic + weight * quadratic),
            products=np.zeros((0, 3), dtype=np.int64),
        ), Composed()
