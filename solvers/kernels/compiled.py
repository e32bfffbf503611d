"""How the inner loops are compiled: without the interpreter's lock, and kept on disk.

Two instructions are missing from compiled Python: to compare 64 lanes at once, and to find a bit.
They are written in LLVM's own language, which every processor translates to what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from formulations.arrays import Array

LANES = 64
"""Samples that are compared at once; rows of samples are padded to a multiple of it."""

u64: Any = np.uint64
"""An offset or a counter in a flat array: an index of Python's could be negative, and to test for
that in each lane takes longer than the sweep."""

Typed = tuple[types.Type, Callable[..., Any]]


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function by numba, cached on disk where there is a folder that can be written.

    A cached function is compiled again when its own file changes, not when a function that it
    calls from another file does: in development, remove ``__pycache__`` then.

    Parameters
    ----------
    **options
        Of ``numba.njit``.

    Examples
    --------
    >>> @compiled()
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            decorated = njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no place for the cache: neither beside the file nor at home
            decorated = njit(nogil=True, **options)(function)
        return decorated  # type: ignore[no-any-return]

    return decorate


@intrinsic
def _unequal(typing: Any, values: Any, x: Any, y: Any) -> Typed:
    """Bit s of the result: whether values[x + s] != values[y + s], s < LANES."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        element = context.get_value_type(signature.args[0].dtype)
        lanes = ir.VectorType(element, LANES).as_pointer()

        def load(place: Any) -> Any:
            pointer = builder.bitcast(builder.gep(array.data, [place]), lanes)
            return builder.load(pointer, align=element.width // 8)

        differ = builder.icmp_signed("!=", load(arguments[1]), load(arguments[2]))
        return builder.bitcast(differ, ir.IntType(LANES))

    return types.uint64(values, types.int64, types.int64), generate


@intrinsic
def _lowest_bit(typing: Any, word: Any) -> Typed:
    """Number of the lowest bit that is set in a word that is not zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def _bits(typing: Any, word: Any) -> Typed:
    """How many bits of a word are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@compiled(inline="always")
def list_unequal(values: Array, x: int, y: int, count: int, most: int, found: Array) -> int:
    """Write the s < count with values[x + s] != values[y + s] to ``found``; return how many.

    Where they are more than ``most`` they are only counted.  ``count`` is a multiple of ``LANES``,
    and ``values`` one-dimensional without gaps.
    """
    number, one = 0, u64(1)
    for start in range(0, count, LANES):
        number += _bits(_unequal(values, x + start, y + start))
    if 0 < number <= most:
        number = 0
        for start in range(0, count, LANES):
            word = _unequal(values, x + start, y + start)
            while word != 0:
                found[number] = start + _lowest_bit(word)
                number += 1
                word &= word - one
    return number
