"""The model of a trained network with fixed weights and free inputs, for verification in a box.

    minimise    g(x) = z_y - z_c     (y z of a single output)
    subject to  x in the box,  z_1 = W_1 x + b_1,  a_1 = f(z_1),  ...,  optionally g(x) <= t

Inputs are words over the levels of their box.  With t = -1, or 0 if class c wins ties, every point
of the model is an input that the network assigns to class c; if the model is infeasible, the box
has no such input.  A unit of constant pieces has one bit for each breakpoint M that it may cross,
tied to z by two rows: z >= M if the bit is set, else z < M.  With a named encoding it has the bits
and rows of :mod:`formulations.neurons`.  [Verification of binarised networks as an unconstrained
binary model with penalties: arXiv 2602.13536; rows for given bounds: Tjeng, Xiao, Tedrake, ICLR
2019.]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.model.assembly import Assembly, Terms, ragged
from formulations.model.labels import Family
from formulations.model.qcbo import QCBO
from formulations.network.intervals import least_products
from formulations.network.network import Network, Weights
from formulations.network.splines import Spline
from formulations.neurons.base import Neurons
from formulations.passes.slack import SlackWord
from formulations.training.builder import encoded


@dataclass(frozen=True, eq=False)
class InputBox:
    """A box of inputs around a sample: each column takes one of a few levels.

    Parameters
    ----------
    values : ndarray of int, shape (C, K, m)
        Values of the m inputs of a column at each of its levels, in order; the last level is
        repeated for columns with fewer than K levels.  m exceeds 1 only for thermometer codes.
    own : ndarray of int, shape (C,)
        Level of each column in the sample.

    Examples
    --------
    >>> box = InputBox(np.array([[[-1], [1]], [[3], [3]]]), np.array([0, 0]))
    >>> box.bounds(np.array([[2, 1]])), box.inputs(np.array([1])).tolist()
    ((array([1]), array([5])), [1, 3])
    """

    values: IntArray
    own: IntArray

    @cached_property
    def word(self) -> tuple[IntArray, IntArray, IntArray]:
        """Column, change of its inputs (B, m), and rank in its order (-1 if unordered) of each bit.

        A column with equal steps is a binary word that covers its range.  Any other column, such as
        a thermometer code of several inputs, has a bit for each step, set only after the bit below.
        """
        steps = np.diff(self.values, axis=1)
        count = steps.any(axis=2).sum(axis=1)
        inside = np.arange(steps.shape[1]) < count[:, None]
        even = ((steps == steps[:, :1]).all(axis=2) | ~inside).all(axis=1)
        binary = SlackWord.covering(np.where(even, count, 0))
        column, rank = np.nonzero(inside & ~even[:, None])
        first = steps[binary.row, :1] if len(binary.row) else steps[:0, :1]
        owner = np.concatenate([binary.row, column])
        change = np.concatenate([first[:, 0] * binary.coefficient[:, None], steps[column, rank]])
        order = np.argsort(owner, kind="stable")
        ranks = np.concatenate([np.full(len(binary.row), -1), rank])
        return owner[order], change[order], ranks[order]

    @property
    def sample(self) -> IntArray:
        """Inputs (d,) of the sample."""
        return self.at(self.own)

    def at(self, levels: IntArray) -> IntArray:
        """Return the inputs (..., d) at levels (..., C)."""
        found = self.values[np.arange(len(self.own)), levels]
        return found.reshape(*levels.shape[:-1], -1)

    def inputs(self, bits: BitArray) -> IntArray:
        """Return the inputs (..., d) for the bits (..., B) of all words."""
        column, change, _ = self.word
        moves = np.zeros((len(column), *self.values[:, 0].shape), dtype=np.int64)
        moves[np.arange(len(column)), column] = change
        base = self.values[:, 0].ravel()
        return base + np.asarray(bits, dtype=np.int64) @ moves.reshape(len(column), base.size)

    def bounds(self, matrix: IntArray) -> tuple[IntArray, IntArray]:
        """Return the exact least and greatest of matrix @ x over the box, (n, d) -> (n,) each."""
        columns, _, each = self.values.shape
        W = matrix.reshape(-1, columns, each).astype(float)
        parts = np.einsum("jcm,ckm->jck", W, self.values.astype(float), optimize=True)
        found = [end.sum(axis=1).astype(np.int64) for end in (parts.min(2), parts.max(2))]
        return found[0], found[1]


def rival(network: Network, right: int, wrong: int) -> tuple[IntArray, int]:
    """Return the row u (C,) with g = u z, and the greatest g at which ``wrong`` is predicted.

    With a single output the classes are -1 and +1.

    Examples
    --------
    >>> rival(Network.dense([3, 1]), -1, 1), rival(Network.dense([3, 2]), 0, 1)
    ((array([-1]), 0), (array([ 1, -1]), -1))
    """
    if network.num_outputs == 1:
        return np.array([right]), -1 if right > 0 else 0
    classes = np.arange(network.num_outputs)
    return (classes == right) * 1 - (classes == wrong) * 1, -1 if wrong > right else 0


def box_bounds(
    network: Network, weights: Weights, box: InputBox, last: IntArray
) -> list[tuple[IntArray, IntArray]]:
    """Bound the pre-activations of every hidden layer, and ``last`` (R, C) times the output.

    The bounds are exact for the first layer, and by interval propagation for later ones.
    """
    found: list[tuple[IntArray, IntArray]] = []
    low = high = np.zeros((1, 0))
    for number, (matrix, added) in enumerate(_layers(network, weights, last)):
        if number == 0:
            least, greatest = box.bounds(matrix)
        else:
            low, high = (end[None] for end in weights.splines[number - 1].bounds(*found[-1]))
            least = least_products(matrix, matrix, low, high)[0].astype(np.int64)
            greatest = -least_products(-matrix, -matrix, low, high)[0].astype(np.int64)
        found.append((least + added, greatest + added))
    return found


def _layers(network: Network, weights: Weights, last: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Return matrix and added constant of every layer, multiplied by ``last`` at the output."""
    units = network.bias_units(weights.splines)
    found = []
    for unit, matrix, bias in zip(units, weights.matrices, weights.biases, strict=True):
        added = np.zeros(len(matrix), dtype=np.int64) if bias is None else unit * np.asarray(bias)
        found.append((np.asarray(matrix), added))
    matrix, added = found[-1]
    return [*found[:-1], (last @ matrix, last @ added)]


