"""Cells of a comparison, and the plan that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from formulations.checks import choose
from formulations.errors import InvalidInputError, QnnError
from qnn.compare.references import REFERENCES, refer
from qnn.data.sources import open_source
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS, asks_oracle, make_solver, solver_names
from qnn.runs.training import DataOptions, ModelOptions, problem_of, train

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Examples
    --------
    >>> Cell(DataOptions("digits"), ModelOptions(), "qcgd", SolverOptions(), seed=3).key
    'digits qcgd seed=3'
    """

    data: DataOptions
    model: ModelOptions
    solver: str
    options: SolverOptions
    seed: int

    @property
    def variant(self) -> str:
        """Name of the solver, with the penalty weight if there is one."""
        return f"penalty {self.options.penalty:g}" if self.solver == "penalty" else self.solver

    @property
    def key(self) -> str:
        """Key that distinguishes the cell from the others of its comparison."""
        return f"{self.data.spec} {self.variant} seed={self.seed}"

    def run(self) -> Outcome:
        """Train and report; an error in this cell becomes its outcome."""
        try:
            if self.solver in REFERENCES:
                return self.head | refer(self.solver, self.data, self.model, self.seed)
            training = train(self.data, self.model, self.solver, self.options, seed=self.seed)
        except QnnError as error:
            return self.failed(str(error))
        except Exception as error:  # One failing cell must not lose hours of others.
            return self.failed(f"{type(error).__name__}: {error}")
        return {**self.head, **training.figures, **training.course}

    def failed(self, reason: str) -> Outcome:
        """Return the outcome of a cell that failed."""
        return {**self.head, "status": "failed", "error": reason}

    @property
    def head(self) -> Outcome:
        """Fields that every outcome begins with."""
        return {
            "key": self.key,
            "data": self.data.spec,
            "variant": self.variant,
            "solver": self.solver,
            "seed": self.seed,
        }

    def check(self) -> None:
        """Refuse a cell that cannot be run, without running it."""
        if self.solver not in REFERENCES:
            make_solver(self.solver, self.options, encoding=self.model.encoding, seed=self.seed)
        problem_of(self.data, self.model, self.seed)


def plan(
    data: DataOptions | Sequence[DataOptions],
    model: ModelOptions,
    options: SolverOptions,
    *,
    solvers: Sequence[str],
    seeds: Sequence[int],
    penalties: Sequence[float],
    exact_time_limit: float = 10.0,
    equal: str = "sweeps",
) -> list[Cell]:
    """Return the cells of a comparison, data set by data set and seed by seed.

    Each solver with an oracle gets the whole budget of ``options``; ``penalty`` gets it once per
    weight.

    Parameters
    ----------
    data : DataOptions or sequence of DataOptions
    model : ModelOptions
    options : SolverOptions
    solvers : sequence of str
        Names of :func:`solver_names` and of ``REFERENCES``.
    seeds : sequence of int
    penalties : sequence of float
        Weights for ``penalty`` to try.
    exact_time_limit : float
        Seconds of ``exact``, which makes no oracle calls; unused if ``equal`` is ``"seconds"``.
    equal : {"sweeps", "seconds"}
        Resource that all solvers get equally: reads x sweeps of the oracle, or wall-clock time.
        With seconds, every solver runs until the time limit of ``options``, on one thread.

    Examples
    --------
    >>> cells = plan(DataOptions("digits"), ModelOptions(), SolverOptions(),
    ...              solvers=["qcgd", "penalty"], seeds=[0], penalties=[0.1, 1.0])
    >>> [cell.key for cell in cells]
    ['digits qcgd seed=0', 'digits penalty 0.1 seed=0', 'digits penalty 1 seed=0']
    """
    datasets = [data] if isinstance(data, DataOptions) else list(data)
    _check_names([one.spec for one in datasets], solvers)
    if not seeds:
        raise InvalidInputError("no seeds: expected at least one")
    if not penalties or len(set(penalties)) != len(penalties) or min(penalties) <= 0:
        raise InvalidInputError(f"penalties {list(penalties)}: expected different positive numbers")
    if choose("budget", equal, ["sweeps", "seconds"]) == "seconds":
        if options.time_limit is None:
            raise InvalidInputError(
                "equal seconds without a time limit: say how many, --time-limit 5"
            )
        options = replace(options, iterations=None, threads=1)
        exact_time_limit = options.time_limit or exact_time_limit
    return [
        Cell(one, model, name, variant, seed)
        for one in datasets
        for seed in seeds
        for name in solvers
        for variant in _variants(name, options, penalties, exact_time_limit)
    ]


def _check_names(specs: Sequence[str], solvers: Sequence[str]) -> None:
    for name in solvers:
        if name not in (*SOLVERS, *REFERENCES):  # reading what is installed takes longer
            choose("solver", name, [*solver_names(), *REFERENCES])
    if not solvers or len(set(solvers)) != len(solvers):
        raise InvalidInputError(
            f"solvers {', '.join(solvers)!r}: expected each name once, such as "
            "qcgd,penalty,annealing"
        )
    if not specs or len(set(specs)) != len(specs):
        raise InvalidInputError(
            f"data {', '.join(specs)!r}: expected each data set once, such as digits:3,8 wine"
        )


def _variants(
    name: str, options: SolverOptions, penalties: Sequence[float], exact_time_limit: float
) -> list[SolverOptions]:
    """Return the options of each run of a solver: several only for the weights of ``penalty``."""
    own = options
    if name in REFERENCES or not asks_oracle(name):
        own = replace(options, oracle=None, oracle_option=())
    if name == "penalty":
        return [replace(own, penalty=weight) for weight in penalties]
    return [replace(own, time_limit=exact_time_limit) if name == "exact" else own]


def words_to_data(words: Sequence[str], options: DataOptions) -> list[DataOptions]:
    """Return a data set for each word; ``digits:pairs`` makes one per pair of its classes.

    Only images are pooled: among several data sets, the others keep their columns.

    Examples
    --------
    >>> sets = words_to_data(["digits:3,8", "iris:pairs"], DataOptions("", inputs=16))
    >>> [(one.spec, one.inputs) for one in sets]
    [('digits:3,8', 16), ('iris:0,1', None), ('iris:0,2', None), ('iris:1,2', None)]
    """
    single = len(words) == 1 and not words[0].endswith(":pairs")
    if single:
        return [replace(options, spec=words[0])]
    return [one for word in words for one in _datasets(word, options)]


def _datasets(word: str, options: DataOptions) -> list[DataOptions]:
    name, _, selection = word.rpartition(":")
    every_pair = bool(name) and selection == "pairs"
    source = open_source(
        name if every_pair else word, target=options.target, data_dir=options.data_dir
    )
    inputs = options.inputs if source.image_shape else None
    specs = [word]
    if every_pair:
        classes = [str(c) for c in np.unique(source.y)]
        specs = [f"{name}:{a},{b}" for a, b in combinations(classes, 2)]
    return [replace(options, spec=spec, inputs=inputs) for spec in specs]
