"""Text as a terminal or a page may show it: nothing in it acts, everything in it can be seen.

Names of files, classes, columns and variables come from outside.  An escape sequence in one can
recolour, rewrite or rename a terminal; an override of the writing direction makes a name look like
another.  All text for people goes through here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line break
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of the direction
    "\u200b\u2028\u2029\u2060\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e007f"  # unseen
    "\ud800-\udfff"  # halves of a pair: bytes of a file's name that are not UTF-8
    "]"
)
"""What a terminal or a browser would do rather than show."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""``text`` with what acts written out, as ``\x1b`` or ``\u202e``.

    Line breaks and tabs may stay if it has ``lines``; of a name they are written out too.

    Examples
    --------
    >>> print(visible("iris\x1b[31m.csv"), visible("a\nb"))
    iris\x1b[31m.csv a\nb
    >>> visible("plain, ± 3 µs, 数据")
    'plain, ± 3 µs, 数据'
    """
    shown = ACTING.sub(_written, text)
    return shown if lines else shown.replace("\n", r"\n").replace("\t", r"\t")


def each_text(value: Any, written: Callable[[str], str] = visible) -> Any:
    r"""A JSON value with every text in it as ``written`` has it, names of fields included.

    Examples
    --------
    >>> each_text({"variant": "qcgd\x07", "seeds": [0, 1]})
    {'variant': 'qcgd\\x07', 'seeds': [0, 1]}
    """
    if isinstance(value, str):
        return written(value)
    if isinstance(value, Mapping):
        return {each_text(k, written): each_text(part, written) for k, part in value.items()}
    if isinstance(value, list | tuple):
        return [each_text(part, written) for part in value]
    return value


def without_credentials(value: Any) -> Any:
    """A JSON value, or a text, with every credential of Ocean's configuration hidden.

    What no oracle was loaded for cannot hold one, and is not worth the time of loading them.

    Examples
    --------
    >>> without_credentials({"command": "qnn list"})
    {'command': 'qnn list'}
    """
    secrets = sys.modules.get("solvers.oracles.cloud.secrets")
    return value if secrets is None else secrets.Redactor().deep(value)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")
