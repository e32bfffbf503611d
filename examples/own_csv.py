"""Your own CSV: a header, one row of numbers for each sample, and one column with the class.

Writes ``wine.csv`` (178 wines of three growers, 13 measurements each) into the current folder as an
example of such a file, and trains a network with ternary weights on it.  Every measurement is
mapped to five integer levels, with a fifth of the training samples on each.  Expect at least nine
in ten of the other samples right.
"""

import csv

from sklearn.datasets import load_wine

import qnn
from formulations import Network, TrainingProblem
from solvers import WeightAnnealing

wine = load_wine()
with open("wine.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow([*wine.feature_names, "grower"])
    table.writerows([*row, f"grower {y}"] for row, y in zip(wine.data, wine.target, strict=True))

data = qnn.load("wine.csv", target="grower", samples=120, levels=5)
network = Network.dense([data.num_inputs, 6, data.num_outputs], weights="ternary", bias=True)
problem = TrainingProblem(network, data.X_train, data.y_train)
result = WeightAnnealing(seed=0).solve(problem)

right = network.predict(result.weights, data.X_test) == data.y_test
print(f"classes: {', '.join(data.classes)}; {network.num_weight_bits} bits of weights")
print(f"hinge loss {result.loss:g}; {right.sum()} of {len(right)} others right")
print("The same on the command line:")
print("  qnn train wine.csv --target grower --samples 120 --levels 5 --hidden 6 \\")
print("      --weights ternary --bias same --solver annealing --flips 20000")
