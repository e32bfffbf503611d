"""Solvers in pairs, seed by seed: by how much they differ, and whether that could be chance.

Two solvers see the same draw of data at the same seed, so that their difference at a seed is free
of how hard that draw is.  The test is Wilcoxon's signed-rank test, two-sided; its p-values are
adjusted by Holm for the number of pairs.  [Wilcoxon 1945; Holm 1979; Demsar 2006.]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MEASURES = {"train_loss": -1.0, "test_accuracy": 1.0}
"""What is compared, and whether less or more of it is better."""

EXACT = 13
"""Most seeds with ties for which every sign of every difference is gone through."""

Series = Mapping[int, float]
"""A measure by seed."""


def paired(named: Mapping[str, Mapping[str, Series]]) -> list[dict[str, Any]]:
    """The best solver against every other one, for each measure.

    Parameters
    ----------
    named : mapping
        Of every solver, of every measure, the values by seed.  The best has the least median
        training loss.

    Returns
    -------
    list of dict
        ``first`` is the best.  ``median_difference``, ``low`` and ``high`` are the quartiles of
        first minus second over the seeds; ``wins``, ``ties`` and ``losses`` those of the first;
        ``p`` and ``p_adjusted``; ``smallest_p`` the least p-value that so many seeds can give.

    Examples
    --------
    >>> loss = lambda *values: {"train_loss": dict(enumerate(values))}
    >>> pair, = paired({"a": loss(9, 8, 7, 9, 8), "b": loss(1, 2, 3, 4, 2)})
    >>> pair["first"], pair["median_difference"], pair["wins"], pair["p"], pair["smallest_p"]
    ('b', -6.0, 5, 0.0625, 0.0625)
    """
    trained = {name: own["train_loss"] for name, own in named.items() if own.get("train_loss")}
    if not trained:
        return []
    first = min(trained, key=lambda name: float(np.median(list(trained[name].values()))))
    pairs = []
    for measure, better in MEASURES.items():
        own = named[first].get(measure, {})
        others = {name: values.get(measure, {}) for name, values in named.items() if name != first}
        found = [
            {"first": first, "second": name, "measure": measure, **_compared(own, values, better)}
            for name, values in others.items()
            if own.keys() & values.keys()
        ]
        adjusted = holm([pair["p"] for pair in found])
        pairs += [{**pair, "p_adjusted": p} for pair, p in zip(found, adjusted, strict=True)]
    return pairs


def _compared(first: Series, second: Series, better: float) -> dict[str, Any]:
    """What two solvers' values at the same seeds say."""
    seeds = sorted(first.keys() & second.keys())
    differences = np.array([first[seed] - second[seed] for seed in seeds])
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


def signed_rank(differences: Sequence[float] | np.ndarray[Any, Any]) -> float:
    """Two-sided p-value that the differences are symmetric about zero; zeros say nothing.

    Exact up to 50 seeds, with ties up to 13; beyond, the normal approximation.

    Examples
    --------
    >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0]), signed_rank([0.0, 0.0])
    (0.0625, 1.0)
    """
    from scipy.stats import PermutationMethod, wilcoxon

    values = np.round(np.asarray(differences, dtype=float), 12)
    values = values[values != 0]
    if not len(values):
        return 1.0
    method: Any = "auto"
    if len(np.unique(np.abs(values))) < len(values):
        method = "asymptotic"
        if len(values) <= EXACT:
            method = PermutationMethod(n_resamples=2**EXACT)
    return float(wilcoxon(values, method=method).pvalue)


def smallest_p(seeds: int) -> float:
    """The least two-sided p-value of so many pairs: all differences of one sign.

    Examples
    --------
    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return float(min(1.0, 2.0 ** (1 - seeds)))


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm: in ascending order times m, m - 1, ..., never falling, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(1.0, np.maximum.accumulate(np.arange(len(p), 0, -1) * np.array(p)[order]))
    result = np.empty(len(p))
    result[order] = adjusted
    return [float(value) for value in result]
