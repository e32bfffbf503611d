from .classical.explicit import (
    ExplicitSoftmax,
)
from .classical.input_selection import (
    select_inputs,
    with_inputs,
    with_zeros,
)
from .classical.manifold import (
    ManifoldNetwork,
)
from .classical.monotone import (
    MonotoneVI,
)
from .classical.random_features import (
    RandomFeatures,
)
from .classical.rmda import (
    RMDA,
    ProxSGD,
)
from .classical.rounding import (
    RealTraining,
    Rounding,
)
from .classical.straight_through.solver import (
    StraightThrough,
)
from .decomposed.decomposed import (
    DecomposedQCGD,
)
from .exact import (
    ExactSolver,
)
from .hedging.hedging import (
    ProgressiveHedging,
)
from .hybrid_cqm import (
    HybridCQM,
)
from .neighborhood.search import (
    LargeNeighborhoodSearch,
)
from .qcgd.candidates import (
    Candidates,
)
from .qcgd.constraint_report import (
    constraint_report,
)
from .qcgd.multipliers import (
    LiftedRows,
)
from .qcgd.penalty import (
    PenaltyMethod,
)
from .qcgd.qcgd import (
    QCGD,
)
from .qcgd.sampler import (
    QCGDSampler,
)
from .random_search import (
    RandomSearch,
)
from .run.result import (
    History,
    Incumbent,
    Result,
    Status,
)
from .run.run import (
    Ledger,
    Progress,
)
from .shown import (
    progress_bar,
)
from .trainer import (
    Trainer,
)
from .weight_annealing import (
    WeightAnnealing,
)

__all__ = [
    "QCGD",
    "QCGDSampler",
    "RMDA",
    "Candidates",
    "DecomposedQCGD",
    "ExactSolver",
    "ExplicitSoftmax",
    "History",
    "HybridCQM",
    "Incumbent",
    "LargeNeighborhoodSearch",
    "Ledger",
    "LiftedRows",
    "ManifoldNetwork",
    "MonotoneVI",
    "PenaltyMethod",
    "Progress",
    "ProgressiveHedging",
    "ProxSGD",
    "RandomFeatures",
    "RandomSearch",
    "RealTraining",
    "Result",
    "Rounding",
    "Status",
    "StraightThrough",
    "Trainer",
    "WeightAnnealing",
    "constraint_report",
    "progress_bar",
    "select_inputs",
    "with_inputs",
    "with_zeros",
]
