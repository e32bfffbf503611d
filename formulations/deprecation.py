"""Old keywords of constructors, which work for one release with a ``DeprecationWarning``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from functools import wraps
from typing import Any, TypeVar

from formulations.errors import InvalidInputError

T = TypeVar("T")


def renamed(**old: str | None) -> Callable[[type[T]], type[T]]:
    """Class decorator: let a dataclass's constructor accept old keywords.

    Parameters
    ----------
    **old : str or None
        New name of each old keyword; ``"group.field"`` if it is now a field of the option
        ``group``, whose default is a dataclass; None if it no longer has an effect.

    Raises
    ------
    InvalidInputError
        Raised by the constructor if an old keyword and its new name are both given.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Cooling:
    ...     first: float = 1.0
    ...     last: float = 0.1
    >>> @renamed(start="cooling.first", number="seed", unused=None)
    ... @dataclass(frozen=True)
    ... class Solver:
    ...     cooling: Cooling = Cooling()
    ...     seed: int = 0
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     Solver(start=5.0, number=3, unused=True)
    Solver(cooling=Cooling(first=5.0, last=0.1), seed=3)
    >>> print(*(warning.message for warning in caught), sep="\\n")
    Solver(start=...) is deprecated: use cooling=Cooling(first=...)
    Solver(number=...) is deprecated: use seed=...
    Solver(unused=...) is deprecated and has no effect
    """

    def decorate(cls: type[T]) -> type[T]:
        init: Callable[..., None] = cls.__init__

        @wraps(init)
        def construct(self: Any, *args: Any, **given: Any) -> None:
            for keyword in [name for name in old if name in given]:
                value, new = given.pop(keyword), old[keyword]
                used = f"{cls.__name__}({keyword}=...) is deprecated"
                if new is None:
                    advice = f"{used} and has no effect"
                elif "." in new:
                    group, field = new.split(".")
                    whole = given.get(group, _default(cls, group))
                    given[group] = replace(whole, **{field: value})
                    advice = f"{used}: use {group}={type(whole).__name__}({field}=...)"
                elif new in given:
                    raise InvalidInputError(f"{keyword} is the old name of {new}: give only {new}")
                else:
                    given[new] = value
                    advice = f"{used}: use {new}=..."
                warnings.warn(advice, DeprecationWarning, stacklevel=2)
            init(self, *args, **given)

        cls.old_keywords = old  # type: ignore[attr-defined]
        cls.__init__ = construct  # type: ignore[method-assign]
        return cls

    return decorate


def _default(cls: Any, name: str) -> Any:
    """Return the default of a dataclass's field."""
    field = next(field for field in fields(cls) if field.name == name)
    return field.default if field.default_factory is MISSING else field.default_factory()
