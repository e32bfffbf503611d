"""Schemas of files: JSON text and its fields, checked in one place.

A form is a function of a value and its place; it raises :class:`Misfit` if the value does not fit.
Each format has a form for its content and an :class:`ArrayForm` for each of its arrays, so that
readers need no further checks.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from os import PathLike
from reprlib import Repr
from typing import Any

import numpy as np

from formulations.checks import is_finite, is_number
from formulations.errors import FileFormatError
from formulations.files.bounded import damaged, read_regular, refuse_if_too_much

Form = Callable[[Any, str], None]
Optional = tuple[Form]
INT64 = 2**63 - 1

JSON_SHARE = 20
"""Approximate bytes of memory per byte of JSON text once it is parsed."""

# -- JSON -----------------------------------------------------------------------------------------


def parse_json(data: bytes, path: str | PathLike[str], what: str = "JSON") -> Any:
    """Parse JSON text in UTF-8; NaN, duplicate fields and excessive nesting are refused.

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
    formulations.errors.FileFormatError: 'run.json' is not JSON: the field 'seed' occurs...
    """

    refuse_if_too_much(path, JSON_SHARE * len(data))
    try:
        return loads(data)
    except ValueError as error:
        raise FileFormatError(
            f"{os.fspath(path)!r} is not {what}: {error}; check the path, or recreate the file"
        ) from error


def read_json(path: str | PathLike[str], what: str = "JSON") -> Any:
    """Return the content of a JSON file, see :func:`parse_json`.

    Raises
    ------
    FileAccessError
        If it cannot be read or would not fit in memory.
    FileFormatError
        If it is not JSON.
    """
    return parse_json(read_regular(path, JSON_SHARE), path, what)


def loads(data: bytes) -> Any:
    """Parse JSON text; ``ValueError`` with the reason if it is not JSON."""
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not text in UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"the field {counts.most_common(1)[0][0]!r} occurs twice")
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


# -- forms ----------------------------------------------------------------------------------------


class Misfit(ValueError):
    """A value that does not fit its form.

    Parameters
    ----------
    where : str
        Place of the value, such as ``layers[0].inputs``.
    found : object
    expected : str
    """

    def __init__(self, where: str, found: object, expected: str) -> None:
        short = Repr()
        short.maxstring = short.maxother = short.maxlong = 40
        short.maxlevel, short.maxlist, short.maxdict = 2, 4, 4
        super().__init__(f"{where} is {short.repr(found)}: expected {expected}")


def may(form: Form) -> Optional:
    """Mark a field that older files do not have."""
    return (form,)


def anything(value: Any, where: str) -> None:
    """Accept any value."""


def flag(value: Any, where: str) -> None:
    """Check that a value is true or false, not the number 1."""
    if not isinstance(value, bool):
        raise Misfit(where, value, "true or false")


def text(value: Any, where: str) -> None:
    """Check that a value is a text that UTF-8 can encode."""
    if not isinstance(value, str):
        raise Misfit(where, value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Misfit(where, value, "a text that UTF-8 can encode") from None


def whole(least: int = -INT64, most: int = INT64) -> Form:
    """Return the form of an integer; 1.0 and true are refused.

    Examples
    --------
    >>> whole(1)(True, "layers[0].inputs")
    Traceback (most recent call last):
    formulations.files.schema.Misfit: layers[0].inputs is True: expected an integer of at least 1
    """

    def check(value: Any, where: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            limits = f"of at least {least:,}" if most == INT64 else f"from {least:,} to {most:,}"
            raise Misfit(where, value, f"an integer {limits if least > -INT64 else ''}".rstrip())

    return check


def number(least: float = -inf, above: float = -inf) -> Form:
    """Return the form of a finite number, within limits if given."""

    def check(value: Any, where: str) -> None:
        good = is_number(value) and is_finite(value)
        if not good or value < least or value <= above:
            limit = f" above {above:g}" if above > -inf else ""
            limit = f" of at least {least:g}" if least > -inf else limit
            raise Misfit(where, value, f"a finite number{limit}")

    return check


def one_of(*options: Any) -> Form:
    """Return the form of one of ``options``, of the same type."""

    def check(value: Any, where: str) -> None:
        if not any(type(value) is type(option) and value == option for option in options):
            raise Misfit(where, value, " or ".join(map(repr, options)))

    return check


def nothing_or(form: Form) -> Form:
    """Return the form of null or a value of ``form``."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            form(value, where)

    return check


