"""Digits 3 against 8 in ten lines: a network with 85 weights of one bit each.

QCGD turns the training into a model of about 4,000 bits and solves it with 20,000 sweeps of
simulated annealing.  Expect hinge loss 0 on the training samples and about nine in ten of the other
samples right.
"""

import qnn
from formulations import Network, TrainingProblem
from solvers import QCGD

data = qnn.load("digits:3,8", samples=100, inputs=16)
network = Network.dense([16, 5, 1])
problem = TrainingProblem(network, data.X_train, data.y_train)
result = QCGD(iterations=40, seed=0).solve(problem)
accuracy = (network.predict(result.weights, data.X_test) == data.y_test).mean()
print(f"{network.num_weight_bits} bits; hinge loss {result.loss:g} on 100 samples")
print(f"right on {accuracy:.0%} of {len(data.y_test)} others")
