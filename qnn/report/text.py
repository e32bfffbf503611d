"""Figures, and small pieces of English, formatted for readers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "-"


def number(value: Any, form: str = "{:g}") -> str:
    """Format a figure, or a dash if there is none.

    Examples
    --------
    >>> number(12.5), number(None), number(0.25, "{:.1%}")
    ('12.5', '-', '25.0%')
    """
    return NONE if value is None else form.format(value)


def whole(value: Any) -> str:
    """Format a count, or a dash if there is none.

    Examples
    --------
    >>> whole(12_000), whole(0), whole(None)
    ('12,000', '-', '-')
    """
    return f"{value:,}" if value else NONE


def seconds(value: Any) -> str:
    """Format seconds to about three digits.

    Examples
    --------
    >>> [seconds(value) for value in (None, 0.0123, 1.234, 123.4, 1234.5)]
    ['-', '0.012', '1.23', '123', '1,234']
    """
    if value is None:
        return NONE
    return f"{value:,.{3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0}f}"


def quartiles(value: Mapping[str, float] | None, form: str = "{:.4g}") -> str:
    """Format a median, with the quartiles in brackets if they differ.

    Examples
    --------
    >>> quartiles({"median": 6.0, "low": 5.0, "high": 7.0}), quartiles(None)
    ('6 (5 to 7)', '-')
    """
    if value is None:
        return NONE
    low, median, high = (
        form.format(value[name]).replace("+0", "0", value[name] == 0)
        for name in ("low", "median", "high")
    )
    return median if low == high else f"{median} ({low} to {high})"


def p_value(p: float | None) -> str:
    """Format a p-value to two digits.

    Examples
    --------
    >>> [p_value(p) for p in (None, 1.0, 0.03125, 0.00004)]
    ['-', '1', '0.031', '< 0.0001']
    """
    if p is None:
        return NONE
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def options(values: Mapping[str, Any]) -> str:
    """List the options that are set, separated by commas.

    Examples
    --------
    >>> options({"flips": 20_000, "time_limit": 2.0, "target": None, "oracle_option": []})
    'flips 20,000, time limit 2 seconds'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {_said(value)}{' seconds' * (name == 'time_limit')}"
        for name, value in values.items()
        if value is not None and value != []
    )


def _said(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def widths(cell: Mapping[str, Any] | None) -> str:
    """Format a network's widths.

    Examples
    --------
    >>> widths({"widths": [16, 4, 1]}), widths(None)
    ('16-4-1', '')
    """
    return "-".join(str(width) for width in (cell or {}).get("widths") or ())


# -- English --------------------------------------------------------------------------------------


def listed(names: Sequence[str], most: int = 8) -> str:
    """List names in English; the part of a name after a comma goes into brackets.

    Examples
    --------
    >>> listed(["qcgd"]), listed(["a", "b", "c"]), listed(list("abcdef"), most=3)
    ('qcgd', 'a, b and c', 'a, b, c and 3 others')
    >>> listed(["penalty, best of 4"]), listed(["penalty, best of 4", "random"])
    ('penalty, best of 4', 'penalty (best of 4) and random')
    """
    if len(names) > 1:
        names = [re.sub(", (.*)", r" (\1)", name) for name in names]
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def counted(number: int, noun: str) -> str:
    """Format a number and its noun.

    Examples
    --------
    >>> counted(1, "draw"), counted(2_000, "draw")
    ('1 draw', '2,000 draws')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def at_most(p: float, count: int) -> str:
    return f"{p:.2g}" if count == 1 else f"at most {p:.2g}"


def sentence(text: str) -> str:
    """Add a full stop, and capitalise the first letter unless a solver's name comes first."""
    first = text.split(" ", 1)[0]
    begins = first.capitalize() if first in ("on", "whether", "which") else first
    return f"{begins}{text[len(first) :]}."
