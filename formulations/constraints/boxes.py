"""Samples that must be right, and input boxes around them, for given weights and in models.

Interval propagation of given weights: a layer turns bounds a_low <= a <= a_high into

    z_low = W+ a_low + W- a_high + b,    z_high = W+ a_high + W- a_low + b,

with W+ = max(W, 0) and W- = min(W, 0), and an activation into its bounds over [z_low, z_high].  A
sample is right with margin m by its bounds: with one output, z_low >= m - 1 for the class +1 and
z_high <= -m for -1; with several, z_low of its class minus z_high of class c is at least m, or
m - 1 if c comes after it.  Margin 1 agrees with ``Network.predict``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_array, check_integers
from formulations.arrays import Array, BitArray, FloatArray, IntArray
from formulations.constraints.parts import Forms, Parts, Subject
from formulations.errors import InvalidInputError
from formulations.model.assembly import Terms, ragged
from formulations.model.labels import Family
from formulations.network.intervals import least_products
from formulations.network.splines import Spline
from formulations.network.weight_bits import batch_levels
from formulations.neurons.base import Neurons


def check_samples(name: str, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Check samples (S, d) and labels (S,) and return them as integers."""
    inputs, labels = check_integers(f"{name}: X", X), check_integers(f"{name}: y", y)
    if inputs.ndim != 2 or labels.shape != inputs.shape[:1] or not inputs.size:
        raise InvalidInputError(
            f"{name} with X of shape {check_array('X', X).shape} and y of shape {labels.shape}: "
            "expected (S, d) with S > 0, and (S,)"
        )
    return inputs, labels


def check_fit(name: str, subject: Subject, X: IntArray, y: IntArray) -> None:
    """Refuse samples of another width, and labels that are not classes of the network."""
    network = subject.network
    if X.shape[1] != network.widths[0]:
        raise InvalidInputError(
            f"{name}: X of shape {X.shape} for a network of {network.widths[0]} inputs"
        )
    known = [-1, 1] if network.num_outputs == 1 else range(network.num_outputs)
    if not np.isin(y, known).all():
        raise InvalidInputError(
            f"{name}: label {y[~np.isin(y, known)][0]}: expected {list(known)}, the classes of the "
            "network"
        )


def output_bounds(
    subject: Subject, bits: BitArray, low: IntArray, high: IntArray
) -> Iterator[list[tuple[IntArray, IntArray]]]:
    """Yield bounds (z_low, z_high) of every layer for weight bits (R, n_w), one vector at a time.

    Parameters
    ----------
    low, high : ndarray of int, shape (S, d)
        The boxes; the same array twice for points.
    """
    layers = batch_levels(subject.network, bits)
    for row in range(len(bits)):
        found: list[tuple[IntArray, IntArray]] = []
        a_low, a_high = low.astype(float), high.astype(float)
        for number, (matrices, biases) in enumerate(layers):
            W = matrices[row].astype(float)
            added = 0 if biases is None else subject.bias_units[number] * biases[row]
            if low is high:
                z_low = z_high = (a_low @ W.T + added).astype(np.int64)
            else:
                up, down = np.maximum(W, 0).T, np.minimum(W, 0).T
                z_low = (a_low @ up + a_high @ down + added).astype(np.int64)
                z_high = (a_high @ up + a_low @ down + added).astype(np.int64)
            found.append((z_low, z_high))
            if number < len(subject.splines):
                a_low, a_high = subject.splines[number].bounds(z_low, z_high)
        yield found


def deficits(z_low: IntArray, z_high: IntArray, y: IntArray, margin: int) -> IntArray:
    """Count the output steps by which each sample falls short, (S, C) bounds -> (S,).

    Examples
    --------
    >>> z = np.array([[2], [0], [-1]])
    >>> deficits(z, z, np.array([1, 1, 1]), 1).tolist()
    [0, 0, 1]
    """
    if z_low.shape[1] == 1:
        short = np.where(y > 0, margin - 1 - z_low[:, 0], z_high[:, 0] + margin)
        return np.maximum(short, 0)
    classes = np.arange(z_low.shape[1])
    needed = margin - (classes > y[:, None])
    short = needed - np.take_along_axis(z_low, y[:, None], axis=1) + z_high
    return np.asarray(np.maximum(np.where(classes == y[:, None], 0, short).max(axis=1), 0))


# -- in a model -----------------------------------------------------------------------------------


