"""Shared and fixed weights of a layer, and the windows of convolutions.

The matrix of a layer with its column of thresholds, (outputs, inputs + 1), is read from a list of
stored weights,

    weight[j, i] = stored[numbers[j, i]]    or    levels[j, i] where numbers[j, i] = -1.

Only the stored weights have bits.  A convolution shares the weights of a filter among the positions
of its window, and all other weights are fixed at zero.  A pooling unit has weights fixed at +1 and
a fixed threshold: for inputs -1 and +1 and a window of K inputs, threshold 0 gives the majority and
threshold K - 1 the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Self

import numpy as np

from formulations.array_checks import check_integers
from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.checks import WIDEST, check_whole, shown
from formulations.errors import InvalidInputError


@dataclass(frozen=True)
class Window:
    """A window that slides over images of several channels, such as that of a convolution.

    Inputs and units are numbered by channel, row and column.

    Parameters
    ----------
    shape : (int, int, int)
        Channels, height and width of the images; height 1 for signals.
    filters : int
        Channels of the units.
    size, stride, padding : (int, int)
        Height and width; inputs beyond the edge of an image count as zero.
    groups : int
        Each group of filters sees an equal share of the channels; one filter per channel makes a
        pooling or a depthwise convolution.
    pooled : int or None
        Threshold of units whose weights are fixed at +1; None if weights are stored and trained.

    Examples
    --------
    >>> window = Window((1, 5, 5), filters=2, size=(3, 3), stride=(2, 2))
    >>> window.units, window.taps[0, 1].tolist()
    ((2, 2, 2), [2, 3, 4, 7, 8, 9, 12, 13, 14])
    """

    shape: tuple[int, int, int]
    filters: int
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    pooled: int | None = None

    def __post_init__(self) -> None:
        counts = {"shape": 3, "size": 2, "stride": 2, "padding": 2}
        for name, count in counts.items():
            numbers = getattr(self, name)
            if not isinstance(numbers, tuple) or len(numbers) != count:
                raise InvalidInputError(
                    f"{name}={shown(numbers)} of a window: expected {count} integers"
                )
            for number in numbers:
                check_whole(f"{name} of a window", number, int(name != "padding"), WIDEST)
        for name in ("filters", "groups"):
            check_whole(f"{name} of a window", getattr(self, name), 1, WIDEST)
        if self.pooled is not None:
            check_whole("threshold of a pooling", self.pooled, -WIDEST, WIDEST)
        channels, *sides = self.shape
        if channels % self.groups or self.filters % self.groups:
            raise InvalidInputError(
                f"{channels} channels and {self.filters} filters in {self.groups} groups: expected "
                "a divisor of both"
            )
        for side, size, padding in zip(sides, self.size, self.padding, strict=True):
            if size > side + 2 * padding or padding >= size:
                raise InvalidInputError(
                    f"a window of {'x'.join(map(str, self.size))} with padding {padding} on images "
                    f"of {'x'.join(map(str, sides))}: expected one that fits, and less padding "
                    "than the window is wide"
                )
        if not (self.taps >= 0).any(axis=1).all():
            raise InvalidInputError(f"{self}: some of its weights see only padding")
        width, height = int(np.prod(self.shape)), int(np.prod(self.units))
        most = 2**27  # a matrix of shared weights is written out where a layer is no convolution
        if max(width, height) > WIDEST or width * height > most:
            raise InvalidInputError(
                f"a convolution of {width:,} inputs and {height:,} units: expected at most "
                f"{most:,} pairs of these; take a stride, or fewer filters"
            )

    @property
    def units(self) -> tuple[int, int, int]:
        """Filters, height and width of the units."""
        down, across = (
            (side + 2 * padding - size) // stride + 1
            for side, size, stride, padding in zip(
                self.shape[1:], self.size, self.stride, self.padding, strict=True
            )
        )
        return self.filters, down, across

    @property
    def num_taps(self) -> int:
        """Number K of inputs of a unit."""
        return self.shape[0] // self.groups * self.size[0] * self.size[1]

    @cached_property
    def taps(self) -> IntArray:
        """Input of each tap, -1 beyond the edge; shape (groups, positions, K)."""
        _, height, width = self.shape
        places = []
        for side, size, stride, padding, count in zip(
            (height, width), self.size, self.stride, self.padding, self.units[1:], strict=True
        ):
            place = np.arange(count)[:, None] * stride - padding + np.arange(size)
            places.append(np.where((place >= 0) & (place < side), place, -1))
        rows, columns = places
        inside = (rows[:, None, :, None] >= 0) & (columns[None, :, None, :] >= 0)
        pixel = rows[:, None, :, None] * width + columns[None, :, None, :]
        channel = np.arange(self.shape[0]).reshape(self.groups, 1, 1, -1, 1, 1)
        found = np.where(
            inside[None, :, :, None], pixel[None, :, :, None] + channel * height * width, -1
        )
        return found.reshape(self.groups, self.units[1] * self.units[2], self.num_taps)

    @cached_property
    def first(self) -> tuple[IntArray, IntArray]:
        """A unit that uses each tap of each filter, and the input; shape (filters * K,) each."""
        groups, places = self.taps.shape[:2]
        place = (self.taps >= 0).argmax(axis=1)
        source = np.take_along_axis(self.taps, place[:, None], axis=1)[:, 0]
        group = np.arange(self.filters) // (self.filters // groups)
        unit = np.arange(self.filters)[:, None] * places + place[group]
        return unit.ravel(), source[group].ravel()

    def sums(self, a: FloatArray, kernel: FloatArray) -> FloatArray:
        """Compute weighted sums: (..., N, inputs), (..., filters, K) -> (..., N, units).

        Samples are processed in groups, since the patches of all samples may not fit in memory.
        """
        groups, places, taps = self.taps.shape
        kernel = kernel.reshape(*kernel.shape[:-2], 1, groups, -1, taps).swapaxes(-1, -2)
        lead = np.broadcast_shapes(a.shape[:-2], kernel.shape[:-4])
        found = np.empty((*lead, a.shape[-2], self.filters * places), dtype=a.dtype)
        # patches of about a million numbers at a time
        size = max(1, 2**20 // (self.taps.size * int(np.prod(lead, dtype=np.int64))))
        for start in range(0, a.shape[-2], size):
            block = a[..., start : start + size, :]
            if any(self.padding):
                block = np.concatenate([block, np.zeros_like(block[..., :1])], axis=-1)
            z = np.matmul(block[..., self.taps], kernel)  # (..., n, groups, places, filters)
            found[..., start : start + size, :] = z.swapaxes(-1, -2).reshape(*z.shape[:-3], -1)
        return found

    def __str__(self) -> str:
        """Return the words that :func:`~formulations.network.convolution.parse` reads."""
        size = "x".join(map(str, self.size))
        fields = [size, "x".join(map(str, self.stride)), "x".join(map(str, self.padding))]
        for number, usual in ((2, (0, 0)), (1, (1, 1))):
            same = self.size if self.pooled is not None and number == 1 else usual
            if len(fields) == number + 1 and (self.stride, self.padding)[number - 1] == same:
                fields.pop()
        if self.pooled is None:
            return ":".join(["conv", str(self.filters), *fields])
        kind = "max" if self.pooled else "majority"
        return ":".join(["pool", kind, *fields])


@dataclass(frozen=True, eq=False)
class Ties:
    """Shared and fixed weights of a layer, see :meth:`of_window` and :meth:`of_groups`.

    Two objects are equal if their arrays are.

    Parameters
    ----------
    numbers : ndarray of int32, shape (outputs, inputs + 1)
        Number of the stored weight of each weight and, in the last column, of each threshold; -1
        where fixed.
    levels : ndarray of int64, shape (outputs, inputs + 1)
        Levels of fixed weights; zero elsewhere.
    window : Window, optional
        Window of a convolution or a pooling.
    """

    numbers: Array
    levels: IntArray
    window: Window | None = field(default=None)

    def __post_init__(self) -> None:
        numbers = check_integers("numbers of shared weights", self.numbers)
        levels = check_integers("levels of fixed weights", self.levels)
        if numbers.ndim != 2 or numbers.shape[1] < 2 or levels.shape != numbers.shape:
            raise InvalidInputError(
                f"shared weights of shapes {numbers.shape} and {levels.shape}: expected "
                "(outputs, inputs + 1) of both"
            )
        if (np.diff(self.first, prepend=-1) < 1).any() or levels[numbers >= 0].any():
            raise InvalidInputError(
                "shared weights: expected numbers from 0 in the order of their first weights, -1 "
                "where fixed, and levels only where fixed; see Ties.numbered"
            )
        inner, last = (part[part >= 0] for part in (numbers[:, :-1], numbers[:, -1]))
        if self.is_threshold[inner].any() or not self.is_threshold[last].all():
            raise InvalidInputError("a threshold is tied to a weight: expected groups of one kind")

    @staticmethod
    def numbered(owner: Array) -> Array:
        """Number stored weights, named by any integers, by first appearance; -1 where fixed.

        Examples
        --------
        >>> Ties.numbered(np.array([[7, 2, -1], [2, 7, 4]])).tolist()
        [[0, 1, -1], [1, 0, 2]]
        """
        names, first, inverse = np.unique(owner, return_index=True, return_inverse=True)
        free = names >= 0
        rank = np.full(len(names), -1, dtype=np.int32)
        rank[np.flatnonzero(free)[np.argsort(first[free])]] = np.arange(free.sum())
        return rank[inverse].reshape(owner.shape)

    @staticmethod
    @lru_cache(maxsize=32)
    def of_window(window: Window, *, thresholds: bool = True) -> Ties:
        """Return the ties of a convolution or a pooling.

        Examples
        --------
        >>> Ties.of_window(Window((1, 1, 3), 1, (1, 2))).numbers.tolist()
        [[0, 1, -1, 2], [-1, 0, 1, 2]]
        """
        filters, places = window.filters, window.units[1] * window.units[2]
        inputs, taps = int(np.prod(window.shape)), window.num_taps
        group = np.arange(filters) // (filters // window.groups)
        at = window.taps[group]  # (filters, positions, K)
        f, p, k = np.nonzero(at >= 0)
        numbers = np.full((filters, places, inputs + 1), -1, dtype=np.int32)
        levels = np.broadcast_to(np.int64(0), numbers.shape)  # takes no memory
        if window.pooled is not None:
            levels = np.zeros(numbers.shape, dtype=np.int64)
            levels[f, p, at[f, p, k]] = 1
            levels[..., -1] = window.pooled
        else:
            size = taps + thresholds
            numbers[f, p, at[f, p, k]] = f * size + k
            if thresholds:
                numbers[..., -1] = (np.arange(filters) * size + taps)[:, None]
        shape = (filters * places, inputs + 1)
        return Ties(Ties.numbered(numbers.reshape(shape)), levels.reshape(shape), window)

    @classmethod
    def of_groups(cls, before: Ties, groups: Sequence[IntArray]) -> Self:
        """Tie further groups of weights; overlapping groups are merged.

        Parameters
        ----------
        before : Ties
        groups : sequence of ndarray of int, shape (n, 2)
            Neuron and input of the weights to share; a threshold has the number of inputs.
        """
        owner = before.numbers.copy()
        for group in groups:
            members = owner[group[:, 0], group[:, 1]]
            if (members < 0).any():
                raise InvalidInputError("a fixed weight is tied: expected stored weights")
            owner[np.isin(owner, members)] = members.min()
        return cls(cls.numbered(owner), before.levels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ties) or other.window != self.window:
            return False
        return np.array_equal(self.numbers, other.numbers) and np.array_equal(
            self.levels, other.levels
        )

    def __hash__(self) -> int:
        return hash((self.numbers.shape, self.window, self.numbers[:, 0].tobytes()))

    def __repr__(self) -> str:
        if self.window is not None:
            return f"Ties({self.window} of {'x'.join(map(str, self.window.shape))})"
        return f"Ties({len(self.first)} of {self.numbers.size} weights)"

    # -- the stored weights ------------------------------------------------------------------------

    @cached_property
    def first(self) -> IntArray:
        """First position of each stored weight in the flattened matrix with thresholds."""
        flat = self.numbers.ravel()
        first = np.full(int(flat.max()) + 1, -1, dtype=np.int64)
        places = np.flatnonzero(flat >= 0)[
            ::-1
        ]  # reversed, so that the first position is written last
        first[flat[places]] = places
        return first

    @cached_property
    def is_threshold(self) -> BoolArray:
        """Mask of the stored weights that are thresholds, shape (S,)."""
        width = self.numbers.shape[1]
        return np.asarray(self.first % width == width - 1)

    @cached_property
    def taps(self) -> BoolArray:
        """Mask of the weights that are not fixed at zero, shape (outputs, inputs)."""
        return np.asarray((self.numbers[:, :-1] >= 0) | (self.levels[:, :-1] != 0))

    def expand(self, stored: Array) -> Array:
        """Expand stored weights to the matrix: (..., S) -> (..., outputs, inputs + 1)."""
        padded = np.append(stored, np.zeros((*stored.shape[:-1], 1), dtype=stored.dtype), axis=-1)
        return np.asarray(padded[..., self.numbers] + self.levels)

    def kernel(self, matrix: Array) -> Array:
        """Read the filters of a window: (..., outputs, inputs) -> (..., filters, K)."""
        assert self.window is not None
        shape = (*matrix.shape[:-2], self.window.filters, self.window.num_taps)
        if self.window.pooled is not None:
            return np.ones(shape, dtype=matrix.dtype)
        return np.asarray(matrix[(..., *self.window.first)].reshape(shape))

    def stored(self, matrix: IntArray) -> IntArray | None:
        """Return the stored weights of a matrix with thresholds; None if it violates the ties."""
        found = matrix.ravel()[self.first]
        return found if np.array_equal(self.expand(found), matrix) else None
