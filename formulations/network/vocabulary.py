"""Names of weight codes, activations and losses, each with one line about it.

The tables hold text alone, so that help and completion of the command line import them quickly.
Capital letters after a colon stand for a number, or for numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "bipolar": "-1 and +1: one bit",
        "ternary": "-1, 0 and +1: two bits",
        "uniform:BITS": "2^BITS odd numbers around zero, BITS from 1 to 8",
        "codebook:VALUES": "these values, as codebook:-1,0.5,2: a bit for each value",
        "integer:BITS": "-2^(BITS-1) to 2^(BITS-1)-1, as thresholds need; BITS from 1 to 32",
    }
)

ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "sign": "-1 below zero, else +1; exact in the model",
        "hard-tanh": "z between -1 and +1, else the nearer of them; exact in the model",
        "relu": "max(0, z); exact in the model",
        "tanh": "by a few constant pieces",
        "sigmoid": "by a few constant pieces",
        "hard-tanh:BITS": "2^BITS odd levels around zero by clip and shift, integers only; exact",
        "relu:BITS": "levels 0 to 2^BITS-1 by clip and shift, integers only; exact",
    }
)

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "hinge": "max(0, 1 - y out)",
        "hinge:MARGIN": "max(0, MARGIN - y out); auto takes MARGIN from the width",
        "zero-one": "1 for every sample that is wrong",
        "squared": "(y - out)^2",
        "squared:SCALE": "(SCALE y - out)^2; auto takes SCALE from the width",
        "logistic": "log(1 + exp(-y out)), by a few straight pieces",
        "cross-entropy": "of the softmax over all classes, SCALE from the width",
        "cross-entropy:SCALE": "of the softmax of out / SCALE; no model of several outputs",
        "multi-hinge": "hinge of the right output minus each wrong one, MARGIN from the width",
        "multi-hinge:MARGIN": "sum over wrong classes of max(0, MARGIN - (right out - wrong out))",
    }
)

CONSTRAINTS: Mapping[str, str] = MappingProxyType(
    {
        "fan-in:MOST": "at most so many non-zero weights a unit; fan-in:MOST,LAYER of one layer",
        "non-zeros:MOST": "at most so many non-zero weights in all, or non-zeros:MOST,LAYER in one",
        "n-of-m:MOST,OF": "at most so many non-zero weights of every OF inputs in a row, as 2,4",
        "right:FILE": "every sample of the file is right; right:MARGIN,FILE by steps of the output",
        "robust:RADIUS,FILE": "every sample is right for all inputs within so many levels of it",
        "monotone:FEATURE,DIRECTION": "the output never falls (1) or rises (-1) as the input rises",
    }
)


def names(table: Mapping[str, str]) -> list[str]:
    """The names of a table without what follows a colon, each once.

    Examples
    --------
    >>> names(CODES)
    ['bipolar', 'ternary', 'uniform', 'codebook', 'integer']
    """
    return list(dict.fromkeys(entry.partition(":")[0] for entry in table))


def beginnings(table: Mapping[str, str]) -> list[str]:
    """The names of a table up to where a number follows, as completion gives them.

    Examples
    --------
    >>> beginnings(CODES)
    ['bipolar', 'ternary', 'uniform:', 'codebook:', 'integer:']
    """
    return [entry.rstrip(ascii_uppercase) for entry in table]