def add_box_rows(
    parts: Parts, name: str, number: int, low: IntArray, high: IntArray, y: IntArray, margin: int
) -> None:
    """Add states of the samples or boxes in hidden layers, and rows that make the outputs right."""
    chains = [low] if low is high else [low, high]
    forms = [Forms(box.astype(float), Terms.join([])) for box in chains]
    bounds = [(box, box) for box in chains]  # of the ends themselves, over all weights
    for layer in range(len(parts.subject.network.layers)):
        sums = _sums(parts, layer, forms)
        ends = _end_bounds(parts, layer, bounds)
        if layer == len(parts.subject.splines):
            break
        for chain, form in enumerate(sums):
            forms[chain], bounds[chain] = _activated(
                parts, layer, form, ends[chain], chain * len(low)
            )
    _output_rows(parts, name, number, sums, ends, y, margin)
    parts.position += len(chains) * len(low)
    parts.number += len(chains) * len(low)


def _sums(parts: Parts, layer: int, forms: list[Forms]) -> list[Forms]:
    """Build the pre-activations of a layer, or those at both ends."""
    weights = parts.levels(layer)
    count = len(parts.free[layer].fixed)
    matrix, bias = weights[:, :-1], weights[:, -1].scaled(float(parts.subject.bias_units[layer]))
    if len(forms) == 1:
        pairs = [[(matrix, forms[0])]]
    else:
        up, down = _halves(parts, layer, matrix)
        pairs = [[(up, forms[0]), (down, forms[1])], [(up, forms[1]), (down, forms[0])]]
    every = np.broadcast_to(np.arange(count), (len(forms[0].constant), count))
    start = bias.take(every)
    return [sum((_product(parts, layer, w, a) for w, a in pair), start) for pair in pairs]


def _halves(parts: Parts, layer: int, matrix: Forms) -> tuple[Forms, Forms]:
    """Build W+ = max(W, 0) and W- = min(W, 0) as forms; P and N are the indicators of the signs."""
    code = parts.subject.network.layers[layer].code
    positive, negative = parts.signs(layer)
    if len(code.levels) <= 3 and {code.low, code.high} <= {-1, 0, 1}:
        return positive, negative.scaled(-1.0)
    # W+ = W P: the constant times P, and a product of P with every bit.
    constant = matrix.constant
    flat = constant.ravel()
    t, p = matrix.terms, positive.terms
    fixed = Terms.linear(p.owner, p.variable, flat[p.owner] * p.coefficient)
    owner, entry = _entries(p.owner, t.owner, flat.size)
    u = _new_products(parts, layer, t.variable[owner], p.variable[entry])
    crossed = Terms.linear(t.owner[owner], u, t.coefficient[owner] * p.coefficient[entry])
    always = positive.constant.ravel()[t.owner]
    own = Terms.linear(t.owner, t.variable, t.coefficient * always)
    up = Forms(constant * positive.constant, Terms.join([fixed, crossed, own]))
    return up, matrix + up.scaled(-1.0)


