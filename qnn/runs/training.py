"""One training run, from the options of the public interface to its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import choose
from formulations.errors import InvalidInputError
from formulations.network.convolution import Part
from formulations.network.network import Weights
from formulations.neurons import ENCODINGS
from qnn.architecture import fits_linear, network_for, recipe_by_folds
from qnn.data.datasets import Dataset, load
from qnn.runs.constraints import constraints_of, kept
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import make_solver
from solvers.classical.logistic import RidgeLogistic
from solvers.oracles.wrappers.base import layers
from solvers.run.checkpoint import EVERY
from solvers.run.result import Result
from solvers.run.run import Callback
from solvers.run.solver import Iterative, Solver
from solvers.trainer import Trainer


@dataclass(frozen=True)
class DataOptions:
    """Arguments of :func:`qnn.data.datasets.load`, except the seed."""

    spec: str
    samples: int | str | None = 100
    inputs: int | None = None
    levels: int | str | None = 2
    target: str | None = None
    data_dir: str | None = None

    def load(self, seed: int, recipe: Any = None) -> Dataset:
        """Return the data set that ``seed`` draws; ``recipe`` chooses levels ``"auto"``."""
        return load(
            self.spec,
            samples=self.samples,
            inputs=self.inputs,
            levels=self.levels,
            seed=seed,
            target=self.target,
            data_dir=self.data_dir,
            recipe=recipe,
        )


@dataclass(frozen=True)
class ModelOptions:
    """Hidden part of the network, loss, and encoding; the data determine the other widths.

    Values that are None are chosen from the budget of ``bits``, see
    :func:`qnn.architecture.network_for`.
    """

    hidden: tuple[int | str, ...] | None = (5,)
    activation: str = "sign"
    weights: str | None = "bipolar"
    bias: bool | str = False
    loss: str = "hinge"
    encoding: str | None = None
    bits: int | None = None
    constraints: tuple[str, ...] = ()

    def network(self, data: Dataset) -> Network:
        if data.strength is not None:
            return self._of_inputs(data.X_train, data.num_outputs, hidden=[])
        return self._of_inputs(data.X_train, data.num_outputs)

    def recipe(self, X: FloatArray, numbers: IntArray) -> tuple[int | str, float | None]:
        """Choose levels, and whether a network that may be linear is, by folds."""
        free = self.hidden is None and self.weights is None and not self.constraints
        return recipe_by_folds(
            X,
            numbers,
            self._of_inputs,
            linear=free and self.loss == "cross-entropy" and fits_linear(X, numbers, self.bits),
        )

    def _of_inputs(
        self, X: IntArray, outputs: int, hidden: Sequence[Part] | None = None
    ) -> Network:
        return network_for(
            X,
            outputs,
            self.bits,
            hidden=hidden if self.hidden is None else list(self.hidden),
            activation=self.activation,
            weights=self.weights,
            bias=self.bias,
        )


def problem_of(
    data: DataOptions, model: ModelOptions, seed: int
) -> tuple[Dataset, TrainingProblem]:
    """Return the data set that ``seed`` draws, and the problem, refusing bad data and names."""
    drawn = data.load(seed, model.recipe)
    if model.encoding is not None:
        choose("encoding", model.encoding, list(ENCODINGS))
    network = model.network(drawn)
    constraints = constraints_of(
        model.constraints, drawn, target=data.target, data_dir=data.data_dir
    )
    return drawn, TrainingProblem(
        network, drawn.X_train, drawn.y_train, loss=model.loss, constraints=constraints
    )


def thinned(columns: Mapping[str, Sequence[float]], most: int = 200) -> dict[str, list[float]]:
    """Thin columns to a number of rows, including the first and the last, to seven digits.

    Histories and traces are stored with the figures in this form.

    Examples
    --------
    >>> thinned({"iteration": range(1, 1002)}, most=3)
    {'iteration': [1.0, 501.0, 1001.0]}
    """
    count = len(next(iter(columns.values()), ()))
    rows = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return {name: [float(f"{values[row]:.7g}") for row in rows] for name, values in columns.items()}


@dataclass(frozen=True)
class Training:
    """A run: its data and problem, the solver's result, and the figures to report."""

    data: Dataset
    problem: TrainingProblem
    result: Result
    figures: dict[str, Any]

    @property
    def course(self) -> dict[str, Any]:
        """Ledger, trace, and the solver's own history, thinned."""
        return {
            "ledger": asdict(self.result.ledger),
            "trace": thinned(self.result.trace.columns),
            "history": thinned(self.result.history.columns),
        }


