"""Your own activation and loss: two Python functions of a numpy array.

The model counts in integers, and has both as a few straight pieces, placed so that the largest
error is least; the loss is a function of the margin y z.  Expect the model to grow with the pieces,
and the loss by the pieces to come near the loss by the functions themselves.
"""

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from formulations.training.error_bounds import real_outputs
from solvers import WeightAnnealing


def softsign(z):
    """Like tanh, with longer tails."""
    return z / (1 + np.abs(z))


def squared_hinge(margin):
    """Forgives small violations, and resents large ones."""
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
