"""A first network: digits 3 against 8, 16 inputs, 4 hidden units, weights of one bit each."""

import qnn
from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.oracles import Annealer

data = qnn.load("digits:3,8", samples=50, inputs=16, seed=0)
network = Network.dense([16, 4, 1], activation="sign", weights="bipolar", bias=False)
problem = TrainingProblem(network, data.X_train, data.y_train, loss="hinge")
print(f"{network.num_weight_bits} weight bits, {problem.qcbo().num_variables} variables")

result = QCGD(oracle=Annealer(reads=5, sweeps=200), iterations=20, seed=0).solve(problem)
accuracy = (network.predict(result.weights, data.X_test) == data.y_test).mean()
print(
    f"{result.status.value}: hinge loss {result.loss:g} on 50 samples, test accuracy {accuracy:.3f}"
)
