"""For a microcontroller: digits as a C program without dependencies, about one bit a weight.

Trains a classifier of ten digits on 8 x 8 images, writes it to the folder ``digits`` as C, builds
it with the installed C compiler, and runs the program on the test images.  Pixels are already whole
numbers, so no levels are needed.  Expect the program to agree with Python on every image, at a
twenty-fifth of the size of the same network in float32.
"""

import shutil
import subprocess

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qnn import QNNClassifier
from qnn.export import TrainedModel, export, usual_sizes
from solvers import WeightAnnealing

X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
annealing = WeightAnnealing(flips=100_000)
classifier = QNNClassifier(hidden=(64,), weights="bipolar", levels=None, solver=annealing)
classifier.fit(X_train, y_train)
print(f"test accuracy {classifier.score(X_test, y_test):.3f}, ", end="")
print(f"{classifier.bits_per_weight_:.2f} bits a weight")

model = TrainedModel.of(classifier)
for form in [*export(model, packed="digits.qnnp", c="digits"), *usual_sizes(model)]:
    print(f"{form.form:<12} {form.size:>6,} bytes")

compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
if compiler is None:
    print("no C compiler here: build the folder digits where there is one, cc -O2 digits/*.c")
else:
    sources = [f"digits/{name}.c" for name in ("main", "qnn", "network")]
    subprocess.run([compiler, "-O2", *sources, "-o", "digits/predict"], check=True)
    images = "\n".join(" ".join(map(str, image)) for image in X_test.astype(int))
    run = subprocess.run(
        ["digits/predict"], input=images, capture_output=True, text=True, check=True
    )
    same = [int(line) for line in run.stdout.split()] == classifier.predict(X_test).tolist()
    print(f"the C program says the same of all {len(X_test)} test images: {same}")
