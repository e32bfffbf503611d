"""Paired comparison of solvers, seed by seed: size and significance of their differences.

Two solvers see the same draw of data at the same seed, so their difference does not depend on how
hard that draw is.  One pair is tested by Wilcoxon's two-sided signed-rank test.  But the best
solver is chosen afterwards and compared with many: among eight equals, one beats another at the 5 %
level by chance more often than not.  So p-values are adjusted: solver names are permuted at random
within each seed, which changes nothing if all solvers are equal, and the adjusted value is how
often the best is then as far ahead of any other.  An adjusted p-value is never below the plain one,
since the two solvers of a pair may be equal while others differ.  [Wilcoxon 1945; Westfall and
Young 1993, the single step with the largest statistic; Demsar 2006.]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from formulations.arrays import FloatArray, IntArray
from qnn.compare.ranking import DIGITS, leading

MEASURES = {"train_loss": -1.0, "test_accuracy": 1.0}
"""Compared measures: 1 if more is better, -1 if less is better."""

Series = Mapping[int, float]
"""A measure by seed."""


def paired(
    named: Mapping[str, Mapping[str, Series]], by: str = "train_loss"
) -> list[dict[str, Any]]:
    """Compare the best solver with each other one, for each measure.

    Parameters
    ----------
    named : mapping
        Values by seed for every measure of every solver.  The best solver has the lowest median
        training loss; ties go to the lowest mean, then to the first.  It must have at least half as
        many seeds as the solver with the most.
    by : str
        Measure that determines the best solver, instead of the training loss.

    Returns
    -------
    list of dict
        ``first`` is the best solver.  ``median_difference``, ``low`` and ``high`` are the quartiles
        of first minus second over the seeds; ``wins``, ``ties`` and ``losses`` count the seeds from
        the side of the first.  ``p`` is for this pair alone, ``p_adjusted`` allows for the choice
        of the best and the number of pairs; ``smallest_p`` is the lowest p that so many seeds can
        give.

    Examples
    --------
    >>> loss = lambda *values: {"train_loss": dict(enumerate(values))}
    >>> pair, = paired({"a": loss(9, 8, 7, 9, 8), "b": loss(1, 2, 3, 4, 2)})
    >>> pair["first"], pair["median_difference"], pair["wins"], pair["p"], pair["smallest_p"]
    ('b', -6.0, 5, 0.0625, 0.0625)
    """
    named = {name: own for name, own in named.items() if own.get(by)}
    if not named:
        return []
    most = max(len(own[by]) for own in named.values())
    family = {name: own for name, own in named.items() if 2 * len(own[by]) >= most}
    first = leading({name: _middle(own[by]) for name, own in family.items()}, MEASURES[by])[0]
    adjusted = _adjusted(family, first, by)
    pairs = [
        {
            "first": first,
            "second": name,
            "measure": measure,
            **_compared(named[first][measure], own[measure], better),
        }
        for measure, better in MEASURES.items()
        for name, own in named.items()
        if name != first and own.get(measure, {}).keys() & named[first].get(measure, {}).keys()
    ]
    for pair in pairs:
        by_chance = adjusted.get((pair["second"], pair["measure"]))
        pair["p_adjusted"] = None if by_chance is None else max(pair["p"], by_chance)
    return pairs


def _middle(values: Series) -> dict[str, float]:
    """Return median and mean."""
    known = list(values.values())
    return {"median": float(np.median(known)), "mean": float(np.mean(known))}


def _compared(first: Series, second: Series, better: float) -> dict[str, Any]:
    """Compare two solvers' values at their common seeds."""
    seeds = sorted(first.keys() & second.keys())
    differences = np.round([first[seed] - second[seed] for seed in seeds], DIGITS)
    low, median, high = np.quantile(differences, [0.25, 0.5, 0.75]).tolist()
    return {
        "seeds": len(seeds),
        "median_difference": median,
        "low": low,
        "high": high,
        "wins": int((better * differences > 0).sum()),
        "ties": int((differences == 0).sum()),
        "losses": int((better * differences < 0).sum()),
        "p": signed_rank(differences),
        "smallest_p": smallest_p(len(seeds)),
    }


