"""Names of weight codes, activations, losses and constraints, with a one-line description each.

The tables contain only text, so that the command line's help and completion import them quickly.
Capital letters after a colon stand for one or more numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

CODES: Mapping[str, str] = {
    "bipolar": "-1 and +1: one bit",
    "ternary": "-1, 0 and +1: two bits",
    "uniform:BITS": "2^BITS odd numbers around zero, BITS from 1 to 8",
    "codebook:VALUES": "these values, such as codebook:-1,0.5,2; one bit per value",
    "integer:BITS": "all integers of BITS bits, for thresholds; BITS from 1 to 32",
}

ACTIVATIONS: Mapping[str, str] = {
    "sign": "-1 for z < 0, else +1; exact in the model",
    "hard-tanh": "z clipped to [-1, 1]; exact in the model",
    "relu": "max(0, z); exact in the model",
    "tanh": "approximated by a few constant pieces",
    "sigmoid": "approximated by a few constant pieces",
    "hard-tanh:BITS": "2^BITS odd levels around zero, by integer shift and clip; exact",
    "relu:BITS": "levels 0 to 2^BITS-1, by integer shift and clip; exact",
}

LOSSES: Mapping[str, str] = {
    "hinge": "max(0, 1 - y out)",
    "hinge:MARGIN": "max(0, MARGIN - y out); auto derives MARGIN from the width",
    "zero-one": "1 for every wrong sample",
    "squared": "(y - out)^2",
    "squared:SCALE": "(SCALE y - out)^2; auto derives SCALE from the width",
    "logistic": "log(1 + exp(-y out)), approximated by a few linear pieces",
    "cross-entropy": "softmax cross-entropy of all classes, SCALE derived from the width",
    "cross-entropy:SCALE": "softmax cross-entropy of out / SCALE; no model for several outputs",
    "multi-hinge": "hinge of right output minus each wrong one, MARGIN from the width",
    "multi-hinge:MARGIN": "sum over wrong classes of max(0, MARGIN - (right out - wrong out))",
}

CONSTRAINTS: Mapping[str, str] = {
    "fan-in:MOST": "at most MOST nonzero weights per unit; fan-in:MOST,LAYER for one layer",
    "non-zeros:MOST": "at most MOST nonzero weights in all; non-zeros:MOST,LAYER for one",
    "n-of-m:MOST,OF": "at most MOST nonzero weights in every OF consecutive inputs",
    "right:FILE": "every sample of FILE is right, by MARGIN steps with right:MARGIN,FILE",
    "robust:RADIUS,FILE": "every sample of FILE is right for all inputs within RADIUS levels",
    "monotone:FEATURE,DIRECTION": "the output never falls (1) or rises (-1) with the input",
}


def names(table: Mapping[str, str]) -> list[str]:
    """Return the distinct names of a table without the part after a colon.

    Examples
    --------
    >>> names(CODES)
    ['bipolar', 'ternary', 'uniform', 'codebook', 'integer']
    """
    return list(dict.fromkeys(entry.partition(":")[0] for entry in table))


def beginnings(table: Mapping[str, str]) -> list[str]:
    """Return the names of a table up to their numbers, as completion shows them.

    Examples
    --------
    >>> beginnings(CODES)
    ['bipolar', 'ternary', 'uniform:', 'codebook:', 'integer:']
    """
    return [entry.rstrip(ascii_uppercase) for entry in table]
