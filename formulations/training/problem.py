"""The training problem: a network, data and a loss; its real loss, and its models.

minimise over the weight bits   sum_k sum_c loss_c(out_c(x_k; bits), y_kc)

or, with a joint loss, sum_k loss(out(x_k; bits), y_k) of all outputs of a sample together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_bits
from formulations.arrays import BitArray, IntArray
from formulations.checks import choose, shown
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.network.network import Weights
from formulations.neurons import ENCODINGS
from formulations.training.builder import ModelBuilder, TrainingModel
from formulations.training.instance import Instance
from formulations.training.sizes import ModelSize, model_size, refuse_if_too_large


class TrainingProblem(Instance):
    """A network to be trained on data.

    Parameters
    ----------
    network : Network
        What follows from the inputs is added, see :meth:`Network.for_inputs`; the attribute
        ``network`` is the result.
    X : array of int, shape (N, d)
        Inputs on an integer lattice.
    y : array, shape (N,)
        One output: -1 or +1 (any numbers for the squared loss).  C outputs: class indices 0 .. C-1.
    loss : str, callable or Loss
        One against the rest: ``hinge``, ``hinge:MARGIN``, ``zero-one``, ``squared``,
        ``squared:SCALE``, ``logistic``, or a callable on the margin y * out.  Of all outputs
        together: ``cross-entropy``, ``cross-entropy:SCALE``, ``multi-hinge``,
        ``multi-hinge:MARGIN``; of one output these are losses of its margin.  ``auto``, as in
        ``hinge:auto``, takes the number from the width; ``loss_kind`` has it.
    loss_pieces, loss_order : int, optional
        Pieces of the spline of a loss that is not exact without: logistic, callables, and
        cross-entropy of one output.  None takes 8 for cross-entropy, else 4.
    constraints : sequence of Constraint
        What weights have to satisfy, see :mod:`formulations.constraints`: rows of the model, kept
        by every search, and named by :meth:`broken` where weights break them.

    Raises
    ------
    InvalidInputError
        For shapes, values or labels that do not fit, named with what was expected.

    Examples
    --------
    >>> from formulations import Network
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1], loss="hinge")
    >>> weights = problem.weights_from_bits([1, 0, 1, 1, 1, 0])
    >>> problem.loss(weights)
    2.0
    >>> problem.qcbo().objective(problem.complete(weights)).item()
    2.0
    """

    @cached_property
    def _models(self) -> dict[str | None, TrainingModel]:
        return {}

    @cached_property
    def _sizes(self) -> dict[str | None, ModelSize]:
        return {}

    def size(self, encoding: str | None = None) -> ModelSize:
        """Exact counts of the model, before anything is built."""
        if encoding is not None:
            choose("encoding", encoding, list(ENCODINGS))
        if encoding not in self._sizes:
            self._sizes[encoding] = model_size(self, encoding)
        return self._sizes[encoding]

    def qcbo(self, encoding: str | None = None, *, memory_limit: float | None = None) -> QCBO:
        """The problem as a constrained quadratic binary model.

        Parameters
        ----------
        encoding : {"twos-complement", "one-hot", "threshold"} or None
            None: words for neurons of two pieces, one-hot intervals for others.
        memory_limit : float, optional
            Bytes that the model may take; None takes what is free now.

        Raises
        ------
        ModelSizeError
            If the model would not fit, with the numbers, before it is built.
        InvalidInputError
            For cross-entropy of several outputs, which no quadratic model states.
        """
        return self.training_model(encoding, memory_limit=memory_limit).model

    def training_model(
        self, encoding: str | None = None, *, memory_limit: float | None = None
    ) -> TrainingModel:
        """The model and what completes weight bits in it (built once per encoding)."""
        if encoding is not None:
            choose("encoding", encoding, list(ENCODINGS))
        if encoding not in self._models:
            refuse_if_too_large(self.size(encoding), memory_limit)
            self._models[encoding] = ModelBuilder(self, encoding).build()
        return self._models[encoding]

    def complete_bits(self, bits: npt.ArrayLike, encoding: str | None = None) -> BitArray:
        """All variables of the model that the free bits force, shape (n,)."""
        bits = check_bits("weight bits", bits, self.num_free_bits, 1)
        z = [layer[0] for layer in self.pre_activations(bits[None])]
        for constraint in self.constraints:
            z = _stacked(z, constraint.states(self, self.full_bits(bits)))
        if self.loss_kind.is_joint:
            z.append(self.gaps(z[-1][: self.num_samples]))
        return self.training_model(encoding).complete(bits, z)

    def complete(self, weights: Weights, encoding: str | None = None) -> dict[str, int]:
        """The feasible point of weights, dimod style: label -> 0/1."""
        x = self.complete_bits(self.bits_from_weights(weights), encoding)
        labels = self.training_model(encoding).model.labels.strings()
        return dict(zip(labels, x.tolist(), strict=True))

    def decode(self, sample: Mapping[str, int]) -> Weights:
        """Weights of a sample (label -> 0/1); only the labels that start with ``w[`` are read."""
        if not isinstance(sample, Mapping):
            raise InvalidInputError(
                f"sample={shown(sample)}: expected a mapping from labels to 0 and 1"
            )
        labels = [self.bit_labels[b] for b in self.free]
        missing = [s for s in labels if s not in sample]
        if missing:
            raise InvalidInputError(
                f"the sample has no value for the weight bit {missing[0]!r} "
                f"({len(missing)} missing): decode samples of this problem's own model"
            )
        return self.weights_from_bits([sample[s] for s in labels])


def _stacked(z: list[IntArray], more: list[IntArray]) -> list[IntArray]:
    """Pre-activations of more samples after the others, layer by layer."""
    return [np.concatenate(pair) for pair in zip(z, more, strict=True)] if more else z
