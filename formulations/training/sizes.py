"""Exact sizes of models by formula, without building them.

For B weight bits and a word of S_l + 1 bits in each neuron of layer l,

    n_w = sum_l n_l (B n_{l-1} + B_bias)
    n_s = sum_l n_l (S_l + 1) + B sum_{l>=2} n_l n_{l-1}      per sample, sign neurons

which is what the functions below return; they also cover all other activations, encodings and
restrictions, because they sum over the bounds of interval propagation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_number, check_whole
from formulations.errors import ModelSizeError
from formulations.files.bounded import available_memory
from formulations.network.network import Network
from formulations.network.splines import Spline
from formulations.neurons import encoding_for
from formulations.neurons.base import Counts, Sketch, linear_word_counts
from formulations.training.builder import ModelBuilder
from formulations.training.instance import Instance
from formulations.training.pairs import Pairs, refuse_without_model


@dataclass(frozen=True)
class ModelSize:
    """Exact sizes of a model; only ``nonzeros`` (entries of the rows) is an upper bound.

    ``bytes`` estimates the peak memory of building, within a factor of 2 as measured.
    """

    weight_bits: int
    state_bits: int
    num_rows: int
    num_products: int
    nonzeros: int

    @property
    def num_variables(self) -> int:
        """Number of weight bits and state bits."""
        return self.weight_bits + self.state_bits

    @property
    def bytes(self) -> int:
        """Peak memory of building: about twenty 8-byte words per entry, ten per variable."""
        return 160 * self.nonzeros + 80 * (self.num_variables + self.num_rows)

    def times(self, samples: int) -> ModelSize:
        """Return the size for ``samples`` samples of this size."""
        return ModelSize(
            self.weight_bits,
            self.state_bits * samples,
            self.num_rows * samples,
            self.num_products * samples,
            self.nonzeros * samples,
        )


def model_size(problem: Instance, encoding: str | None = None) -> ModelSize:
    """Return the size of ``problem.qcbo(encoding)``, computed from bounds only."""
    refuse_without_model(problem)
    words = problem.free_words
    state_bits, rows, products = 0, sum(len(w) for w in words), 0
    nonzeros = sum(w.size for w in words)
    for counts, weight_products in _walk(problem, encoding):
        state_bits += int(counts.bits.sum() + weight_products.sum())
        products += int(counts.products.sum() + weight_products.sum())
        rows += int(counts.rows.sum())
        nonzeros += int(counts.nonzeros.sum())
    own = _of_constraints(problem, encoding)
    return ModelSize(
        problem.num_free_bits,
        state_bits + own.state_bits,
        rows + own.num_rows,
        products + own.num_products,
        nonzeros + own.nonzeros,
    )


def _of_constraints(problem: Instance, encoding: str | None) -> ModelSize:
    """Return the size of the constraints, which are built: they have few samples, if any."""
    if not problem.constraints:
        return ModelSize(0, 0, 0, 0, 0)
    builder = ModelBuilder(problem, encoding)
    builder.assembly.count = problem.num_free_bits
    builder.weight_variable = np.arange(problem.num_free_bits)
    builder.constrain()
    variables, *others = builder.assembly.counts()
    return ModelSize(0, variables - problem.num_free_bits, *others)


def _walk(problem: Instance, encoding: str | None) -> Iterator[tuple[Counts, IntArray]]:
    """Yield per layer the counts of states, and of products with weights, per undecided neuron.

    Only bounds, tables and sums of samples with undecided neurons are computed.
    """
    kept = np.flatnonzero(np.any([mask.any(axis=1) for mask in problem.undecided], axis=0))
    terms = np.zeros((len(kept), problem.X.shape[1]))
    constant: FloatArray = problem.X[kept].astype(float)
    for number, bounds in enumerate(problem.bounds):
        free = problem.free_layers[number]
        row, unit = np.nonzero(problem.undecided[number][kept])
        sample = kept[row]
        units, position = np.unique(unit, return_inverse=True)
        weights = free.free_bits[units].astype(float)
        fixed = free.fixed[units].astype(float)
        inputs = constant @ fixed[:, :-1].T + problem.bias_units[number] * fixed[:, -1]
        products = (terms @ weights[:, :-1].T)[row, position].astype(np.int64)
        entries = (
            (constant != 0) @ weights[:, :-1].T + weights[:, -1] + terms @ (fixed[:, :-1] != 0).T
        )
        entries = entries[row, position].astype(np.int64) + products
        sketch = Sketch(
            bounds.z_low[sample, unit],
            bounds.z_high[sample, unit],
            inputs[row, position],
            entries,
        )
        if problem.loss_kind.is_joint and number == len(problem.splines):
            yield (
                Counts.of(np.zeros((5, len(sample)), dtype=np.int64), inputs[row, position]),
                products,
            )
            pairs = Pairs.of(problem, sample, unit)
            chosen, sketch = np.arange(len(pairs.sample)), pairs.sketch(sketch)
            groups = [(problem.loss_splines[0], chosen)]
            yield _state_counts(encoding, groups, False, sketch), np.zeros_like(chosen)
            return
        counts = _state_counts(
            encoding, _groups(problem, number, sample, unit), number < len(problem.splines), sketch
        )
        yield counts, products
        if number < len(problem.splines):
            constant = problem.bounds[number + 1].a_low[kept].astype(float)
            terms = np.zeros(constant.shape)
            terms[row, unit] = counts.terms
            constant[row, unit] = counts.constant


def _groups(
    problem: Instance, number: int, sample: IntArray, unit: IntArray
) -> list[tuple[Spline, IntArray]]:
    """Return the splines of a layer's neurons, each with the positions of its neurons."""
    if number < len(problem.splines):
        return [(problem.splines[number], np.arange(len(sample)))]
    if problem.loss_kind.is_quadratic:
        return []
    target = problem.target_index[sample, unit]
    return [(s, np.flatnonzero(target == t)) for t, s in enumerate(problem.loss_splines)]


