"""What first-order training needs: weights to change in place, and gradients at them."""

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
    """A mean of losses over samples."""

    @property
    def weights(self) -> list[Array]:
        """What is trained, in place."""
        ...

    @property
    def num_samples(self) -> int:
        """Number of samples N."""
        ...

    def loss(self) -> float:
        """Mean loss over all samples."""
        ...

    def directions(self, samples: IntArray) -> list[Array]:
        """What each of ``weights`` is to be moved against, from some of the samples."""
        ...


@dataclass
class GradientDescent:
    """Training by epochs, and what it carries from one to the next.

    Parameters
    ----------
    objective : Objective
    stepper : Optimizer
        Of the objective's weights.
    batch : int
        Samples of a step; the last one of an epoch may have fewer.
    rng : Generator or None
        Draws the order of the samples; None leaves them in theirs.
    """

    objective: Objective
    stepper: Optimizer
    batch: int
    rng: np.random.Generator | None

    def epoch(self, over: Over = never) -> None:
        """One pass over the samples, which ends early where ``over`` says that the time is up."""
        count = self.objective.num_samples
        order = np.arange(count) if self.rng is None else self.rng.permutation(count)
        for start in range(0, count, self.batch):
            if over():
                return
            chosen = order[start : start + self.batch]
            self.stepper.step(self.objective.directions(chosen))

    def snapshot(self) -> Mapping[str, Any]:
        """Weights, stepper and order."""
        weights, stepper = self.objective.weights, self.stepper.snapshot()
        return {"weights": weights, "stepper": stepper, "rng": self.rng}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot, the weights in place."""
        for W, kept in zip(self.objective.weights, snapshot["weights"], strict=True):
            W[...] = kept
        self.stepper.restore(snapshot["stepper"])
        self.rng = snapshot["rng"]


def own_run(solver: Any, objective: Objective) -> Run:
    """The run of a solver with options ``checkpoint`` and ``checkpoint_every``, on an objective.

    It is told from others by the weights that it starts from, and by the gradient there of
    thousand samples, which stands for the data and the loss.
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
    """A stack on data, gradients in closed form.

    Parameters
    ----------
    network : Stack
    X, Y : ndarray, shape (N, ...)
        Inputs, and what the network's output takes as targets.
    rule : str
        Which directions, see :meth:`Stack.directions`.
    frozen : int
        First layers that stay as they are.

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
        """The network's weights and thresholds, but of the frozen layers."""
        return [a for layer in self.network.layers[self.frozen :] for a in layer.arrays]

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.X)

    def loss(self) -> float:
        """Mean loss."""
        return self.network.loss(self.X, self.Y)

    def directions(self, samples: IntArray) -> list[Array]:
        """By the rule, from some of the samples."""
        return self.network.directions(self.X[samples], self.Y[samples], self.rule, self.frozen)


class TorchObjective:
    """A torch module on data, gradients by automatic differentiation.

    The module's parameters are changed in place, through NumPy views of them.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU.
    X, y : torch.Tensor
        Inputs and targets, first axis the samples.
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
        """Number of samples."""
        return len(self.X)

    def loss(self) -> float:
        """Mean loss."""
        with self._torch.no_grad():
            return float(self._loss(self.module(self.X), self.y))

    def directions(self, samples: IntArray) -> list[Array]:
        """Gradients from some of the samples."""
        chosen = self._torch.from_numpy(samples)
        value = self._loss(self.module(self.X[chosen]), self.y[chosen])
        return [g.numpy() for g in self._torch.autograd.grad(value, self._parameters)]
