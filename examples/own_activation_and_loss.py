"""Your own activation and loss: two Python functions of a numpy array.

The model uses integers and represents both functions by a few pieces, placed to minimise the
largest error.  The loss is a function of the margin y z.  Expect the model to grow with the number
of pieces, and the loss of the pieces to approach the loss of the functions themselves.
"""

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from formulations.training.error_bounds import real_outputs
from solvers import WeightAnnealing


def softsign(z):
    """Return a sigmoid like tanh, with longer tails."""
    return z / (1 + np.abs(z))


def squared_hinge(margin):
    """Penalise small violations little and large ones heavily."""
    return np.maximum(0, 1 - margin) ** 2


data = qnn.load("digits:3,8", samples=100, inputs=16)
for pieces in (3, 6, 12):
    network = Network.dense([16, 3, 1], softsign, pieces=pieces, order=0, resolution=8)
    problem = TrainingProblem(
        network, data.X_train, data.y_train, loss=squared_hinge, loss_pieces=pieces
    )
    result = WeightAnnealing(seed=0).solve(problem)
    margins = data.y_train * real_outputs(problem, result.weights, data.X_train)[:, 0]
    accuracy = (network.predict(result.weights, data.X_test) == data.y_test).mean()
    print(
        f"{pieces:2} pieces, {problem.size().num_variables:,} variables: "
        f"error of softsign {problem.splines[0].error:.3f}, loss by the pieces {result.loss:.1f}, "
        f"by the functions {squared_hinge(margins).sum():.1f}; test accuracy {accuracy:.3f}"
    )