def _state_counts(
    encoding: str | None, groups: list[tuple[Spline, IntArray]], hidden: bool, sketch: Sketch
) -> Counts:
    total = np.zeros((5, len(sketch.low)), dtype=np.int64)
    constant = np.zeros(len(sketch.low))
    for spline, chosen in groups:
        encoder = encoding_for(encoding, spline)
        crossing = spline.piece(sketch.low[chosen]) < spline.piece(sketch.high[chosen])
        for members, crosses in ((chosen[crossing], True), (chosen[~crossing], False)):
            if crosses or (hidden and not encoder.has_words):
                counts = encoder.count(sketch.take(members), spline, hidden)
            elif hidden:
                counts = linear_word_counts(sketch.take(members), spline)
            else:
                continue
            constant[members] = counts.constant
            for row, name in enumerate(("bits", "rows", "nonzeros", "products", "terms")):
                total[row, members] = getattr(counts, name)
    return Counts.of(total, constant)


def network_size(
    network: Network,
    samples: int,
    *,
    input_range: int = 1,
    loss: str = "hinge",
    encoding: str | None = None,
) -> ModelSize:
    """Return the size for unknown data, with all inputs at the largest magnitude, ``input_range``.

    Examples
    --------
    >>> network_size(Network.dense([16, 4, 1], bias=True), 1000).num_variables
    32073
    >>> network_size(Network.dense([16, 4, 1], bias=True), 1).num_variables
    105
    """
    samples = check_whole("samples", samples)
    input_range = check_whole("input_range", input_range)
    one = Instance(
        network,
        np.full((1, network.widths[0]), input_range),
        [1 if network.num_outputs == 1 else 0],
        loss=loss,
    )
    return model_size(one, encoding).times(samples)


def refuse_if_too_large(size: ModelSize, memory_limit: float | None = None) -> None:
    """Refuse to build a model that would not fit in memory.

    Raises
    ------
    ModelSizeError
        With the sizes, the memory needed and the memory available.
    """
    if memory_limit is not None and memory_limit != inf:
        memory_limit = check_number("memory_limit", memory_limit, negative=True)
    limit = available_memory() if memory_limit is None else memory_limit
    if limit is not None and size.bytes > limit:
        raise ModelSizeError(
            f"the model would have {size.num_variables:,} variables, {size.num_rows:,} rows and "
            f"{size.nonzeros:,} entries, about {size.bytes / 2**30:.1f} GiB, and "
            f"{limit / 2**30:.1f} GiB are free: train on fewer samples, solve blocks or restricted "
            "problems, or narrow the network"
        )
