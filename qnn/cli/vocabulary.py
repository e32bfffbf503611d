"""Names that the command line accepts, each with one line about it.

Help and completion read them here, where importing is cheap; a test compares them with the tables
that they name.  Solvers are in :mod:`qnn.runs.solver_table`, oracles in
:mod:`solvers.oracles.registry`, codes, activations and losses in
:mod:`formulations.network.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from formulations.network.vocabulary import ACTIVATIONS, CONSTRAINTS, LOSSES
from formulations.network.vocabulary import CODES as WEIGHTS

__all__ = ["ACTIVATIONS", "CONSTRAINTS", "DATA", "ENCODINGS", "LOSSES", "TABLES", "WEIGHTS"]

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
        "bemi": "few images a class: ensembles of mixed-integer programs",
        "explicit": "the explicit softmax solution, without iteration",
        "manifold": "the non-gradient manifold network",
        "rmda": "dual averaging, proximal gradients, sparsity by groups",
        "svi": "training by a monotone variational inequality",
    }
)
