"""Choose solvers and widths with GridSearchCV on breast_cancer, beside logistic regression.

The estimator works in a pipeline like any other, and its solver is a parameter like its width.  The
accuracies at the end are those of the whole search: each fold is tested with the setting that the
other folds chose.  Expect logistic regression, with 32 bits a weight, to be three or four
hundredths ahead of ours, with little more than one bit a weight.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qnn import QNNClassifier
from solvers import LargeNeighborhoodSearch, StraightThrough, WeightAnnealing

X, y = load_breast_cancer(return_X_y=True)
grid = {
    "qnnclassifier__hidden": [(2,), (8,)],
    "qnnclassifier__solver": [
        WeightAnnealing(flips=5000),
        LargeNeighborhoodSearch(rounds=100),
        StraightThrough(epochs=5),
    ],
}
search = GridSearchCV(make_pipeline(SelectKBest(k=20), QNNClassifier()), grid, cv=3).fit(X, y)
for setting, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    width, solver = setting.values()
    print(f"hidden {width}, {type(solver).__name__:<24} {score:.3f}")

bits = search.best_estimator_[-1].bits_per_weight_
logistic = make_pipeline(StandardScaler(), LogisticRegression())
ours, theirs = (cross_val_score(model, X, y, cv=3).mean() for model in (search, logistic))
print(f"the search           {ours:.3f}, {bits:.2f} bits a weight")
print(f"logistic regression  {theirs:.3f}, 32 bits a weight")