def with_checkpoint(solver: Any, name: str, folder: str, every: float = EVERY) -> Solver:
    """Return the same solver with its state kept in a folder, from which it resumes."""
    if not hasattr(solver, "checkpoint"):
        raise InvalidInputError(
            f"solver {name!r} keeps no checkpoints: leave out --checkpoint, or take a solver that "
            "works step by step, such as annealing or qcgd"
        )
    kept: Solver = replace(solver, checkpoint=folder, checkpoint_every=every)
    return kept


def train(
    data: DataOptions,
    model: ModelOptions,
    solver: str,
    options: SolverOptions,
    *,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | None = None,
    checkpoint_every: float = EVERY,
) -> Training:
    """Load, build, solve and score.  The seed draws the training part and starts the solver.

    With a folder as ``checkpoint``, a stopped run resumes when it is called again with the same
    arguments.

    Examples
    --------
    >>> run = train(DataOptions("iris:0,1", samples=20), ModelOptions(hidden=(2,)), "annealing",
    ...             SolverOptions(flips=2000))
    >>> run.figures["train_accuracy"]
    1.0
    """
    chosen = make_solver(solver, options, encoding=model.encoding, seed=seed, callbacks=callbacks)
    if checkpoint is not None:
        chosen = with_checkpoint(chosen, solver, checkpoint, checkpoint_every)
    drawn, problem = problem_of(data, model, seed)
    if drawn.strength is not None and isinstance(chosen, Trainer):
        shared = {one.name: getattr(chosen, one.name) for one in fields(Iterative)}
        chosen = RidgeLogistic(drawn.strength, **shared)
    return trained(drawn, problem, chosen, solver, options, model.encoding, seed)


def trained(
    drawn: Dataset,
    problem: TrainingProblem,
    chosen: Solver,
    solver: str,
    options: SolverOptions,
    encoding: str | None,
    seed: int,
) -> Training:
    """Solve a problem and score the result; ``solver`` is the chosen one's name in the figures."""
    network = problem.network
    result = chosen.solve(problem)
    asked = getattr(chosen, "oracle", None)
    counts = (getattr(layer, "sweeps", None) for layer in layers(asked))
    sweeps = next((count for count in counts if count is not None), 0)
    try:
        num_variables = problem.size(encoding).num_variables
    except InvalidInputError:  # the loss has no model, such as cross-entropy
        num_variables = None
    figures = {
        "solver": solver,
        "oracle": None if asked is None else options.oracle or "annealer",
        "seed": seed,
        "status": result.status.value,
        "reason": result.info.get("reason"),
        "loss": problem.loss_kind.name,
        "train_loss": result.loss,
        "lower_bound": result.lower_bound,
        "train_accuracy": accuracy(network, result.weights, drawn.X_train, drawn.y_train),
        "test_accuracy": accuracy(network, result.weights, drawn.X_test, drawn.y_test),
        "widths": network.widths,
        "weight_bits": network.num_weight_bits,
        "num_weights": network.num_weights,
        "stored_bits": network.stored_bits,
        "bits_per_weight": network.bits_per_weight,
        "num_variables": num_variables,
        "oracle_calls": result.ledger.calls,
        "oracle_sweeps": result.ledger.reads * sweeps,  # None for an oracle without one
        "oracle_seconds": result.ledger.seconds,
        "oracle_charged": result.ledger.charged,
        "seconds": result.seconds,
        "constraints": kept(result.info.get("broken", {}), problem.constraints),
        "train_samples": len(drawn.X_train),
        "test_samples": len(drawn.X_test),
    }
    return Training(drawn, problem, result, figures)


def accuracy(
    network: Network, weights: Weights, X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> float | None:
    """Return the share of samples predicted correctly; None without samples."""
    return float(np.mean(network.predict(weights, X) == y)) if len(X) else None
