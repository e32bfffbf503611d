"""Make text safe to show on a terminal or a page: nothing acts, everything is visible.

Names of files, classes, columns and variables are untrusted.  An escape sequence can recolour,
rewrite or rename a terminal; a direction override makes one name look like another.  All text for
people passes through this module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters except tab and line break
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks and overrides
    "\u200b\u2028\u2029\u2060\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e007f"  # unseen ones
    "\ud800-\udfff"  # lone surrogates: bytes of a file's name that are not UTF-8
    "]"
)
"""Characters that a terminal or a browser would execute rather than show."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""Escape characters in ``text`` that act, as in ``\x1b`` or ``\u202e``.

    With ``lines``, line breaks and tabs are kept; otherwise they are escaped too.

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
    r"""Apply ``written`` to every text of a JSON value, field names included.

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
    """Hide all credentials of Ocean's configuration in a JSON value or text.

    Without a loaded oracle, the value cannot contain one, so the credentials need not be loaded.

    Examples
    --------
    >>> without_credentials({"command": "qnn list"})
    {'command': 'qnn list'}
    """
    secrets = sys.modules.get("solvers.oracles.cloud.secrets")
    return value if secrets is None else secrets.Redactor().deep(value)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")
