"""What a file of our own has to look like: JSON text, and a table of its fields, checked once."""

from __future__ import annotations

import json
import os
from collections import Counter
from math import isfinite
from os import PathLike
from typing import Any

from formulations.bounded import read_regular, refuse_if_too_much
from formulations.errors import FileFormatError

JSON_SHARE = 20
"""Bytes of memory that a byte of JSON may take once it is parsed, about."""

# -- JSON -----------------------------------------------------------------------------------------


def parse_json(data: bytes, path: str | PathLike[str], what: str = "JSON") -> Any:
    """The content of a JSON text in UTF-8: no NaN, no field twice, no nesting without end.

    Raises
    ------
    FileFormatError
        Naming the file and what is wrong with it.

    Examples
    --------
    >>> parse_json(b'{"seed": 0}', "run.json")
    {'seed': 0}
    >>> parse_json(b'{"seed": 0, "seed": 1}', "run.json")
    Traceback (most recent call last):
    formulations.errors.FileFormatError: 'run.json' is not JSON: the field 'seed' is...
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            raise ValueError(f"the field {counts.most_common(1)[0][0]!r} is there twice")
        return content

    def no_number(text: str) -> Any:
        raise ValueError(f"{text} is not a number of JSON")

    def finite(text: str) -> float:
        value = float(text)
        if not isfinite(value):
            raise ValueError(f"{text} is too large for a number")
        return value

    refuse_if_too_much(path, JSON_SHARE * len(data))
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique,
            parse_float=finite,
            parse_constant=no_number,
        )
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError as error:
        reason = f"it is not text in UTF-8 ({error.reason} at byte {error.start})"
    except ValueError as error:
        reason = str(error)
    raise FileFormatError(
        f"{os.fspath(path)!r} is not {what}: {reason}; check the path, or make the file anew"
    )


def read_json(path: str | PathLike[str], what: str = "JSON") -> Any:
    """The content of a JSON file, see :func:`parse_json`.

    Raises
    ------
    FileAccessError
        If it cannot be read or would not fit in memory.
    FileFormatError
        If it is not JSON.
    """
    return parse_json(read_regular(path, JSON_SHARE), path, what)