def items(form: Form, least: int = 0, most: int | None = None) -> Form:
    """Return the form of a list of values of ``form``."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise Misfit(where, value, "a list")
        if len(value) < least or (most is not None and len(value) > most):
            limits = f"{least}" if least == most else f"{least} or more"
            raise Misfit(where, value, f"a list of {limits}")
        for number, item in enumerate(value):
            form(item, f"{where}[{number}]")

    return check


def mapping(form: Form) -> Form:
    """Return the form of named fields, all values of ``form``."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Misfit(where, value, "named fields")
        for name, item in value.items():
            text(name, f"a name in {where}")
            form(item, f"{where}.{name}" if where else name)

    return check


def any_fields(value: Any, where: str) -> None:
    """Accept named fields of any content."""
    mapping(anything)(value, where)


def fields(table: Mapping[str, Form | Optional], *, more: bool = False) -> Form:
    """Return the form of named fields, each with its own form.

    Parameters
    ----------
    table : mapping of str to form
        Form of each field; ``may(form)`` if older files lack the field.
    more : bool
        True if further fields are accepted; they are not read.

    Examples
    --------
    >>> fields({"seed": whole(0)})({}, "")
    Traceback (most recent call last):
    formulations.files.schema.Misfit: the list of fields of the content is []: expected 'seed' too
    """

    def check(value: Any, where: str) -> None:
        any_fields(value, where)
        said = f"the list of fields of {where or 'the content'}"
        for name, form in table.items():
            if name in value:
                inner = form[0] if isinstance(form, tuple) else form
                inner(value[name], f"{where}.{name}" if where else name)
            elif not isinstance(form, tuple):
                raise Misfit(said, [*value], f"{name!r} too")
        for name in value:
            if not more and name not in table:
                raise Misfit(said, [*value], f"no {name!r}")

    return check


@dataclass(frozen=True)
class ArrayForm:
    """Type, shape and range required of an array in a file.

    Parameters
    ----------
    kinds : str
        NumPy's codes of the kinds of types accepted: ``b``, ``i``, ``u``, ``f``.
    shape : tuple of (int or None), optional
        Length of each axis, None for any length; None for any shape.
    finite : bool
        True if every number must be finite.
    """

    kinds: str = "biuf"
    shape: tuple[int | None, ...] | None = None
    finite: bool = True

    def check_head(self, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
        """Refuse the wrong shape or type of an array, before its numbers are read."""
        wanted = self.shape
        if kind.kind not in self.kinds or kind.itemsize > 8:
            words = {"b": "booleans", "i": "integers", "u": "integers", "f": "real numbers"}
            expected = " or ".join(dict.fromkeys(words[k] for k in self.kinds))
            raise Misfit(f"{name!r}", str(kind), f"an array of {expected}")
        if wanted is not None and (
            len(wanted) != len(shape)
            or any(w not in (None, length) for w, length in zip(wanted, shape, strict=True))
        ):
            lengths = ", ".join("any" if w is None else f"{w:,}" for w in wanted)
            raise Misfit(f"the shape of {name!r}", shape, f"({lengths})")

    def check(self, name: str, array: np.ndarray[Any, Any]) -> None:
        """Refuse numbers that are not finite."""
        if self.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Misfit(f"{name!r}", array[~np.isfinite(array)].flat[0], "finite numbers")


def checked(value: Any, form: Form, path: str | PathLike[str], where: str = "") -> Any:
    """Return ``value`` if it has the form.

    Raises
    ------
    FileFormatError
        Naming the file, the field and the expected value.
    """
    try:
        form(value, where)
    except Misfit as error:
        raise damaged(path, str(error)) from error
    except RecursionError:
        raise damaged(path, "its fields are nested too deeply") from None
    return value
