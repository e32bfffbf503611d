"""Objectives of first-order training: weights to change in place, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.errors import InvalidInputError
from formulations.extras import load_extra
from solvers.classical.gradients.optimizers import Optimizer
from solvers.classical.gradients.stack import Rule, Stack
from solvers.run.checkpoint import Checkpoint
from solvers.run.run import Run
from solvers.run.stopping import Over, never


class Objective(Protocol):
    """Mean loss over samples."""

    @property
    def weights(self) -> list[Array]:
        """Weights to train in place."""
        ...

    @property
    def num_samples(self) -> int:
        """Number of samples N."""
        ...

    def loss(self) -> float:
        """Mean loss over all samples."""
        ...

    def directions(self, samples: IntArray) -> list[Array]:
        """Return the directions to move ``weights`` against, from some of the samples."""
        ...


@dataclass
class GradientDescent:
    """Training by epochs, with the state that it carries between them.

    Parameters
    ----------
    objective : Objective
    stepper : Optimizer
        Optimizer of the objective's weights.
    batch : int
        Samples per step; the last step of an epoch may have fewer.
    rng : Generator or None
        Draws the order of the samples; None keeps their order.
    """

    objective: Objective
    stepper: Optimizer
    batch: int
    rng: np.random.Generator | None

    def epoch(self, over: Over = never) -> None:
        """Pass once over the samples; stop early when ``over`` says that the time is up."""
        count = self.objective.num_samples
        order = np.arange(count) if self.rng is None else self.rng.permutation(count)
        for start in range(0, count, self.batch):
            if over():
                return
            chosen = order[start : start + self.batch]
            self.stepper.step(self.objective.directions(chosen))

    def snapshot(self) -> Mapping[str, Any]:
        weights, stepper = self.objective.weights, self.stepper.snapshot()
        return {"weights": weights, "stepper": stepper, "rng": self.rng}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot, changing the weights in place."""
        for W, kept in zip(self.objective.weights, snapshot["weights"], strict=True):
            W[...] = kept
        self.stepper.restore(snapshot["stepper"])
        self.rng = snapshot["rng"]


def own_run(solver: Any, objective: Objective) -> Run:
    """Return an objective's run, by the solver's ``checkpoint`` and ``checkpoint_every``.

    A checkpoint identifies the run by its initial weights and the gradient there on 1000 samples,
    which represents the data and the loss.
    """
    if solver.checkpoint is None:
        return Run()
    count = objective.num_samples
    some = np.unique(np.linspace(0, count - 1, 1000).astype(np.int64))
    slope = np.sqrt(sum(float(np.square(G).sum()) for G in objective.directions(some)))
    start = {
        "weights at the start": objective.weights,
        "samples": count,
        "gradient at the start": f"{slope:.6g}",
    }
    return Run(checkpoint=Checkpoint.of(solver, start))


@dataclass
class NetworkObjective:
    """Stack on data, with gradients in closed form.

    Parameters
    ----------
    network : Stack
    X, Y : ndarray, shape (N, ...)
        Inputs, and targets of the network's output.
    rule : str
        Rule for the directions, see :meth:`Stack.directions`.
    frozen : int
        Number of first layers that are not trained.

    Examples
    --------
    >>> from solvers.classical.gradients.outputs import softmax_cross_entropy
    >>> from solvers.classical.gradients.stack import RealLayer
    >>> network = Stack([RealLayer(np.zeros((2, 1)), None, None)], softmax_cross_entropy())
    >>> objective = NetworkObjective(network, np.array([[1.0], [-1.0]]), np.eye(2))
    >>> objective.directions(np.array([0, 1]))[0].ravel().tolist()
    [-0.5, 0.5]
    """

    network: Stack
    X: Array
    Y: Array
    rule: Rule = "gradient"
    frozen: int = 0

    @property
    def weights(self) -> list[Array]:
        """Weights and thresholds of the layers that are not frozen."""
        return [a for layer in self.network.layers[self.frozen :] for a in layer.arrays]

    @property
    def num_samples(self) -> int:
        return len(self.X)

    def loss(self) -> float:
        return self.network.loss(self.X, self.Y)

    def directions(self, samples: IntArray) -> list[Array]:
        """Return the rule's directions from some of the samples."""
        return self.network.directions(self.X[samples], self.Y[samples], self.rule, self.frozen)


class TorchObjective:
    """Torch module on data, with gradients by automatic differentiation.

    The module's parameters are changed in place, through NumPy views of them.

    Parameters
    ----------
    module : torch.nn.Module
        Module on the CPU.
    X, y : torch.Tensor
        Inputs and targets, with samples along the first axis.
    loss : callable
        Mean loss of (outputs, targets), such as ``torch.nn.functional.cross_entropy``.

    Raises
    ------
    MissingExtraError
        Without torch.
    InvalidInputError
        For a parameter that is not on the CPU.
    """

    def __init__(self, module: Any, X: Any, y: Any, loss: Callable[[Any, Any], Any]) -> None:
        torch = load_extra("torch", "torch", "training a torch module")
        self._torch, self.module, self.X, self.y, self._loss = torch, module, X, y, loss
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        for parameter in self._parameters:
            if parameter.device.type != "cpu":
                raise InvalidInputError(
                    f"a parameter on {parameter.device}: expected all on the CPU; "
                    "move the module there by module.cpu()"
                )
        self.weights: list[Array] = [p.detach().numpy() for p in self._parameters]

    @property
    def num_samples(self) -> int:
        return len(self.X)

    def loss(self) -> float:
        with self._torch.no_grad():
            return float(self._loss(self.module(self.X), self.y))

    def directions(self, samples: IntArray) -> list[Array]:
        chosen = self._torch.from_numpy(samples)
        value = self._loss(self.module(self.X[chosen]), self.y[chosen])
        return [g.numpy() for g in self._torch.autograd.grad(value, self._parameters)]
