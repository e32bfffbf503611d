"""Path relinking: points between good points."""

from __future__ import annotations

import numpy as np

from formulations.arrays import BitArray
from solvers.qcgd.scoring import Pool
from solvers.qcgd.sources.base import BATCH, Source


class Relinking(Source):
    """Points between two pool members, with a share of the differing bits from each.

    [Path relinking: Glover, Laguna, Marti, Control and Cybernetics 29, 2000.]

    Examples
    --------
    >>> pool = Pool(2)
    >>> pool.add(np.array([[0, 0, 1], [1, 1, 1]], dtype=np.int8), np.zeros(2))
    >>> Relinking().points(pool, np.random.default_rng(0))[:, 2].all()
    np.True_
    """

    repaired = False

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return mixtures of two members drawn for each point."""
        one, other = pool.draw(rng, BATCH), pool.draw(rng, BATCH)
        share = rng.uniform(0.1, 0.5, (BATCH, 1))
        return np.where(rng.random(one.shape) < share, other, one)
