"""Parsing and checking of option values."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import Any

import click

from formulations.errors import InvalidInputError


def layers(text: str) -> tuple[int | str, ...]:
    """Parse widths such as ``16-4-1`` or ``16,4,1``, also with convolutions; ``none`` is empty.

    Examples
    --------
    >>> layers("16-4-1"), layers("conv:8:3x3:2,pool:max:2,32"), layers("none")
    ((16, 4, 1), ('conv:8:3x3:2', 'pool:max:2', 32), ())
    """
    from formulations.network.convolution import check_parts

    if text == "none":
        return ()
    try:
        return tuple(check_parts(text.replace(",", "-").split("-")))
    except InvalidInputError as error:
        raise InvalidInputError(
            f"layers {text!r}: expected whole numbers between dashes, such as 16-4-1, with "
            f"convolutions as conv:8:3x3:2 or pool:max:2x2, or none ({error})"
        ) from None


def levels(text: str) -> int | str | None:
    """Parse the levels of the inputs; None for ``keep``, as :func:`qnn.load` expects."""
    from qnn.data.levels import level_count

    return level_count(_number_or_word(text))


def samples(text: str) -> int | None:
    """Parse a number of samples; None for ``all``, as :func:`qnn.load` expects."""
    from qnn.data.datasets import sample_count

    return sample_count(_number_or_word(text))


def _number_or_word(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def numbers(text: str) -> list[float]:
    """Parse comma-separated finite numbers."""
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        found = [inf]
    if not all(map(isfinite, found)):
        raise InvalidInputError(f"{text!r}: expected numbers between commas, as 0.1,1")
    return found


def names(text: str) -> list[str]:
    """Parse comma-separated words."""
    return [word.strip() for word in text.split(",")]


def bias(text: str) -> bool | str:
    """Parse the thresholds' code: none, the code of the weights, or a code of their own."""
    return {"none": False, "same": True}.get(text, text)


def at_least(least: float, *, more: bool = False, most: float = inf) -> Callable[..., Any]:
    """Return a callback that refuses numbers out of bounds; with ``more``, ``least`` too."""

    def check(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        inside = value is None or (least <= value <= most and (value > least or not more))
        if inside and value != inf:
            return value
        bound = f"{'above' if more else 'of at least'} {least:g}"
        bound = bound if most == inf else f"from {least:g} to {most:,.0f}"
        raise InvalidInputError(f"{parameter.name}={value!r}: expected a number {bound}")

    return check
