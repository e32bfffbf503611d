"""Building blocks of C source: types, literals, arrays, and the text around a network."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.errors import InvalidInputError


def header(**parts: object) -> str:
    """Return ``network.h`` with the named parts filled in."""
    text = Template("""\
/* A trained network, $widths: $bits bits of weights and thresholds.  Written by qnn export.
 *
 * No heap, no global state; $size bytes of constants.  On the stack network_class has arrays of
 * $arrays bytes; with registers and calls it takes about $stack on a Cortex-M or an AVR. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#define NETWORK_NUMBERS $numbers /* of a sample */
#define NETWORK_OUTPUTS $outputs
$range
typedef $number network_number;
typedef $sum network_sum;

/* Outputs of one sample. */
void network_outputs(const network_number sample[NETWORK_NUMBERS],
                     network_sum outputs[NETWORK_OUTPUTS]);
$answer
#endif
""")
    return text.substitute(parts)


def class_declared(names: Sequence[str]) -> str:
    """Return the header's part on classes."""
    return f"""
#define NETWORK_CLASSES {len(names)}
#define NETWORK_NAMES {{{", ".join(map(quoted, names))}}}

/* Number of the class of one sample, from 0. */
unsigned network_class(const network_number sample[NETWORK_NUMBERS]);
"""


def number_declared(scale: float, shift: float) -> str:
    """Return the header's part on the predicted number of a regression."""
    return f"""
/* The predicted number is NETWORK_SCALE * output + NETWORK_SHIFT. */
#define NETWORK_SCALE ({scale!r})
#define NETWORK_SHIFT ({shift!r})
"""


def beginning(counts_ones: bool) -> str:
    """Return the beginning of ``network.c``, with a function that counts ones if it is needed."""
    begin = """\
#include "network.h"

#if defined(__FLASH) && !defined(__STRICT_ANSI__) /* avr-gcc copies other constants to RAM */
#define CONSTANT static const __flash
#else
#define CONSTANT static const
#endif
"""
    ones = """
/* Number of ones. */
static uint32_t ones(uint32_t x) {
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0fu;
    return x * 0x01010101u >> 24;
}
"""
    return begin + ones if counts_ones else begin


def class_function(outputs: int) -> str:
    """Return the function that classifies a sample."""
    start = """
unsigned network_class(const network_number sample[NETWORK_NUMBERS]) {
    network_sum z[NETWORK_OUTPUTS];
    network_outputs(sample, z);
"""
    if outputs == 1:
        return start + "    return z[0] >= 0;\n}\n"
    best = """\
    unsigned best = 0;
    for (unsigned j = 1; j < NETWORK_OUTPUTS; j++)
        if (z[j] > z[best])
            best = j;
    return best;
}
"""
    return start + best


def signed(largest: int, *, fast: bool = True) -> str:
    """Return a signed type of at least 16 bits that holds +-largest; a fast one for variables."""
    bits = 16 if largest < 2**15 else 32 if largest < 2**31 else 64
    return f"int_fast{bits}_t" if fast else f"int{bits}_t"


def unsigned(largest: int) -> str:
    """Return an unsigned type of at least 16 bits that holds ``largest``."""
    bits = 16 if largest < 2**16 else 32 if largest < 2**32 else 64
    return f"uint_fast{bits}_t"


def stored(low: int, high: int) -> str:
    """Return the smallest type for a constant or an array element."""
    if 0 <= low and high < 256:
        return "uint8_t"
    for bits in (8, 16, 32, 64):  # wider unsigned types could make comparisons unsigned
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}_t"
    raise InvalidInputError(f"integers from {low:,} to {high:,} need more than 64 bits")


def word_of(count: int) -> int:
    """Return the word size in bits for ``count`` bits."""
    return next((bits for bits in (8, 16) if count <= bits), 32)


def words_of(planes: IntArray, word: int) -> Array:
    """Pack bits along the last axis into words, lowest bit first."""
    size = -(-planes.shape[-1] // word)
    padded = np.zeros((*planes.shape[:-1], size * word), np.uint64)
    padded[..., : planes.shape[-1]] = planes
    powers = np.uint64(1) << np.arange(word, dtype=np.uint64)
    return np.asarray(padded.reshape(*planes.shape[:-1], size, word) @ powers)


def braces(values: Array) -> str:
    """Format an initialiser."""
    if values.ndim > 1:
        parts = list(map(braces, values))
        short = sum(map(len, parts)) < 80
        return "{" + ", ".join(parts) + "}" if short else "{\n    " + ",\n    ".join(parts) + "}"
    is_real = values.dtype.kind == "f"
    words = [f"{value:.9g}" if is_real else literal(int(value)) for value in values]
    if is_real:  # 3 is not a float literal
        words = [(word if set(word) & set(".e") else f"{word}.0") + "f" for word in words]
    rows = [", ".join(words[i : i + 12]) for i in range(0, len(words), 12)]
    return "{" + ",\n    ".join(rows) + "}"


def literal(value: int) -> str:
    """Format an integer as a C99 literal."""
    if value == -(2**31):
        return "INT32_MIN"
    return f"INT64_C({value})" if not -(2**31) < value < 2**32 else str(value)


def quoted(name: str) -> str:
    """Quote a text as a C string, whatever characters it contains."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-+."
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in name.encode()) + '"'