def signed_rank(differences: Sequence[float] | FloatArray) -> float:
    """Two-sided p-value for differences symmetric about zero; zeros are ignored.

    Exact up to 300 differences, with or without ties; the normal approximation beyond.

    Examples
    --------
    >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0]), signed_rank([0.0, 0.0])
    (0.0625, 1.0)
    >>> signed_rank([2.0, 2.0, -1.0, 0.0])  # ranks 2.5, 2.5 and 1, of either sign
    0.5
    """
    from scipy.stats import rankdata, wilcoxon

    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if not len(values):
        return 1.0
    if len(values) > 300:
        return float(wilcoxon(values).pvalue)
    doubled = np.rint(2 * rankdata(np.abs(values))).astype(int)
    seen = min(doubled[values > 0].sum(), doubled[values < 0].sum())
    return float(min(1.0, 2 * _sums(doubled)[: seen + 1].sum()))


def _sums(sizes: IntArray) -> FloatArray:
    """Probability of every sum of these integers, each included with probability 1/2."""
    chance = np.zeros(sizes.sum() + 1)
    chance[0] = 1.0
    for size in sizes:
        taken = np.zeros_like(chance)
        taken[size:] = chance[:-size]
        chance = (chance + taken) / 2
    return chance


def smallest_p(seeds: int) -> float:
    """Lowest two-sided p-value of this many pairs: all differences have one sign.

    Examples
    --------
    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return float(min(1.0, 2.0 ** (1 - seeds)))


# -- adjustment for the choice and the number of pairs ---------------------------------------------


def _adjusted(
    family: Mapping[str, Mapping[str, Series]], first: str, by: str
) -> dict[tuple[str, str], float]:
    """Adjusted p-values by name and measure, on the seeds that all solvers have.

    They are shares of random permutations of names, at least 1/2001.
    """
    seeds = sorted(set.intersection(*(set(own[by]) for own in family.values())))
    if len(family) < 2 or not seeds:
        return {}
    names, exchanges = list(family), 2000
    deciding = MEASURES[by] * _table(family, by, seeds)
    rng = np.random.default_rng(np.random.SeedSequence(0))
    order = rng.permuted(
        np.tile(np.arange(len(names))[:, None], (exchanges, 1, len(seeds))), axis=1
    )
    best = np.argmax(np.median(np.take_along_axis(deciding[None], order, axis=1), axis=2), axis=1)
    result = {}
    for measure in MEASURES:
        if any(not set(seeds) <= set(own.get(measure, ())) for own in family.values()):
            continue
        values = _table(family, measure, seeds)
        chance = _lead(np.take_along_axis(values[None], order, axis=1), best).max(axis=1)
        leads = _lead(values[None], np.array([names.index(first)]))[0]
        for name, lead in zip(names, leads.tolist(), strict=True):
            as_far = int((chance >= lead - 1e-9).sum())
            result[name, measure] = (1 + as_far) / (1 + exchanges)
    return result


def _table(
    family: Mapping[str, Mapping[str, Series]], measure: str, seeds: Sequence[int]
) -> FloatArray:
    """Return the values of a measure, shape (solvers, seeds)."""
    return np.array([[own[measure][seed] for seed in seeds] for own in family.values()])


def _lead(values: FloatArray, best: IntArray) -> FloatArray:
    """|sum of signed ranks| of the best minus each other, shape (B, solvers).

    Values have shape (B, solvers, seeds); indices of the best have shape (B,).
    """
    from scipy.stats import rankdata

    ahead = np.take_along_axis(values, best[:, None, None], axis=1) - values
    ahead = np.round(ahead, DIGITS)
    size = np.where(ahead == 0, np.inf, np.abs(ahead))  # zeros are ranked last and then dropped
    ranks = np.where(ahead == 0, 0.0, rankdata(size, axis=-1))
    return np.asarray(np.abs((np.sign(ahead) * ranks).sum(axis=-1)))
