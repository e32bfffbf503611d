"""Weight codes: affine maps from stored bits to integer weight levels.

``level = offset + sum_b coefficients[b] * bit_b``, and the real weight is ``step * level``.  A
one-hot code also requires that exactly one of its bits is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_array, check_integers
from formulations.arrays import BitArray, IntArray
from formulations.checks import check_number, check_whole, choose, shown
from formulations.errors import InvalidInputError
from formulations.network import vocabulary

MOST = 1_000_000
"""Largest level of a code."""

MOST_BITS, MOST_WORDS, WIDEST_INTEGER = 16, 4096, 32
"""Most bits of a code with additive bits and of a one-hot code, whose words are all listed, and of
an integer code, whose words are not."""


@dataclass(frozen=True)
class WeightCode:
    """An affine map from bits to integer weight levels.

    Parameters
    ----------
    name : str
        Name of the code, as the user gave it.
    coefficients : tuple of int
        Change of the level when a bit is set, one entry per bit.
    offset : int
        Level when all bits are zero.
    step : float
        Real weight of one level.
    one_hot : bool
        True if exactly one bit must be set.

    Examples
    --------
    >>> uniform(2).levels.tolist()
    [-3, -1, 1, 3]
    >>> uniform(2).decode(np.array([1, 0])).item()
    -1
    """

    name: str
    coefficients: tuple[int, ...]
    offset: int
    step: float = 1.0
    one_hot: bool = False

    def __post_init__(self) -> None:
        name = f"weight code {shown(self.name)}"
        if not isinstance(self.name, str) or not isinstance(self.one_hot, bool):
            raise InvalidInputError(
                f"{name}, one_hot={shown(self.one_hot)}: expected a text, and true or false"
            )
        if isinstance(self.name, str) and self.name.startswith("integer:"):
            self._check_integer(name)
            return
        most = MOST_WORDS if self.one_hot else MOST_BITS
        if not isinstance(self.coefficients, tuple) or not 1 <= len(self.coefficients) <= most:
            raise InvalidInputError(
                f"{name}: coefficients {shown(self.coefficients)}: expected a tuple of 1 to {most} "
                "integers, one for each bit"
            )
        for number in (*self.coefficients, self.offset):
            check_whole(f"{name}: a level's part", number, -2 * MOST, 2 * MOST)
        check_number(f"{name}: step", self.step)
        reach = max(abs(self.low), abs(self.high))
        if reach > MOST:
            raise InvalidInputError(
                f"{name} reaches the level {reach:,}: expected levels up to {MOST:,}"
            )

    def _check_integer(self, name: str) -> None:
        """Refuse a code that is called integer but is not two's complement."""
        given = self.coefficients if isinstance(self.coefficients, tuple) else ()
        bits = check_whole(f"{name}: bits", len(given), 1, WIDEST_INTEGER)
        good = (f"integer:{bits}", _powers(bits), -(2 ** (bits - 1)), 1, False)
        if (self.name, given, self.offset, self.step, self.one_hot) != good:
            raise InvalidInputError(
                f"{name} of coefficients {shown(given)} and offset {shown(self.offset)}: expected "
                f"{shown(good[1])} and {good[2]} of step 1; give a different code a different name"
            )

    @property
    def is_integer(self) -> bool:
        """True if the levels are all integers of a two's-complement word, see :func:`integer`.

        Thresholds with such a code are added to the pre-activation with unit 1.  ``AUTO`` counts as
        such a code.
        """
        return self.name.startswith("integer:") or self == AUTO

    @property
    def bits(self) -> int:
        """Number of bits per weight."""
        return len(self.coefficients)

    @property
    def levels(self) -> IntArray:
        """All levels of the code in ascending order, shape (L,)."""
        if self.is_integer and self != AUTO:
            return np.arange(self.low, self.high + 1)
        if self.one_hot:
            return np.unique(self.offset + np.array(self.coefficients, dtype=np.int64))
        sums = np.zeros(1, dtype=np.int64)
        for coefficient in self.coefficients:
            sums = np.concatenate([sums, sums + coefficient])
        return np.unique(sums + self.offset)

    @property
    def stored_bits(self) -> int:
        """Bits of a stored weight: enough to number all words.

        Examples
        --------
        >>> uniform(3).stored_bits, codebook([-4, -1, 1, 4]).stored_bits
        (3, 2)
        """
        return (self.bits - 1).bit_length() if self.one_hot else self.bits

    @property
    def low(self) -> int:
        """Smallest level."""
        change = self.coefficients
        return self.offset + (min(change) if self.one_hot else sum(c for c in change if c < 0))

    @property
    def high(self) -> int:
        """Largest level."""
        change = self.coefficients
        return self.offset + (max(change) if self.one_hot else sum(c for c in change if c > 0))

    def decode(self, bits: npt.ArrayLike) -> IntArray:
        """Return the levels of bit vectors, shape (..., bits) -> (...)."""
        bits = np.asarray(bits, dtype=np.int64)
        return np.asarray(self.offset + bits @ np.array(self.coefficients, dtype=np.int64))

    def encode(self, levels: npt.ArrayLike) -> BitArray:
        """Return bits of levels, shape (...) -> (..., bits): the first word if there are several.

        Raises
        ------
        InvalidInputError
            If a level does not belong to the code.
        """
        levels = check_integers(f"weights in the code {self.name!r}", levels, "its integer levels")
        if self.is_integer and self != AUTO:
            return self._encode_integers(levels)
        words = self.words
        values = self.decode(words)
        order = np.argsort(values, kind="stable")
        values, words = values[order], words[order]
        position = np.searchsorted(values, levels)
        inside = np.minimum(position, len(values) - 1)
        if not np.array_equal(values[inside], levels):
            bad = levels[values[inside] != levels].flat[0]
            raise InvalidInputError(
                f"weight level {bad} does not belong to the code {self.name!r}: "
                f"its levels are {self.levels.tolist()}; round the weights to these first"
            )
        return np.asarray(words[inside], dtype=np.int8)

    def _encode_integers(self, levels: IntArray) -> BitArray:
        """Return words of integers without listing all words."""
        inside = (levels >= self.low) & (levels <= self.high)
        if not inside.all():
            raise InvalidInputError(
                f"level {levels[~inside].flat[0]} does not belong to the code {self.name!r}: its "
                f"levels are {self.low:,} to {self.high:,}; clip to these first"
            )
        numbers = levels - self.offset
        return ((numbers[..., None] >> np.arange(self.bits)) & 1).astype(np.int8)

    @property
    def words(self) -> BitArray:
        """All admissible bit words, shape (W, bits)."""
        if self.one_hot:
            return np.eye(self.bits, dtype=np.int8)
        numbers = np.arange(2**self.bits)
        return ((numbers[:, None] >> np.arange(self.bits)) & 1).astype(np.int8)


