"""One-hot intervals: one indicator per piece, and two words that keep z inside its piece.

With breakpoints low = M_0 < M_1 < ... < M_P = high + 1 and piece p = [M_{p-1}, M_p):

    sum_p beta_p = 1
    z = sum_p M_{p-1} beta_p + below,         below = sum_r 2^r s_r
    below + above = sum_p (M_p - 1 - M_{p-1}) beta_p,   above = sum_r 2^r t_r

The words are plain binary, so that z determines every bit: p is the only piece for which neither
word is negative.  If all pieces have the same width 2^S, the first word alone keeps z inside, and
the second word and the last row are left out.  The value of order 0 is sum_p c_p beta_p; with order
1 the slope of piece p acts on ``below``, through products beta_p s_r.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.model.assembly import Assembly, StateStep, Terms
from formulations.network.splines import Spline
from formulations.neurons.base import Counts, Neurons, Sketch, Values, binary, word_length


def interval_bits(z: IntArray, edges: IntArray, length: int, above: bool) -> BitArray:
    """Return indicators, the word below and the word above if any: (..., E) -> (..., E, bits)."""
    starts, ends = edges[:, :-1], edges[:, 1:]
    pick = (z[..., None] >= starts) & (z[..., None] < ends)
    parts = [pick.astype(np.int8), binary(z - (pick * starts).sum(axis=-1), length)]
    if above:
        parts.append(binary((pick * ends).sum(axis=-1) - 1 - z, length))
    return np.concatenate(parts, axis=-1)


@dataclass(frozen=True)
class _Group:
    """Neurons that cross the same pieces and have words of the same length."""

    chosen: IntArray
    pieces: IntArray
    edges: IntArray
    length: int
    above: bool


def _groups(low: IntArray, high: IntArray, spline: Spline) -> Iterator[_Group]:
    first, last = spline.piece(low), spline.piece(high)
    for pair in np.unique(np.stack([first, last], axis=1), axis=0) if len(low) else []:
        members = np.flatnonzero((first == pair[0]) & (last == pair[1]))
        inner = spline.breakpoints[pair[0] : pair[1]]
        edges = np.concatenate(
            [low[members, None], np.tile(inner, (len(members), 1)), high[members, None] + 1], axis=1
        )
        widths = np.diff(edges, axis=1)
        lengths = word_length(widths.max(axis=1) - 1)
        full = (widths == (2**lengths)[:, None]).all(axis=1)
        for length in np.unique(lengths):
            for above in (False, True):
                chosen = np.flatnonzero((lengths == length) & (full != above))
                if len(chosen):
                    yield _Group(
                        members[chosen],
                        np.arange(pair[0], pair[1] + 1),
                        edges[chosen],
                        int(length),
                        above,
                    )


def count(sketch: Sketch, spline: Spline, reduce: bool) -> Counts:
    """Count sizes per neuron; see :class:`~formulations.neurons.base.Counts`."""
    columns = np.zeros((5, len(sketch.low)), dtype=np.int64)
    constant = np.zeros(len(sketch.low))
    for group in _groups(sketch.low, sketch.high, spline):
        constant[group.chosen] = _piece_values(group, spline)[:, 0]
        P, S = len(group.pieces), group.length
        level, sloped = _value_pieces(group, spline)
        pairs = S * sloped
        words = S * (1 + group.above)
        edges = np.count_nonzero(group.edges[:, :-1], axis=1)
        widths = np.count_nonzero(np.diff(group.edges, axis=1) - 1, axis=1)
        columns[0, group.chosen] = P + words + (pairs if reduce else 0)
        columns[1, group.chosen] = 2 + group.above
        columns[2, group.chosen] = P + edges + S + (widths + 2 * S if group.above else 0)
        columns[3, group.chosen] = pairs if reduce else 0
        columns[4, group.chosen] = np.count_nonzero(level, axis=1) + pairs
    columns[2] += sketch.entries
    return Counts.of(columns, constant)


def encode(
    assembly: Assembly, neurons: Neurons, spline: Spline, reduce: bool, indexed: bool
) -> Values:
    """Add indicators, words and rows; see the formulas of the module."""
    constant = np.zeros(len(neurons))
    parts: list[Terms] = []
    for group in _groups(neurons.low, neurons.high, spline):
        members = neurons.take(group.chosen)
        beta, below = _states(assembly, members, group)
        level, sloped = _value_pieces(group, spline)
        owner = group.chosen[:, None]
        constant[group.chosen] = _piece_values(group, spline)[:, 0]
        parts.append(Terms.linear(np.broadcast_to(owner, beta.shape), beta, level))
        if sloped and group.length:
            parts.append(_slopes(assembly, members, group, spline, beta, below, reduce))
    return constant, Terms.join(parts)


def _states(assembly: Assembly, neurons: Neurons, group: _Group) -> tuple[IntArray, IntArray]:
    """Add indicators (E, P) and the word below (E, S), with their rows."""
    E, S = len(neurons), group.length
    powers = 2.0 ** np.arange(S)
    beta = neurons.state_bits(assembly, "beta", group.pieces, "p", 2)
    below = neurons.state_bits(assembly, "s", np.arange(S), "r", 2)
    states = [beta, below]

    def on(ids: IntArray, coefficient: npt.ArrayLike) -> Terms:
        owner = np.broadcast_to(np.arange(E)[:, None], ids.shape)
        return Terms.linear(owner, ids, coefficient)

    assembly.rows(on(beta, 1.0), np.ones(E), "one-hot", neurons.row_labels("one-hot"))
    assembly.rows(
        Terms.join([neurons.terms, on(beta, -group.edges[:, :-1]), on(below, -powers)]),
        -neurons.constant,
        f"layer {neurons.layer}",
        neurons.row_labels("z"),
    )
    if group.above:
        above = neurons.state_bits(assembly, "t", np.arange(S), "r", 2)
        states.append(above)
        widths = np.diff(group.edges, axis=1) - 1
        assembly.rows(
            Terms.join([on(below, powers), on(above, powers), on(beta, -widths)]),
            np.zeros(E),
            "width",
            neurons.row_labels("width"),
        )
    word = partial(interval_bits, edges=group.edges, length=S, above=group.above)
    assembly.steps.append(
        StateStep(neurons.layer, neurons.sample, neurons.unit, np.concatenate(states, axis=1), word)
    )
    return beta, below


def _slopes(
    assembly: Assembly,
    neurons: Neurons,
    group: _Group,
    spline: Spline,
    beta: IntArray,
    below: IntArray,
    reduce: bool,
) -> Terms:
    """Return slopes times beta_p * below, as product variables or as quadratic terms."""
    S = group.length
    slopes = spline.slopes[group.pieces]
    sloped = np.flatnonzero(slopes)
    v = np.repeat(beta[:, sloped], S, axis=1)
    w = np.tile(below, (1, len(sloped)))
    weight = np.tile((slopes[sloped][:, None] * 2.0 ** np.arange(S)).ravel(), (len(beta), 1))
    owner = np.broadcast_to(group.chosen[:, None], v.shape)
    if not reduce:
        return Terms(owner, v, weight, w)
    numbers = (group.pieces[sloped][:, None] * S + np.arange(S)).ravel()
    u = neurons.state_bits(assembly, "c", numbers, "t", 4)
    assembly.products(u, v, w)
    return Terms.linear(owner, u, weight)


def _piece_values(group: _Group, spline: Spline) -> FloatArray:
    """Return the value at the start of each piece, shape (E, P)."""
    return np.asarray(
        spline.slopes[group.pieces] * group.edges[:, :-1] + spline.intercepts[group.pieces]
    )


def _value_pieces(group: _Group, spline: Spline) -> tuple[FloatArray, int]:
    """Return coefficients of the indicators relative to the first piece; count sloped pieces."""
    values = _piece_values(group, spline)
    return values - values[:, :1], int(np.count_nonzero(spline.slopes[group.pieces]))
