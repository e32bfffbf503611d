"""Leading solvers: best median, then best mean; several if both are equal."""

from __future__ import annotations

from collections.abc import Mapping

DIGITS = 9
"""Decimals to which figures are compared; the rest is rounding error."""


def leading(figures: Mapping[str, Mapping[str, float] | None], better: float = -1.0) -> list[str]:
    """Return the names that no other is ahead of, in the order given.

    ``figures`` maps each name to ``median`` and ``mean``, or to None if unknown. Results of older
    releases have no means; the median is used instead. ``better`` is -1 if less is better, 1 if
    more is.

    Examples
    --------
    >>> leading({"a": {"median": 2.0, "mean": 3.0}, "b": {"median": 2.0, "mean": 2.5}, "c": None})
    ['b']
    >>> leading({"a": {"median": 0.9}, "b": {"median": 0.9}, "c": {"median": 0.7}}, better=1.0)
    ['a', 'b']
    """
    keys = {
        name: tuple(
            round(better * of.get(figure, of["median"]), DIGITS) for figure in ("median", "mean")
        )
        for name, of in figures.items()
        if of
    }
    return [name for name, key in keys.items() if key == max(keys.values())]
