from .base import (
    QUBO,
    BatchOracle,
    Oracle,
    Samples,
    WarmOracle,
)
from .cloud.hybrid import (
    HybridBQM,
)
from .cloud.qpu import (
    QPU,
)
from .dimod_sampler import (
    DimodOracle,
    from_dimod,
)
from .here.annealing import (
    Annealer,
)
from .here.bifurcation import (
    SimulatedBifurcation,
)
from .here.coherent import (
    CoherentIsing,
)
from .here.descent import (
    SteepestDescent,
)
from .here.exact import (
    ExactOracle,
)
from .here.parallel import (
    ParallelAnnealer,
)
from .here.path_integral import (
    PathIntegral,
)
from .here.tabu import (
    Tabu,
)
from .here.tempering import (
    ParallelTempering,
)
from .here.tree import (
    TreeDecomposition,
)
from .ledger import (
    Ledger,
)
from .wrappers.blockwise import (
    Blockwise,
)
from .wrappers.budget import (
    Budget,
)
from .wrappers.caching import (
    Caching,
)
from .wrappers.distortion import (
    Clipping,
    Noise,
    Precision,
)
from .wrappers.gauge import (
    SpinReversal,
)
from .wrappers.record import (
    Record,
    Replay,
)
from .wrappers.retry import (
    Retry,
    Timeout,
)
from .wrappers.success import (
    Success,
)

__all__ = [
    "QUBO",
    "Oracle",
    "BatchOracle",
    "Samples",
    "WarmOracle",
    "Annealer",
    "QPU",
    "HybridBQM",
    "ExactOracle",
    "ParallelTempering",
    "ParallelAnnealer",
    "PathIntegral",
    "Tabu",
    "SteepestDescent",
    "TreeDecomposition",
    "SimulatedBifurcation",
    "CoherentIsing",
    "DimodOracle",
    "from_dimod",
    "Blockwise",
    "Budget",
    "Caching",
    "Clipping",
    "Ledger",
    "Noise",
    "Precision",
    "Record",
    "Replay",
    "Retry",
    "SpinReversal",
    "Success",
    "Timeout",
]
