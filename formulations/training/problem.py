"""The training problem: a network, data and a loss, with its real loss and its models.

minimise over the weight bits   sum_k sum_c loss_c(out_c(x_k; bits), y_kc)

or, with a joint loss of all outputs of a sample, sum_k loss(out(x_k; bits), y_k).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_bits
from formulations.arrays import BitArray
from formulations.checks import choose, shown
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.network.network import Weights
from formulations.neurons import ENCODINGS
from formulations.training.builder import ModelBuilder, TrainingModel
from formulations.training.instance import Instance
from formulations.training.sizes import ModelSize, model_size, refuse_if_too_large


class TrainingProblem(Instance):
    """A network to train on data.

    Parameters
    ----------
    network : Network
        The attribute ``network`` also has the options that depend on the inputs, see
        :meth:`Network.for_inputs`.
    X : array of int, shape (N, d)
        Inputs on an integer lattice.
    y : array, shape (N,)
        For one output -1 or +1 (any numbers for the squared loss), for C outputs class indices
        0 .. C-1.
    loss : str, callable or Loss
        One against the rest: ``hinge``, ``hinge:MARGIN``, ``zero-one``, ``squared``,
        ``squared:SCALE``, ``logistic``, or a callable on the margin y * out.  Joint:
        ``cross-entropy``, ``cross-entropy:SCALE``, ``multi-hinge``, ``multi-hinge:MARGIN``; with
        one output these are losses of its margin.  ``auto``, as in ``hinge:auto``, derives the
        number from the width; ``loss_kind`` has the number.
    loss_pieces, loss_order : int, optional
        Pieces and order of the spline of an approximated loss: logistic, callables, and
        cross-entropy of one output.  None takes 8 pieces for cross-entropy, else 4.
    constraints : sequence of Constraint
        Constraints on the weights, see :mod:`formulations.constraints`.  They are rows of the model
        that every search satisfies; :meth:`broken` names those that weights violate.

    Raises
    ------
    InvalidInputError
        For shapes, values or labels that do not fit.

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
        """Return exact sizes of the model without building it."""
        if encoding is not None:
            choose("encoding", encoding, list(ENCODINGS))
        if encoding not in self._sizes:
            self._sizes[encoding] = model_size(self, encoding)
        return self._sizes[encoding]

    def qcbo(self, encoding: str | None = None, *, memory_limit: float | None = None) -> QCBO:
        """Build the constrained quadratic binary model of the problem.

        Parameters
        ----------
        encoding : {"twos-complement", "one-hot", "threshold"} or None
            None takes words for neurons of two pieces, and one-hot intervals for others.
        memory_limit : float, optional
            Bytes that the model may take; None takes the free memory.

        Raises
        ------
        ModelSizeError
            If the model would not fit, before it is built; the message has the numbers.
        InvalidInputError
            For cross-entropy of several outputs, which has no quadratic model.
        """
        return self.training_model(encoding, memory_limit=memory_limit).model

    def training_model(
        self, encoding: str | None = None, *, memory_limit: float | None = None
    ) -> TrainingModel:
        """Build the model with the steps that complete weight bits (cached per encoding)."""
        if encoding is not None:
            choose("encoding", encoding, list(ENCODINGS))
        if encoding not in self._models:
            refuse_if_too_large(self.size(encoding), memory_limit)
            self._models[encoding] = ModelBuilder(self, encoding).build()
        return self._models[encoding]

    def complete_bits(self, bits: npt.ArrayLike, encoding: str | None = None) -> BitArray:
        """Compute all variables of the model from the free bits, shape (n,)."""
        bits = check_bits("weight bits", bits, self.num_free_bits, 1)
        z = [layer[0] for layer in self.pre_activations(bits[None])]
        for constraint in self.constraints:
            more = constraint.states(self, self.full_bits(bits))
            z = [np.concatenate(pair) for pair in zip(z, more, strict=True)] if more else z
        if self.loss_kind.is_joint:
            z.append(self.gaps(z[-1][: self.num_samples]))
        return self.training_model(encoding).complete(bits, z)

    def complete(self, weights: Weights, encoding: str | None = None) -> dict[str, int]:
        """Return the feasible point of weights as a dimod sample: label -> 0/1."""
        x = self.complete_bits(self.bits_from_weights(weights), encoding)
        labels = self.training_model(encoding).model.labels.strings()
        return dict(zip(labels, x.tolist(), strict=True))

    def decode(self, sample: Mapping[str, int]) -> Weights:
        """Decode the weights of a sample (label -> 0/1); only labels ``w[...]`` are read."""
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