def input_model(
    network: Network,
    weights: Weights,
    box: InputBox,
    right: int,
    wrong: int,
    *,
    encoding: str | None = None,
    demand: bool = True,
) -> QCBO:
    """Build the model of the inputs of a box that a network assigns to the class ``wrong``.

    Parameters
    ----------
    right, wrong : int
        Classes as returned by ``Network.predict``.
    encoding : str, optional
        Encoding of hidden units, as in ``TrainingProblem.qcbo``; None: two rows per breakpoint.
    demand : bool
        True to require the wrong class by a row; False to minimise the gap g.

    Returns
    -------
    QCBO
        The bits ``x[column,bit]`` are those of the box, see :meth:`InputBox.inputs`.

    Examples
    --------
    >>> net = Network.dense([2, 1])
    >>> box = InputBox(np.array([[[-1], [1]], [[-1], [1]]]), np.array([1, 1]))
    >>> model = input_model(net, Weights((np.array([[1, 1]]),), (None,), ()), box, 1, -1)
    >>> list(model.labels), model.is_feasible([[0, 0], [1, 0]]).tolist()
    (['x[0,0]', 'x[1,0]'], [True, False])
    """
    assembly = Assembly()
    digits = (1, len(str(len(network.layers))), len(str(max(network.widths) - 1)))
    constant, terms = _words(assembly, box)
    row, greatest = rival(network, right, wrong)
    layers = _layers(network, weights, row[None])
    bounds = box_bounds(network, weights, box, row[None])
    for number, (matrix, added) in enumerate(layers):
        forms = sp.csr_array(
            (terms.coefficient, (terms.owner, terms.variable)),
            shape=(matrix.shape[1], assembly.count),
        )
        product = (sp.csr_array(matrix.astype(float)) @ forms).tocoo()
        sums = Terms.linear(product.row.astype(np.int64), product.col.astype(np.int64),
                            product.data).nonzero()  # fmt: skip
        z = matrix @ constant + added
        if number < len(weights.splines):
            ends = bounds[number]
            spline = weights.splines[number]
            constant, terms = _activated(assembly, number, spline, z, sums, ends, encoding, digits)
    if demand:
        labels = Family("wrong", ("",), np.array([[wrong]]))
        assembly.rows(sums, greatest - z, "wrong", labels, equality=False)
    else:
        assembly.objective(sums)
        assembly.offset += float(z[0])
    return assembly.finish()[0]


