"""Who leads: the best median, of equal medians the best mean, and several where both are equal."""

from __future__ import annotations

from collections.abc import Mapping

DIGITS = 9
"""Decimals to which figures are compared: the rest is rounding."""


def leading(figures: Mapping[str, Mapping[str, float] | None], better: float = -1.0) -> list[str]:
    """The names of those that no other is ahead of, in the order given.

    ``figures`` have by name ``median`` and ``mean``, or None where nothing is known. Results of
    older releases have no means; their medians stand for them. ``better`` is -1 where less is
    better, 1 where more is.

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
