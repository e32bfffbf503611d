from .data.datasets import (
    Dataset,
    load,
)
from .estimators import (
    QNNClassifier,
)
from .regressor import (
    QNNRegressor,
)
from .verification import (
    verify,
)

__version__: str

__all__ = [
    "Dataset",
    "QNNClassifier",
    "QNNRegressor",
    "__version__",
    "load",
    "verify",
]
