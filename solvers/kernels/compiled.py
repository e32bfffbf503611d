"""Compilation of the inner loops, without the interpreter lock and cached on disk.

Compiled Python lacks some instructions: to change and compare many lanes at once, and to find a
bit.  They are written in LLVM's own language, which is compiled for each processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.typing.templates import infer_global
from numba.extending import intrinsic, models, register_model

from formulations.arrays import Array

LANES = 64
"""Samples compared at once; rows of samples are padded to a multiple of it."""

GROUP = 8
"""Units changed at once; lines of several units are padded to a multiple of it."""

u64: Any = np.uint64
"""Type of offsets and counters in flat arrays: a Python index could be negative, and testing for
that in each lane takes longer than the sweep."""

Typed = tuple[types.Type, Callable[..., Any]]


class _Inner(types.Dispatcher):  # type: ignore[misc]
    """Type of a function that only compiled functions call, once for each kind of numbers."""

    def __init__(self, dispatcher: Any) -> None:
        super().__init__(dispatcher)
        self.kept = dispatcher  # The base class refers to it weakly.

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        """Compile for an integer what is called with one that is written out."""
        return super().get_call_type(context, [types.unliteral(kind) for kind in args], kws)


register_model(_Inner)(models.OpaqueModel)


def compiled(
    counts: bool = True, inner: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function by numba, cached on disk if a folder is writable.

    A cached function is recompiled when its own file changes, but not when a function that it calls
    from another file changes: in development, remove ``__pycache__`` then.

    Parameters
    ----------
    counts : bool
        Whether references to arrays are counted, which functions that make arrays or views need.
        In others, called millions of times a second, it would take longer than the work.
    inner : bool
        Whether only compiled functions call it.  That takes less time to compile: nothing unpacks
        Python objects, and a number that a caller writes out is no type of its own.
    **options
        Options of ``numba.njit``.

    Examples
    --------
    >>> @compiled()
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        flags = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True} if inner else {"nogil": True}
        flags |= {"_nrt": counts, **options}
        try:
            decorated = njit(cache=True, **flags)(function)
        except RuntimeError:  # no writable cache folder, neither beside the file nor at home
            decorated = njit(**flags)(function)
        if not inner:
            return decorated  # type: ignore[no-any-return]
        infer_global(function, _Inner(decorated))
        return function

    return decorate


def _lanes(context: Any, builder: Any, kind: Any, array: Any, place: Any, count: int) -> Any:
    """Return a pointer to ``count`` lanes of an array, from ``place`` on."""
    data = context.make_array(kind)(context, builder, array).data
    lanes = ir.VectorType(context.get_value_type(kind.dtype), count)
    return builder.bitcast(builder.gep(data, [place]), lanes.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, place: Any, count: int) -> Any:
    """Load ``count`` lanes of an array, from ``place`` on."""
    pointer = _lanes(context, builder, kind, array, place, count)
    return builder.load(pointer, align=kind.dtype.bitwidth // 8)


def _spread(builder: Any, number: Any, lanes: Any) -> Any:
    """Spread a number, cut to the lanes' type, over all lanes."""
    width = lanes.element.width
    if width < number.type.width:
        number = builder.trunc(number, lanes.element)
    one = builder.insert_element(ir.Constant(lanes, ir.Undefined), number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
    return builder.shuffle_vector(one, ir.Constant(lanes, ir.Undefined), zeros)


@intrinsic
def _unequal(typing: Any, values: Any, x: Any, y: Any) -> Typed:
    """Set bit s of the result if values[x + s] != values[y + s], s < LANES."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, (array, x, y) = signature.args[0], arguments
        left, right = (_load(context, builder, kind, array, at, LANES) for at in (x, y))
        return builder.bitcast(builder.icmp_signed("!=", left, right), ir.IntType(LANES))

    return types.uint64(values, types.int64, types.int64), generate


def _cast(builder: Any, value: Any, lanes: Any) -> Any:
    """Convert whole numbers to wider or narrower ones."""
    if value.type.element.width < lanes.element.width:
        return builder.sext(value, lanes)
    return value if value.type == lanes else builder.trunc(value, lanes)


def _two_steps(builder: Any, before: Any, added: Any, numbers: Sequence[Any]) -> list[Any]:
    """Return steps of ``before`` and before + factor added; numbers: factor, low, high, shift."""
    lanes, steps = before.type, []
    factor, low, high, shift = (_spread(builder, number, lanes) for number in numbers)
    after = builder.add(before, builder.mul(factor, _cast(builder, added, lanes)))
    for value in (before, after):
        value = builder.select(builder.icmp_signed("<", value, low), low, value)
        value = builder.select(builder.icmp_signed(">", value, high), high, value)
        steps.append(builder.lshr(builder.sub(value, low), shift))
    return steps


@intrinsic
def _clipped_apart(
    typing: Any, z: Any, o: Any, x: Any, i: Any, factor: Any, low: Any, high: Any, shift: Any
) -> Typed:
    """Set bit s of the result if z[o + s] and z[o + s] + factor x[i + s] are in different steps.

    A step of z is (clip(z, low, high) - low) >> shift.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        z, o, x, i, *numbers = arguments
        before = _load(context, builder, signature.args[0], z, o, LANES)
        added = _load(context, builder, signature.args[2], x, i, LANES)
        steps = _two_steps(builder, before, added, numbers)
        return builder.bitcast(builder.icmp_signed("!=", *steps), ir.IntType(LANES))

    whole = types.int64
    return types.uint64(z, whole, x, whole, whole, whole, whole, whole), generate


@intrinsic
def add_new_steps(
    typing: Any, out: Any, k: Any, base: Any, b: Any, weight: Any,
    z: Any, o: Any, x: Any, i: Any, factor: Any, low: Any, high: Any, shift: Any,
) -> Typed:  # fmt: skip
    """out[k + s] = base[b + s] + weight (step of z[o + s] + factor x[i + s] - step of z[o + s])."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (out, k, base, b, weight, z, o, x, i, *numbers), kinds = arguments, signature.args
        before = _load(context, builder, kinds[5], z, o, LANES)
        added = _load(context, builder, kinds[7], x, i, LANES)
        steps, lanes = _two_steps(builder, before, added, numbers), before.type
        change = builder.mul(_spread(builder, weight, lanes), builder.sub(*steps[::-1]))
        old = _cast(builder, _load(context, builder, kinds[2], base, b, LANES), lanes)
        place = _lanes(context, builder, kinds[0], out, k, LANES)
        new = _cast(builder, builder.add(old, change), place.type.pointee)
        builder.store(new, place, align=kinds[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    n = types.int64
    return types.void(out, n, base, n, n, z, n, x, n, n, n, n, n), generate


@intrinsic
def _add_group(typing: Any, out: Any, o: Any, x: Any, i: Any, factor: Any, w: Any, j: Any) -> Typed:
    """Set out[o + c] = x[i + c] + factor w[j + c], c < GROUP, all of one type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (out, o, x, i, factor, w, j), kinds = arguments, signature.args
        first = _load(context, builder, kinds[2], x, i, GROUP)
        second = _load(context, builder, kinds[5], w, j, GROUP)
        total = builder.add(first, builder.mul(_spread(builder, factor, first.type), second))
        place = _lanes(context, builder, kinds[0], out, o, GROUP)
        builder.store(total, place, align=kinds[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(out, whole, x, whole, whole, w, whole), generate


def _two_pieces(builder: Any, z: Any, own: Any, numbers: Sequence[Any]) -> Any:
    """Return slope m + (m >= start) (slope_added m + added), m = z if ``own``, else shift - z."""
    shift, slope, start, slope_added, added = (
        _spread(builder, number, z.type) for number in numbers
    )
    margin = builder.select(own, z, builder.sub(shift, z))
    more = builder.add(builder.mul(slope_added, margin), added)
    reached = builder.icmp_signed(">=", margin, start)
    more = builder.select(reached, more, ir.Constant(z.type, None))
    return builder.add(builder.mul(slope, margin), more)


def _sum(builder: Any, value: Any) -> Any:
    """Sum the lanes in twice their width, as a 64-bit whole number."""
    lanes = value.type
    wide = ir.VectorType(ir.IntType(min(64, 2 * lanes.element.width)), lanes.count)
    if wide != lanes:
        value = builder.sext(value, wide)
    name = f"llvm.vector.reduce.add.v{lanes.count}i{wide.element.width}"
    kind = ir.FunctionType(wide.element, [wide])
    total = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [value])
    whole = ir.IntType(64)
    return total if total.type == whole else builder.sext(total, whole)


@intrinsic
def two_pieces_apart(
    typing: Any, x: Any, i: Any, y: Any, j: Any, labels: Any, k: Any,
    shift: Any, slope: Any, start: Any, slope_added: Any, added: Any,
) -> Typed:  # fmt: skip
    """Sum a two-piece loss of one output over ``LANES`` samples, at x[i + s] less at y[j + s].

    The type of x must hold twice each loss.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x, i, y, j, labels, k, *numbers), kinds = arguments, signature.args
        label = _load(context, builder, kinds[4], labels, k, LANES)
        own = builder.icmp_signed("==", label, ir.Constant(label.type, [1] * LANES))
        after, before = (
            _two_pieces(builder, _load(context, builder, kind, z, at, LANES), own, numbers)
            for kind, z, at in ((kinds[0], x, i), (kinds[2], y, j))
        )
        return _sum(builder, builder.sub(after, before))

    w = types.int64
    return w(x, w, y, w, labels, w, w, w, w, w, w), generate


def _two_piece_lines(count: int) -> Any:
    """Sum a two-piece loss of the margin over a group of ``count`` outputs."""

    @intrinsic
    def two_pieces(
        typing: Any, x: Any, i: Any, own: Any, shift: Any,
        slope: Any, start: Any, slope_added: Any, added: Any,
    ) -> Typed:  # fmt: skip
        """Sum slope m + (m >= start) (slope_added m + added), m = x[i + own], shift - x[i + c].

        The type of x must hold each term.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, i, own, *numbers = arguments
            z = _load(context, builder, signature.args[0], x, i, count)
            lanes = z.type
            order = ir.Constant(lanes, list(range(count)))
            own = builder.icmp_signed("==", order, _spread(builder, own, lanes))
            return _sum(builder, _two_pieces(builder, z, own, numbers))

        w = types.int64
        return w(x, w, w, w, w, w, w, w), generate

    return two_pieces


two_pieces_of_8, two_pieces_of_16 = _two_piece_lines(8), _two_piece_lines(16)


@intrinsic
def _lowest_bit(typing: Any, word: Any) -> Typed:
    """Return the number of a word's lowest set bit; LANES if none is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def _bits(typing: Any, word: Any) -> Typed:
    """Count the set bits of a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@compiled(counts=False, inner=True, forceinline=True)
def add_line(
    out: Array, o: int, x: Array, i: int, factor: int, w: Array, j: int, size: int
) -> None:
    """Set out[o + c] = x[i + c] + factor w[j + c], c < size: 1, or a multiple of ``GROUP``."""
    if size == 1:
        out[u64(o)] = x[u64(i)] + factor * w[u64(j)]
    else:
        for c in range(0, size, GROUP):
            _add_group(out, o + c, x, i + c, factor, w, j + c)


@compiled(counts=False, inner=True, forceinline=True)
def _list_bits(word: int, start: int, found: Array, number: int) -> int:
    """Write ``start`` + the place of each bit to ``found`` from ``number`` on; return the end.

    Four are always written at a time, because processors mispredict the end of short loops too
    often.
    """
    end, one = number + _bits(word), u64(1)
    while number < end:
        for place in range(4):
            found[u64(number + place)] = start + _lowest_bit(word)
            word &= word - one
        number += 4
    return int(end)


@compiled(counts=False, inner=True)
def list_unequal(values: Array, x: int, y: int, count: int, found: Array) -> int:
    """Write the s < count with values[x + s] != values[y + s] to ``found``; return how many.

    ``count`` is a multiple of ``LANES``, and ``values`` one-dimensional without gaps; ``found`` has
    room for three more.
    """
    number = 0
    for start in range(0, count, LANES):
        number = _list_bits(_unequal(values, x + start, y + start), start, found, number)
    return number


@compiled(counts=False, inner=True, forceinline=True)
def list_new_steps(
    z: Array,
    o: int,
    x: Array,
    i: int,
    factor: int,
    low: int,
    high: int,
    shift: int,
    count: int,
    found: Array,
) -> int:
    """Like ``list_unequal``, for each s whose step changes as z[o + s] grows by factor x[i + s].

    A step of z is (clip(z, low, high) - low) >> shift.
    """
    number = 0
    for start in range(0, count, LANES):
        word = _clipped_apart(z, o + start, x, i + start, factor, low, high, shift)
        number = _list_bits(word, start, found, number)
    return number


@compiled(counts=False, inner=True)
def assign(to: Array, values: Array) -> None:
    """Copy an array into another; a slice would compile the messages of all possible errors."""
    for k in range(len(values)):
        to[k] = values[k]


@compiled(counts=False, inner=True)
def search(values: Array, first: int, stop: int, wanted: int) -> int:
    """Return the first place from ``first`` on, before ``stop``, of a number of at least this."""
    while first < stop:
        middle = (first + stop) >> 1
        if values[middle] < wanted:
            first = middle + 1
        else:
            stop = middle
    return first


@compiled(counts=False, inner=True)
def draw(state: np.uint64) -> np.uint64:
    """Draw the next number of xorshift64."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state