def _words(assembly: Assembly, box: InputBox) -> tuple[FloatArray, Terms]:
    """Return inputs as constants and terms of bits, and add the rows of ordered bits."""
    column, change, rank = box.word
    place = np.arange(len(column)) - np.searchsorted(column, column)
    widths = tuple(len(str(top.max(initial=0))) for top in (column, place))
    bits = assembly.variables("x", ("", ""), widths, (column, place))
    width = change.shape[1]
    owner = column[:, None] * width + np.arange(width)
    above = np.flatnonzero(rank > 0)
    if len(above):
        rows = np.arange(len(above))
        pair = [Terms.linear(rows, bits[above], 1.0), Terms.linear(rows, bits[above - 1], -1.0)]
        table = np.stack([column[above], place[above]], axis=1)
        labels = Family("order", ("", ""), table, widths)
        assembly.rows(Terms.join(pair), np.zeros(len(above)), "order", labels, equality=False)
    variable = np.repeat(bits[:, None], width, axis=1)
    return (
        box.values[:, 0].ravel().astype(float),
        Terms.linear(owner, variable, change).nonzero(),
    )


def _activated(
    assembly: Assembly,
    number: int,
    spline: Spline,
    z: FloatArray,
    sums: Terms,
    ends: tuple[IntArray, IntArray],
    encoding: str | None,
    digits: tuple[int, int, int],
) -> tuple[FloatArray, Terms]:
    """Return the activations of a layer with pre-activations z + sums within bounds ``ends``."""
    low, high = ends
    first = spline.piece(low)
    if encoding is not None or spline.order:
        none, units = np.zeros(len(low), dtype=np.int64), np.arange(len(low))
        neurons = Neurons(number + 1, none, units, none, low, high, z, sums, digits)
        return encoded(assembly, neurons, spline, encoding, reduce=True, indexed=True)
    start = spline.breakpoints
    unit, p = np.nonzero((low[:, None] < start) & (start <= high[:, None]))
    table = np.stack([np.full(len(unit), number + 1), unit, p + 1], axis=1)
    widths = (*digits[1:], len(str(spline.num_pieces)))
    bits = assembly.variables("a", ("l", "j", "p"), widths, list(table.T))
    order = np.argsort(sums.owner, kind="stable")
    count = np.bincount(sums.owner, minlength=len(low))
    owner, entry = ragged((np.cumsum(count) - count)[unit], count[unit])
    form = Terms.linear(owner, sums.variable[order[entry]], sums.coefficient[order[entry]])
    above = 1 - start[p]  # z + above is positive from the breakpoint on
    assembly.indicators(
        bits, z[unit] + above, form, low[unit] + above, high[unit] + above,
        f"layer {number + 1}", table,
    )  # fmt: skip
    return spline.intercepts[first], Terms.linear(unit, bits, np.diff(spline.intercepts)[p])
