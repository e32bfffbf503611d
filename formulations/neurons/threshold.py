"""Threshold bits tied by products, without words: beta_p = 1 if and only if z >= M_p.

Each breakpoint M_p that z may cross has one bit, one inequality, and the products v = beta_p t with
the terms t of z:

    (2 beta_p - 1) (2 (z - M_p) + 1) >= 1,

so that for integer z, z >= M_p if beta_p is set and z < M_p if it is not.  The value is

    a = s_0 z + t_0 + sum_p beta_p (ds_p z + dt_p),

where ds_p and dt_p are the changes of slope and intercept at M_p; beta_p z is linear in the
products.  A loss that bends once from a slope to zero, such as hinge, needs no threshold bits: a
word e >= its sloped piece is its epigraph, and minimisation makes them equal.

The model has more variables than with words, but no carries, and all its rows are inequalities with
one multiplier each.  It suits solvers that handle inequalities directly (QCGD by projection, CQM
samplers, CP-SAT); the penalty method would need slack words for every row.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from formulations.arrays import BitArray, IntArray
from formulations.model.assembly import Assembly, StateStep, Terms
from formulations.network.splines import Spline
from formulations.neurons.base import Counts, Neurons, Sketch, Values, binary, word_length


def has_reached(z: IntArray, breakpoint: int) -> BitArray:
    """Return 1 where z >= breakpoint, shape (..., E) -> (..., E, 1)."""
    return (z >= breakpoint)[..., None].astype(np.int8)


def excess(z: IntArray, corner: int, sign: int, length: int) -> BitArray:
    """Return the bits of max(0, sign (z - corner)), shape (..., E) -> (..., E, length)."""
    return binary(np.maximum(0, sign * (z - corner)), length)


def count(sketch: Sketch, spline: Spline, reduce: bool) -> Counts:
    """Count sizes per neuron; see :class:`~formulations.neurons.base.Counts`."""
    low, high, entries = sketch.low, sketch.high, sketch.entries
    first = spline.piece(low)
    crossed = spline.piece(high) - first
    if not reduce and (corner := _corner(spline)) is not None:
        bent = crossed > 0
        length = word_length(_largest_excess(low, high, *corner))
        zero = np.zeros_like(crossed)
        bits = np.where(bent, length, 0)
        rows = bent.astype(np.int64)
        return Counts(bits, rows, bits + entries * bent, zero, zero, zero.astype(float))
    slope, intercept = spline.slopes[first], spline.intercepts[first]
    terms = np.where(slope != 0, entries, 0)
    nonzeros = np.zeros_like(entries)
    for p, breakpoint in enumerate(spline.breakpoints, start=1):
        crosses = (low < breakpoint) & (breakpoint <= high)
        change = spline.slopes[p] - spline.slopes[p - 1]
        step = change * sketch.constant + spline.intercepts[p] - spline.intercepts[p - 1]
        terms = terms + crosses * ((step != 0) + (entries if change else 0))
        nonzeros = nonzeros + crosses * (1 + 2 * entries)  # the bit's coefficient is odd
    products = crossed * entries
    value = slope * sketch.constant + intercept
    return Counts(crossed + products, crossed, nonzeros, products, terms, value)


def encode(
    assembly: Assembly, neurons: Neurons, spline: Spline, reduce: bool, indexed: bool
) -> Values:
    """Add threshold bits, products and inequalities; see the formulas of the module."""
    if not reduce and (corner := _corner(spline)) is not None:
        return _epigraph(assembly, neurons, *corner)
    first = spline.piece(neurons.low)
    slope, terms = spline.slopes[first], neurons.terms
    constant = slope * neurons.constant + spline.intercepts[first]
    sloped = slope[terms.owner] * terms.coefficient
    parts = [Terms.linear(terms.owner, terms.variable, sloped)]
    for p, breakpoint in enumerate(spline.breakpoints.tolist(), start=1):
        chosen = np.flatnonzero((neurons.low < breakpoint) & (breakpoint <= neurons.high))
        if not len(chosen):
            continue
        members = neurons.take(chosen)
        beta, products = _threshold(assembly, members, p, breakpoint)
        change = spline.slopes[p] - spline.slopes[p - 1]
        step = change * members.constant + spline.intercepts[p] - spline.intercepts[p - 1]
        parts.append(Terms.linear(chosen, beta, step))
        weight = change * members.terms.coefficient
        parts.append(Terms.linear(chosen[members.terms.owner], products, weight))
    return constant, Terms.join(parts)


def _threshold(
    assembly: Assembly, neurons: Neurons, p: int, breakpoint: int
) -> tuple[IntArray, IntArray]:
    """Add bits beta_p (E,), products beta_p t of every term, and their row.

    The row is half of (2 beta - 1)(2 (c + sum_t c_t t - M) + 1) >= 1, with q = 2 (c - M) + 1 odd:
    -q beta - 2 sum_t c_t v_t + sum_t c_t t <= -(1 + q) / 2.
    """
    beta = neurons.state_bits(assembly, "beta", [p], "p", 2)[:, 0]
    word = partial(has_reached, breakpoint=breakpoint)
    assembly.steps.append(
        StateStep(neurons.layer, neurons.sample, neurons.unit, beta[:, None], word)
    )
    terms = neurons.terms
    order = np.argsort(terms.owner, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    starts = np.searchsorted(terms.owner[order], np.arange(len(neurons)))
    rank[order] = np.arange(len(order)) - starts[terms.owner[order]]
    products = neurons.products(assembly, terms.owner, p, rank)
    assembly.products(products, beta[terms.owner], terms.variable)
    q = 2.0 * (neurons.constant - breakpoint) + 1.0
    assembly.rows(
        Terms.join(
            [
                terms,
                Terms.linear(terms.owner, products, -2.0 * terms.coefficient),
                Terms.linear(np.arange(len(neurons)), beta, -q),
            ]
        ),
        -(1.0 + q) / 2.0,
        f"layer {neurons.layer}",
        neurons.row_labels("z", p),
        equality=False,
    )
    return beta, products


def _corner(spline: Spline) -> tuple[int, float, float] | None:
    """Return corner, sign and |slope| of a convex two-piece loss with a zero side, else None."""
    if spline.num_pieces != 2:
        return None
    for flat, sloped in ((0, 1), (1, 0)):
        slope, intercept = spline.slopes[sloped], spline.intercepts[sloped]
        if spline.slopes[flat] == spline.intercepts[flat] == 0.0 and slope * (sloped - flat) > 0:
            corner = -intercept / slope
            if abs(corner - round(corner)) < 1e-9:
                return round(corner), float(np.sign(slope)), abs(float(slope))
    return None


def _largest_excess(low: IntArray, high: IntArray, corner: int, sign: float, _: float) -> IntArray:
    """Return the largest max(0, sign (z - corner)) on [low, high]."""
    return np.maximum(0, np.where(sign > 0, high - corner, corner - low))


def _epigraph(
    assembly: Assembly, neurons: Neurons, corner: int, sign: float, slope: float
) -> Values:
    """Encode a loss slope max(0, sign (z - corner)) as slope e, with e >= sign (z - corner)."""
    lengths = word_length(_largest_excess(neurons.low, neurons.high, corner, sign, slope))
    parts = []
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        members = neurons.take(chosen)
        powers = 2.0 ** np.arange(length)
        e = members.state_bits(assembly, "e", np.arange(length), "r", 2)
        owner = np.repeat(np.arange(len(members))[:, None], length, axis=1)
        terms = members.terms
        assembly.rows(
            Terms.join(
                [
                    Terms.linear(terms.owner, terms.variable, sign * terms.coefficient),
                    Terms.linear(owner, e, -powers),
                ]
            ),
            sign * (corner - members.constant),
            "loss",
            members.row_labels("loss"),
            equality=False,
        )
        word = partial(excess, corner=corner, sign=int(sign), length=int(length))
        assembly.steps.append(StateStep(members.layer, members.sample, members.unit, e, word))
        parts.append(Terms.linear(chosen[owner], e, slope * powers))
    return np.zeros(len(neurons)), Terms.join(parts)