def _entries(of: IntArray, asked: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Return number and entry of all terms that each asked place owns."""
    count = np.bincount(of, minlength=size)
    owner, entry = ragged((np.cumsum(count) - count)[asked], count[asked])
    return owner, np.argsort(of, kind="stable")[entry]


def _new_products(parts: Parts, layer: int, v: IntArray, w: IntArray) -> IntArray:
    """Return bits u = v w, new or v itself if w is the same."""
    different = v != w
    first = parts.assembly.count
    found = v.copy()
    count = int(different.sum())
    if count:
        u = parts.assembly.variables(
            "prod", ("l", "n"), (parts.digits[1], 9), (layer + 1, first + np.arange(count))
        )
        parts.assembly.products(u, v[different], w[different])
        found[different] = u
    return found


def _product(parts: Parts, layer: int, w: Forms, a: Forms) -> Forms:
    """Build sum_i w_ji a_si as forms (S, n_l), from (n_l, d) and (S, d)."""
    outputs, width = w.constant.shape
    samples = len(a.constant)
    constant = a.constant @ w.constant.T
    j, i = np.divmod(w.terms.owner, width)
    rows = np.arange(samples)[:, None] * outputs
    data = Terms.linear(
        (rows + j).ravel(),
        np.broadcast_to(w.terms.variable, (samples, len(j))).ravel(),
        (w.terms.coefficient * a.constant[:, i]).ravel(),
    )
    s, k = np.divmod(a.terms.owner, width)
    states = Terms.linear(
        (s[:, None] * outputs + np.arange(outputs)).ravel(),
        np.repeat(a.terms.variable, outputs),
        (a.terms.coefficient[:, None] * w.constant[:, k].T).ravel(),
    )
    owner, entry = _entries(i, k, width)
    u = _new_products(parts, layer, w.terms.variable[entry], a.terms.variable[owner])
    both = Terms.linear(
        s[owner] * outputs + j[entry],
        u,
        w.terms.coefficient[entry] * a.terms.coefficient[owner],
    )
    return Forms(constant, Terms.join([data, states, both]))


def _end_bounds(
    parts: Parts, layer: int, bounds: list[tuple[Array, Array]]
) -> list[tuple[IntArray, IntArray]]:
    """Bound z, or z_low and z_high, over all weights in their boxes."""
    box = parts.free[layer].box(parts.subject.network.layers[layer])
    unit = parts.subject.bias_units[layer]
    wl, wh = box.weight_low, box.weight_high
    if len(bounds) == 1:
        low, high = bounds[0]
        least = least_products(wl, wh, low, high)
        most = -least_products(-wh, -wl, low, high)
        ends = [(least, most)]
    else:
        (ll, lh), (hl, hh) = bounds
        ends = [
            (least_products(wl, wh, ll, hh), _greatest_of_least(wl, wh, lh, hl)),
            (-_greatest_of_least(wl, wh, -hl, -lh), -least_products(-wh, -wl, ll, hh)),
        ]
    return [
        (
            (low + unit * box.bias_low).astype(np.int64),
            (high + unit * box.bias_high).astype(np.int64),
        )
        for low, high in ends
    ]


def _greatest_of_least(wl: IntArray, wh: IntArray, low: Array, high: Array) -> FloatArray:
    """Maximise sum_i W+ low + W- high over w in its box, shape (S, n): at an end or at zero."""
    total = np.zeros((len(low), len(wl)))
    for j in range(len(wl)):
        ends = [
            np.maximum(w, 0) * low + np.minimum(w, 0) * high
            for w in (wl[j], wh[j], np.clip(0, wl[j], wh[j]))
        ]
        total[:, j] = np.maximum(np.maximum(ends[0], ends[1]), ends[2]).sum(axis=1)
    return total


def _activated(
    parts: Parts, layer: int, sums: Forms, ends: tuple[IntArray, IntArray], offset: int
) -> tuple[Forms, tuple[IntArray, IntArray]]:
    """Build the activations of sums, with state bits if undecided, and their bounds."""
    spline: Spline = parts.subject.splines[layer]
    low, high = (end.astype(np.int64) for end in spline.bounds(*ends))
    sample, unit = np.nonzero(low < high)
    place = np.full(low.size, -1, dtype=np.int64)
    flat = sample * low.shape[1] + unit
    place[flat] = np.arange(len(flat))
    t = sums.terms.take(place[sums.terms.owner] >= 0)
    constant = low.astype(float)
    terms = Terms.join([])
    if len(flat):
        neurons = Neurons(
            layer + 1,
            parts.position + offset + sample,
            unit,
            parts.number + offset + sample,
            ends[0][sample, unit],
            ends[1][sample, unit],
            sums.constant[sample, unit],
            Terms.linear(place[t.owner], t.variable, t.coefficient),
            parts.digits,
        )
        constant[sample, unit], v = parts.encode(neurons, spline)
        terms = Terms.linear(flat[v.owner], v.variable, v.coefficient)
    return Forms(constant, terms), (low, high)


def _output_rows(
    parts: Parts,
    name: str,
    number: int,
    sums: list[Forms],
    ends: list[tuple[IntArray, IntArray]],
    y: IntArray,
    margin: int,
) -> None:
    """Add rows that the samples, or the ends of their boxes, are right, unless that is certain."""
    low, high = sums[0], sums[-1]
    least, most = ends[0][0], ends[-1][1]
    samples, outputs = least.shape
    if outputs == 1:
        s, c = np.arange(samples), np.zeros(samples, dtype=np.int64)
        needed = np.where(y > 0, margin - 1, margin)
        at_low, at_high = np.where(y > 0, 1.0, 0.0), np.where(y > 0, 0.0, -1.0)
        right = c
        worst = np.where(y > 0, least[:, 0], -most[:, 0])
    else:
        s, c = np.nonzero(np.arange(outputs) != y[:, None])
        right = y[s]
        needed = margin - (c > right)
        at_low, at_high = np.ones(len(s)), -np.ones(len(s))
        worst = least[s, right] - most[s, c]
    open_ = np.flatnonzero(worst < needed)
    s, c, right, needed, at_low, at_high = (
        v[open_] for v in (s, c, right, needed, at_low, at_high)
    )
    body = low[s, right].scaled(-at_low) + high[s, c].scaled(-at_high)
    table = np.stack([np.full(len(s), number), s, c], axis=1)
    kind = name.partition(":")[0]
    parts.assembly.rows(
        body.terms,
        -body.constant - needed,
        kind,
        Family(kind, ("c", "s", "j"), table, (2, len(str(samples)), parts.digits[2])),
        equality=False,
    )
