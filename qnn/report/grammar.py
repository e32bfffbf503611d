"""Small parts of English."""

from __future__ import annotations

import re
from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names as English lists them; what has a comma of its own goes on in brackets.

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
    """A number and its noun.

    Examples
    --------
    >>> counted(1, "draw"), counted(2_000, "draw")
    ('1 draw', '2,000 draws')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def at_most(p: float, count: int) -> str:
    return f"{p:.2g}" if count == 1 else f"at most {p:.2g}"


def sentence(text: str) -> str:
    """Ends with a full stop, and begins with a capital unless a solver's name comes first."""
    first = text.split(" ", 1)[0]
    begins = first.capitalize() if first in ("on", "whether", "which") else first
    return f"{begins}{text[len(first) :]}."
