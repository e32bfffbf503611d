"""Exact rewritings of a model, one per file, each with its inverse.

A pass's ``apply`` returns the rewritten model with an inverse that decodes its samples, or raises
an error that names the obstacle.  A :class:`Chain` applies passes in turn, and decodes samples in
reverse.
"""

from formulations.passes.base import Appended, Chain, Composed, Inverse, Pass
from formulations.passes.coefficient_tightening import CoefficientTightening
from formulations.passes.integral import Integral
from formulations.passes.one_hot import OneHot
from formulations.passes.penalty import Penalty, sufficient_penalty
from formulations.passes.presolve import Presolve
from formulations.passes.product_reduction import ProductReduction
from formulations.passes.rounded import Rounded
from formulations.passes.slack import OwnSlack, Slack
from formulations.passes.soft import soften

__all__ = [
    "Pass",
    "Inverse",
    "Chain",
    "Composed",
    "Appended",
    "Slack",
    "OwnSlack",
    "soften",
    "Integral",
    "Rounded",
    "CoefficientTightening",
    "OneHot",
    "ProductReduction",
    "Penalty",
    "sufficient_penalty",
    "Presolve",
]