def bipolar() -> WeightCode:
    """Return the code of one bit with levels {-1, +1}."""
    return WeightCode("bipolar", (2,), -1)


def ternary() -> WeightCode:
    """Return the code of two bits with levels {-1, 0, +1}; zero has two words, and no row."""
    return WeightCode("ternary", (1, 1), -1)


def uniform(bits: int = 2, step: float = 1.0) -> WeightCode:
    """Return the code of odd levels 2 sum_b 2^b w_b - (2^bits - 1), up to 2^bits - 1."""
    bits = check_whole("uniform code: bits", bits, 1, 8)
    step = check_number("uniform code: step", step)
    return WeightCode(
        f"uniform:{bits}", tuple(2 * 2**b for b in range(bits)), -(2**bits - 1), float(step)
    )


def codebook(values: Sequence[float | Fraction]) -> WeightCode:
    """Return the one-hot code of some values, which become levels of their common lattice.

    Raises
    ------
    InvalidInputError
        For fewer than two values, repeated values, or values without a small common denominator.

    Examples
    --------
    >>> code = codebook([-1, 0.5, 2])
    >>> code.levels.tolist(), code.step
    ([-2, 1, 4], 0.5)
    """
    if check_array("codebook", values).ndim != 1:
        raise InvalidInputError(f"codebook {shown(values)}: expected two or more distinct numbers")
    values = [
        check_number("codebook: a value", float(v) if isinstance(v, Fraction) else v, negative=True)
        for v in values
    ]
    fractions = [Fraction(v).limit_denominator(1024) for v in values]
    if len(fractions) < 2 or len(set(fractions)) != len(fractions):
        raise InvalidInputError(f"codebook {shown(values)}: expected two or more distinct values")
    pairs = zip(fractions, values, strict=True)
    if any(abs(float(f) - v) > 1e-9 or (f == 0) != (v == 0) for f, v in pairs):
        raise InvalidInputError(
            f"codebook {shown(values)}: expected multiples of one step; round the values first"
        )
    denominator = lcm(*(f.denominator for f in fractions))
    levels = tuple(int(f * denominator) for f in sorted(fractions))
    if max(map(abs, levels)) > MOST:
        raise InvalidInputError(
            f"codebook {shown(values)}: expected values up to {MOST:,} times their common step; "
            "round them first"
        )
    name = "codebook:" + ",".join(f"{float(f):g}" for f in sorted(fractions))
    return WeightCode(name, levels, 0, 1.0 / denominator, one_hot=True)


def integer(bits: int) -> WeightCode:
    """Return the code of all integers of ``bits`` bits: sum_b 2^b w_b - 2^(bits-1).

    Examples
    --------
    >>> integer(3).low, integer(3).high, integer(3).encode([-4, 3]).tolist()
    (-4, 3, [[0, 0, 0], [1, 1, 1]])
    """
    bits = check_whole("integer code: bits", bits, 1, WIDEST_INTEGER)
    return WeightCode(f"integer:{bits}", _powers(bits), -(2 ** (bits - 1)))


def _powers(bits: int) -> tuple[int, ...]:
    return tuple(2**b for b in range(bits))


AUTO = WeightCode("auto", (1,), 0)
"""Placeholder of an integer code whose width depends on the inputs: ``Network.for_inputs``."""


def code(spec: str | WeightCode) -> WeightCode:
    """Return the code called ``spec``, see :data:`formulations.network.vocabulary.CODES`.

    Examples
    --------
    >>> code("uniform:3").bits
    3
    """
    if isinstance(spec, WeightCode):
        return spec
    if not isinstance(spec, str):
        raise InvalidInputError(
            f"weight code {shown(spec)}: expected a name, such as 'bipolar', or a WeightCode"
        )
    name, colon, rest = spec.partition(":")
    choose("weight code", name, vocabulary.names(vocabulary.CODES))
    if colon and name in ("bipolar", "ternary"):
        raise InvalidInputError(f"weight code {shown(spec)}: expected {name!r} alone")
    try:
        if name == "uniform":
            return uniform(int(rest) if colon else 2)
        if name == "integer":
            return integer(int(rest))
        if name == "codebook":
            return codebook([float(v) for v in rest.split(",")])
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"weight code {shown(spec)}: expected uniform:BITS, integer:BITS or "
            "codebook:VALUE,VALUE,..."
        ) from error
    return bipolar() if name == "bipolar" else ternary()
