"""Two's-complement words around an origin o, one of the spline's breakpoints:

    z - o = -2^S (1 - beta) + sum_{r<S} 2^r s_r,    S = bits of max(o - low, high - o + 1).

The word has one row, and z determines its S + 1 bits.  With two pieces beta is the indicator: for
the sign rule o = 0 and a = 2 beta - 1.  With more pieces, whose breakpoints are aligned to 2^m
around o, the top q = S - m + 1 bits determine the piece, through a multilinear polynomial:

    a = sum_T V_T prod_{i in T} top_i + (sum_T G_T prod_{i in T} top_i) sum_{r<m} 2^r s_r,

where V and G are the Moebius transforms of the pieces' values at the start of each aligned block
and of their slopes.  Any integer breakpoints are aligned with m = 0; a few pieces of wide aligned
blocks keep q small (``placement="power-of-two"``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.errors import ModelSizeError
from formulations.model.assembly import Assembly, StateStep, Terms
from formulations.network.splines import Spline
from formulations.neurons.base import Counts, Neurons, Sketch, Values, binary, word_length


def signed_bits(z: IntArray, origin: IntArray, length: int) -> BitArray:
    """Return beta, then s_0 .. s_{S-1}, shape (..., E) -> (..., E, S + 1)."""
    beta = (z >= origin)[..., None].astype(np.int8)
    return np.concatenate([beta, binary(z - origin, length)], axis=-1)


@dataclass(frozen=True)
class _Group:
    """Neurons with words of the same shape, and the polynomials of their values."""

    chosen: IntArray
    origin: IntArray
    length: int
    low_bits: int
    values: FloatArray
    slopes: FloatArray

    @property
    def top_bits(self) -> int:
        return self.length - self.low_bits + 1

    def value_masks(self) -> list[int]:
        """Return the non-empty monomials T with a coefficient V_T."""
        return [t for t in np.flatnonzero(self.values.any(axis=0)).tolist() if t]

    def slope_masks(self) -> list[int]:
        """Return the monomials T with a coefficient G_T, including the empty one."""
        return np.flatnonzero(self.slopes.any(axis=0)).tolist() if self.low_bits else []

    def conjunctions(self, reduce: bool) -> list[int]:
        """Return the monomials of two bits or more that need a variable, prefixes first."""
        wanted = [t for t in self.value_masks() if t.bit_count() > 1]
        if not reduce:
            wanted = [_prefix(t) for t in wanted]
        wanted += self.slope_masks()
        needed: set[int] = set()
        for mask in wanted:
            while mask.bit_count() > 1 and mask not in needed:
                needed.add(mask)
                mask = _prefix(mask)
        return sorted(needed, key=lambda t: (t.bit_count(), t))


def _prefix(mask: int) -> int:
    """Return the monomial without its highest bit."""
    return mask & ~(1 << (mask.bit_length() - 1))


def _moebius(table: FloatArray) -> FloatArray:
    """Return the coefficients of the multilinear polynomial with the values on the last axis."""
    out = table.copy()
    width = 1
    while width < out.shape[-1]:
        view = out.reshape(*out.shape[:-1], -1, 2, width)
        view[..., 1, :] -= view[..., 0, :]
        width *= 2
    return out


def _shapes(low: IntArray, high: IntArray, spline: Spline) -> tuple[IntArray, IntArray, IntArray]:
    """Choose origin o, length S and low bits m of each word for the cheapest polynomial."""
    best = np.full(len(low), np.inf)
    origin, length, low_bits = (np.zeros(len(low), dtype=np.int64) for _ in range(3))
    crossed = [(b > low) & (b <= high) for b in spline.breakpoints]
    for b, crosses in zip(spline.breakpoints, crossed, strict=True):
        S = word_length(np.maximum(b - low, high - b + 1) - 1)
        m = S.copy()
        for other, crosses_other in zip(spline.breakpoints, crossed, strict=True):
            if other != b:
                zeros = int(other - b & -(other - b)).bit_length() - 1
                m = np.where(crosses_other, np.minimum(m, zeros), m)
        cost = np.where(crosses, S + 2.0 ** (S - m), np.inf)
        better = cost < best
        best = np.where(better, cost, best)
        origin, length = np.where(better, b, origin), np.where(better, S, length)
        low_bits = np.where(better, m, low_bits)
    return origin, length, low_bits


def _groups(low: IntArray, high: IntArray, spline: Spline) -> Iterator[_Group]:
    origin, length, low_bits = _shapes(low, high, spline)
    for S, m in np.unique(np.stack([length, low_bits], axis=1), axis=0) if len(low) else []:
        chosen = np.flatnonzero((length == S) & (low_bits == m))
        q = int(S - m + 1)
        if q > 12:  # 2^q terms a neuron
            raise ModelSizeError(
                f"two's-complement encoding of {spline.num_pieces} pieces over a range of "
                f"{int((high - low).max()) + 1} needs a polynomial of 2^{q} terms per neuron: use "
                "encoding='one-hot', fewer pieces, or placement='power-of-two'"
            )
        blocks = (np.arange(2**q) - 2 ** (q - 1)) << m
        start = origin[chosen][:, None] + blocks
        piece = spline.piece(np.clip(start, low[chosen][:, None], high[chosen][:, None]))
        slope = spline.slopes[piece]
        values = slope * start + spline.intercepts[piece]
        yield _Group(chosen, origin[chosen], int(S), int(m), _moebius(values), _moebius(slope))


def count(sketch: Sketch, spline: Spline, reduce: bool) -> Counts:
    """Count sizes per neuron; see :class:`~formulations.neurons.base.Counts`."""
    columns = np.zeros((5, len(sketch.low)), dtype=np.int64)
    constant = np.zeros(len(sketch.low))
    for group in _groups(sketch.low, sketch.high, spline):
        constant[group.chosen] = group.values[:, 0]
        conjunctions = len(group.conjunctions(reduce))
        pairs = group.low_bits * sum(t > 0 for t in group.slope_masks())
        products = conjunctions + (pairs if reduce else 0)
        terms = np.count_nonzero(group.values[:, 1:], axis=1)
        if group.low_bits:
            terms = terms + group.low_bits * np.count_nonzero(group.slopes, axis=1)
        columns[0, group.chosen] = group.length + 1 + products
        columns[1, group.chosen] = 1
        columns[2, group.chosen] = group.length + 1
        columns[3, group.chosen] = products
        columns[4, group.chosen] = terms
    columns[2] += sketch.entries
    return Counts.of(columns, constant)


def encode(
    assembly: Assembly, neurons: Neurons, spline: Spline, reduce: bool, indexed: bool
) -> Values:
    """Add words and rows; see the formulas of the module."""
    constant = np.zeros(len(neurons))
    parts: list[Terms] = []
    for group in _groups(neurons.low, neurons.high, spline):
        members = neurons.take(group.chosen)
        beta, word = _states(assembly, members, group, indexed)
        constant[group.chosen] = group.values[:, 0]
        parts += _polynomial(assembly, members, group, beta, word, reduce)
    return constant, Terms.join(parts)


def _states(
    assembly: Assembly, neurons: Neurons, group: _Group, indexed: bool
) -> tuple[IntArray, IntArray]:
    """Add sign bits (E,) and words (E, S), with their row."""
    E, S = len(neurons), group.length
    field = "p" if indexed else ""
    beta = neurons.state_bits(assembly, "beta", [1], field, 2)
    word = neurons.state_bits(assembly, "s", np.arange(S), "r", 2)
    states = np.concatenate([beta, word], axis=1)
    powers = np.concatenate([[2.0**S], 2.0 ** np.arange(S)])
    owner = np.broadcast_to(np.arange(E)[:, None], states.shape)
    assembly.rows(
        Terms.join([neurons.terms, Terms.linear(owner, states, -powers)]),
        group.origin - 2.0**S - neurons.constant,
        f"layer {neurons.layer}",
        neurons.row_labels("z"),
    )
    bits = partial(signed_bits, origin=group.origin, length=S)
    assembly.steps.append(StateStep(neurons.layer, neurons.sample, neurons.unit, states, bits))
    return beta[:, 0], word


def _polynomial(
    assembly: Assembly,
    neurons: Neurons,
    group: _Group,
    beta: IntArray,
    word: IntArray,
    reduce: bool,
) -> list[Terms]:
    """Return the terms of the value; monomials that need a variable get one by product rows."""
    m, q = group.low_bits, group.top_bits
    variable = {1 << i: word[:, m + i] for i in range(q - 1)} | {1 << (q - 1): beta}

    def conjunction(number: int, v: IntArray, w: IntArray) -> IntArray:
        u = neurons.state_bits(assembly, "c", [number], "t", 4)[:, 0]
        assembly.products(u, v, w)
        return u

    def split(mask: int) -> tuple[IntArray, IntArray]:
        return variable[_prefix(mask)], variable[1 << (mask.bit_length() - 1)]

    for mask in group.conjunctions(reduce):
        variable[mask] = conjunction(mask * (m + 1), *split(mask))
    terms = []
    for mask in group.value_masks():
        weight = group.values[:, mask]
        if mask in variable:
            terms.append(Terms.linear(group.chosen, variable[mask], weight))
        else:
            v, w = split(mask)
            terms.append(Terms(group.chosen, v, weight, w))
    for mask in group.slope_masks():
        for r in range(m):
            weight = group.slopes[:, mask] * 2.0**r
            if mask == 0:
                terms.append(Terms.linear(group.chosen, word[:, r], weight))
            elif reduce:
                u = conjunction(mask * (m + 1) + 1 + r, variable[mask], word[:, r])
                terms.append(Terms.linear(group.chosen, u, weight))
            else:
                terms.append(Terms(group.chosen, variable[mask], weight, word[:, r]))
    return terms
