"""A network, data, a loss and the free weight bits, with the real loss of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_array, check_bits, check_integers
from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.checks import check_whole
from formulations.constraints.base import Constraint
from formulations.constraints.tied import Tied
from formulations.errors import InvalidInputError
from formulations.model.labels import Family
from formulations.network.from_inputs import output_spread, placed
from formulations.network.intervals import LayerBounds, propagate, propagate_around
from formulations.network.losses import JointLoss, Loss
from formulations.network.losses import loss as resolve_loss
from formulations.network.network import Network, Weights
from formulations.network.weight_bits import (
    FreeLayer,
    bit_table,
    distinct_rows,
    free_layers,
    one_hot_words,
)
from formulations.training.constrained import Constrained
from formulations.training.problem_checks import (
    check_free,
    check_inputs,
    check_network,
    check_targets,
)


class Instance(Constrained):
    """A network, data, a loss and the weight bits that may change.

    The arguments are those of :class:`~formulations.training.problem.TrainingProblem`, which adds
    the models.
    """

    def __init__(
        self,
        network: Network,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        loss: str | Callable[[FloatArray], FloatArray] | Loss = "hinge",
        *,
        loss_pieces: int | None = None,
        loss_order: Literal[0, 1] = 1,
        constraints: Sequence[Constraint | Tied] = (),
    ) -> None:
        check_network(network)
        network, constraints = self._with_ties(network, constraints)
        if loss_pieces is not None:
            check_whole("loss_pieces", loss_pieces)
        check_whole("loss_order", loss_order, 0, 1)
        kind = resolve_loss(loss)
        self.X = check_inputs(X, network.widths[0])
        self.y = check_array("y", y)
        self.targets, self.target_index = check_targets(
            self.y, len(self.X), network.num_outputs, kind
        )
        layers, self.splines, self.output_low, self.output_high = placed(network.layers, self.X)
        self.network = network = network if layers == network.layers else Network(layers)
        self.bias_units = network.bias_units(self.splines)
        self.out_step = network.out_step(self.splines)
        self.loss_kind = kind.resolved(
            network.num_outputs,
            output_spread(network.layers, self.splines, self.X) if kind.is_auto else 1.0,
            self.out_step,
            float(np.sqrt(np.square(self.targets[self.target_index]).mean())) or 1.0,
        )
        self.targets = self.loss_kind.scaled_targets(self.targets)
        self.loss_splines = []
        if isinstance(self.loss_kind, JointLoss):
            self.loss_splines = self.loss_kind.pair_splines(self.out_step)
        elif not self.loss_kind.is_quadratic:
            self.loss_splines = [
                self.loss_kind.spline(
                    float(t),
                    self.out_step,
                    self.output_low,
                    self.output_high,
                    pieces=loss_pieces or self.loss_kind.pieces,
                    order=loss_order,
                )
                for t in self.targets
            ]
        self.free: IntArray = np.arange(network.num_weight_bits)
        self.incumbent_bits: BitArray = np.zeros(network.num_weight_bits, dtype=np.int8)
        self.sample_numbers: IntArray = np.arange(len(self.X))
        self.num_samples_in_all = len(self.X)
        self._anchor: tuple[list[IntArray], list[IntArray]] | None = None  # weights and z
        self._forward: tuple[bytes, list[IntArray]] | None = None
        self.constraints = self._check_constraints(constraints)

    def _copy(self) -> Self:
        """Return a copy without cached values, to be narrowed."""
        twin = object.__new__(type(self))
        cached = {
            name
            for cls in type(self).__mro__
            for name, member in vars(cls).items()
            if isinstance(member, cached_property)
        }
        twin.__dict__.update({k: v for k, v in self.__dict__.items() if k not in cached})
        twin._forward = None
        return twin

    # -- shape ------------------------------------------------------------------------------------

    @property
    def num_samples(self) -> int:
        """Number of samples N."""
        return len(self.X)

    @property
    def num_free_bits(self) -> int:
        """Number of weight bits that may change."""
        return len(self.free)

    @cached_property
    def bit_table(self) -> IntArray:
        """Layer, neuron, input and bit number of every weight bit, shape (n_w, 4)."""
        return bit_table(self.network)

    @cached_property
    def bit_labels(self) -> list[str]:
        """Label of every weight bit: ``w[layer,neuron,input]``, or with the bit's number last."""
        table = self.bit_table if self.bit_table[:, 3].any() else self.bit_table[:, :3]
        return Family("w", ("",) * table.shape[1], table).strings()

    @cached_property
    def free_layers(self) -> list[FreeLayer]:
        """Free weights of each layer."""
        return free_layers(self.network, self.free, self.incumbent_bits)

    @cached_property
    def bounds(self) -> list[LayerBounds]:
        """Bounds by interval propagation, with all bits but the free ones fixed."""
        layers = zip(self.network.layers, self.free_layers, strict=True)
        boxes = [free.box(layer) for layer, free in layers]
        network = self.network.layers
        if self._anchor is not None:
            return propagate_around(network, self.X, self.splines, boxes, *self._anchor)
        return propagate(network, self.X, self.splines, boxes)

    @cached_property
    def undecided(self) -> list[BoolArray]:
        """Masks (N, n_l) of the neurons of each layer that need bits.

        Interval propagation does not decide their value, and an undecided loss depends on it.
        """
        last = self.bounds[-1]
        needed = [self.output_undecided(last.z_low, last.z_high)]
        for free, above in zip(self.free_layers[:0:-1], self.bounds[:0:-1], strict=True):
            matters = free.can_matter[:, :-1].astype(float)
            used = (needed[0].astype(float) @ matters) > 0
            needed.insert(0, used & (above.a_low < above.a_high))
        return needed

    @cached_property
    def free_words(self) -> list[IntArray]:
        """Positions in ``free`` of the free one-hot words: (words, bits) per codebook."""
        position = np.full(self.network.num_weight_bits, -1, dtype=np.int64)
        position[self.free] = np.arange(len(self.free))
        words = [position[w] for w in one_hot_words(self.network)]
        return [w[(w >= 0).all(axis=1)] for w in words]

    # -- bits and weights -------------------------------------------------------------------------

    def full_bits(self, bits: npt.ArrayLike) -> BitArray:
        """Extend free bits to all weight bits, shape (..., num_free_bits) -> (..., n_w)."""
        bits = check_bits("weight bits", bits, self.num_free_bits)
        full = np.broadcast_to(self.incumbent_bits, (*bits.shape[:-1], len(self.incumbent_bits)))
        full = full.copy()
        full[..., self.free] = bits
        return full

    def weights_from_bits(self, bits: npt.ArrayLike) -> Weights:
        """Decode free bits to weights; all other bits are those of the incumbent."""
        repaired = self.repair_bits(check_bits("weight bits", bits, self.num_free_bits, 1)[None])[0]
        return self.network.decode_bits(self.full_bits(repaired), self.splines)

    def bits_from_weights(self, weights: Weights) -> BitArray:
        """Return the free bits of weights; a level with several words gets the first."""
        return self.network.encode_bits(weights)[self.free]

    def repair_bits(self, bits: npt.ArrayLike) -> BitArray:
        """Make every codebook word one-hot by keeping only its first set bit."""
        bits = check_bits("weight bits", bits, self.num_free_bits).copy()
        for words in self.free_words:
            first = np.argmax(bits[..., words], axis=-1)
            bits[..., words] = np.arange(words.shape[1]) == first[..., None]
        return bits

    def random_bits(self, rng: np.random.Generator, count: int) -> BitArray:
        """Draw free bits of networks at random, shape (count, n).

        All levels are equally likely, but integer thresholds are zero, since most of their levels
        would make a unit constant over all samples.
        """
        bits = rng.integers(0, 2, (count, self.num_free_bits), dtype=np.int8)
        table = self.bit_table[self.free]
        for number, layer in enumerate(self.network.layers, start=1):
            if layer.bias_code is not None and layer.bias_code.is_integer:
                here = (table[:, 0] == number) & (table[:, 2] == layer.inputs)
                bits[:, here] = layer.bias_code.encode(0)[table[here, 3]]
        for words in self.free_words:
            level = rng.integers(0, words.shape[1], (count, len(words), 1))
            bits[:, words] = np.arange(words.shape[1]) == level
        if self.constraints:
            return self.sparse(self.full_bits(bits), rng)[:, self.free]
        return bits

    # -- the real loss ----------------------------------------------------------------------------

    def pre_activations(self, bits: npt.ArrayLike) -> list[IntArray]:
        """Compute z_l of every layer for candidates: bits (R, num_free_bits) -> (R, N, n_l)."""
        bits = check_bits("weight bits", bits, self.num_free_bits, 2)
        return self._pre_activations(self.full_bits(bits))

    def _pre_activations(self, full: BitArray) -> list[IntArray]:
        offsets = self.network.bit_offsets()
        a: FloatArray = self.X.astype(float)
        result = []
        for number, layer in enumerate(self.network.layers):
            matrix, bias = layer.decode(full[:, offsets[number] : offsets[number + 1]])
            z = layer.sums(a, matrix.astype(float))  # exact: integers below 2^53
            if bias is not None:
                z += self.bias_units[number] * bias[:, None, :]
            result.append(z.astype(np.int64))
            if number < len(self.splines):
                a = self.splines[number].units(result[-1])
        return result

    def losses(self, bits: npt.ArrayLike) -> FloatArray:
        """Compute the real loss of candidates, bits (R, num_free_bits) -> (R,).

        Each unit of constraint violation adds ``price``, which exceeds any loss.
        """
        bits = self.repair_bits(np.atleast_2d(check_array("weight bits", bits)))
        bits = check_bits("weight bits", bits, self.num_free_bits, 2)
        distinct, inverse = distinct_rows(bits)
        matrix = max(layer.inputs * layer.outputs for layer in self.network.layers)
        largest = max(self.num_samples * max(self.network.widths), matrix)
        size = max(1, 2**22 // largest)  # candidates scored at a time
        losses = np.empty(len(distinct))
        for s in range(0, len(distinct), size):
            z = self.pre_activations(distinct[s : s + size])[-1]
            losses[s : s + size] = self.own_losses(z).sum(axis=(1, 2))
        if self.constraints:
            losses += self.price * self.violations(self.full_bits(distinct))
        return losses[inverse]

    def loss(self, weights: Weights) -> float:
        """Compute the real loss of weights, the sum over samples and outputs."""
        self.network.encode_bits(weights)  # raises if shapes or levels do not fit
        z = self.network.pre_activations(
            Weights(weights.matrices, weights.biases, self.splines), self.X
        )[-1]
        return float(self.own_losses(z).sum())

    # -- smaller problems -------------------------------------------------------------------------

    def subset(self, samples: npt.ArrayLike) -> Self:
        """Return the problem on some samples (positions), with activations and losses unchanged."""
        given = check_array("samples", samples)
        if given.dtype.kind == "b":
            raise InvalidInputError("samples: expected positions; give np.flatnonzero of a mask")
        samples = check_integers("samples", given, "sample positions")
        if samples.ndim != 1 or not len(samples):
            raise InvalidInputError("samples: expected a non-empty list of sample positions")
        if samples.min() < 0 or samples.max() >= self.num_samples:
            raise InvalidInputError(
                f"sample {samples.max()}: expected positions 0 .. {self.num_samples - 1}"
            )
        twin = self._copy()
        twin.X, twin.y = self.X[samples], self.y[samples]
        twin.target_index = self.target_index[samples]
        twin.sample_numbers = self.sample_numbers[samples]
        if self._anchor is not None:
            levels, z = self._anchor
            twin._anchor = levels, [part[samples] for part in z]
        return twin

    def on(self, X: IntArray, y: IntArray) -> Self:
        """Return the problem on other samples, whose inputs are in range and labels are classes."""
        twin = self._copy()
        targets, twin.target_index = check_targets(
            y, len(X), self.network.num_outputs, self.loss_kind
        )
        twin.X, twin.y, twin.targets = X, y, self.loss_kind.scaled_targets(targets)
        twin.sample_numbers, twin._anchor = np.arange(len(X)), None
        return twin

    def blocks(self, size: int) -> list[Self]:
        """Split into problems of at most ``size`` consecutive samples; their losses add up."""
        size = check_whole("block size", size)
        n = self.num_samples
        return [self.subset(np.arange(s, min(s + size, n))) for s in range(0, n, size)]

    def restrict(
        self,
        free: Sequence[int | str] | npt.ArrayLike,
        incumbent: Weights | npt.ArrayLike,
        pre_activations: Sequence[IntArray] | None = None,
    ) -> Self:
        """Return the problem in which only some weight bits may change.

        Parameters
        ----------
        free : sequence of int or str
            Weight bits, by number in canonical order or by label.
        incumbent : Weights or array of int8, shape (n_w,)
            Values of all other bits.
        pre_activations : sequence of ndarray of int, shapes (N, n_l), optional
            Pre-activations of the incumbent if known; otherwise a forward pass computes them.

        Raises
        ------
        InvalidInputError
            For an empty free set, unknown bits, or a part of a one-hot word.
        """
        numbers = check_free(free, self.network.num_weight_bits, lambda: self.bit_labels)
        if isinstance(incumbent, Weights):
            bits = self.network.encode_bits(incumbent)
        else:
            bits = check_bits("incumbent", incumbent, self.network.num_weight_bits)
        if bits.shape != (self.network.num_weight_bits,):
            raise InvalidInputError(
                f"incumbent of shape {bits.shape}: expected weights of this network or "
                f"({self.network.num_weight_bits},) bits"
            )
        for words in one_hot_words(self.network):
            freed = np.isin(words, numbers)
            if (broken := words[freed.any(axis=1) & ~freed.all(axis=1)]).size:
                raise InvalidInputError(
                    f"free set holds part of the one-hot word {self.bit_labels[broken[0, 0]]!r}: "
                    f"free all {words.shape[1]} bits of a codebook weight or none"
                )
        twin = self._copy()
        twin.free, twin.incumbent_bits = numbers, bits.copy()
        if pre_activations is None:
            pre_activations = self._forward_pass(bits)
        none = np.zeros(0, dtype=np.int64)
        levels = [layer.fixed for layer in free_layers(self.network, none, bits)]
        twin._anchor = levels, list(pre_activations)
        return twin

    def _forward_pass(self, bits: BitArray) -> list[IntArray]:
        """Compute the pre-activations of all weight bits, cached for the next restriction."""
        key = bits.tobytes()
        if self._forward is None or self._forward[0] != key:
            self._forward = (key, [z[0] for z in self._pre_activations(bits[None])])
        return self._forward[1]
