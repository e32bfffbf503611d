"""Names that the command line takes, each with one line about it.

Help and completion read them here, where importing is cheap; a test compares them with the tables
that they name.  Solvers stand in :mod:`qnn.runs.solver_table`, oracles in
:mod:`solvers.oracles.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DATA: Mapping[str, str] = MappingProxyType(
    {
        "digits": "1,797 images of 8 x 8, ten digits (bundled with scikit-learn)",
        "breast_cancer": "569 samples of 30 columns, two classes (bundled)",
        "wine": "178 samples of 13 columns, three classes (bundled)",
        "iris": "150 samples of 4 columns, three classes (bundled)",
        "mnist": "70,000 images of 28 x 28, ten digits",
        "fashion": "70,000 images of 28 x 28, ten kinds of clothing",
    }
)

ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "sign": "-1 below zero, else +1; exact in the model",
        "hard-tanh": "z between -1 and +1, else the nearer of them; exact in the model",
        "relu": "max(0, z); exact in the model",
        "tanh": "by a few constant pieces",
        "sigmoid": "by a few constant pieces",
    }
)

WEIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "bipolar": "-1 and +1: one bit",
        "ternary": "-1, 0 and +1: two bits",
        "uniform:BITS": "2^BITS odd numbers around zero, BITS from 1 to 8",
        "codebook:VALUES": "these values, as codebook:-1,0.5,2: a bit for each value",
    }
)

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "hinge": "max(0, 1 - y out); hinge:MARGIN has another number than 1",
        "zero-one": "1 for every sample that is wrong",
        "squared": "(y - out)^2",
        "logistic": "log(1 + exp(-y out)), by a few straight pieces",
    }
)

ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "twos-complement": "a sum as one binary number: fewest rows; the default for two pieces",
        "one-hot": "a bit for every piece of the activation; the default for more pieces",
        "threshold": "a bit for every threshold that a sum may cross: most variables",
    }
)

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "baselines": "what a user would pick instead, on its own terms",
        "explicit": "the explicit softmax solution, without iteration",
        "manifold": "the non-gradient manifold network",
        "rmda": "dual averaging, proximal gradients, sparsity by groups",
        "svi": "training by a monotone variational inequality",
    }
)
