"""Counts before building: variables, rows, products, memory; exact, by formula.

For B weight bits and a word of S_l + 1 bits in each neuron of layer l,

    n_w = sum_l n_l (B n_{l-1} + B_bias)
    n_s = sum_l n_l (S_l + 1) + B sum_{l>=2} n_l n_{l-1}      per sample, sign neurons

which is what the counts below come to; they also hold for every other activation, encoding and
restriction, because they sum over the bounds that interval propagation finds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from formulations.errors import InvalidInputError, ModelSizeError
from formulations.network import Network

if TYPE_CHECKING:
    from formulations.problem import TrainingProblem


@dataclass(frozen=True)
class ModelSize:
    """Exact counts of a model; ``nonzeros`` (entries of the rows) is an upper bound.

    ``bytes`` is what building takes at its peak, from the counts (measured: within a factor of 2).
    """

    weight_bits: int
    state_bits: int
    num_rows: int
    num_products: int
    nonzeros: int

    @property
    def num_variables(self) -> int:
        """Weight bits and state bits."""
        return self.weight_bits + self.state_bits

    @property
    def bytes(self) -> int:
        """Memory at the peak of building: some twenty 8-byte words an entry, ten a variable."""
        return 160 * self.nonzeros + 80 * (self.num_variables + self.num_rows)

    def times(self, samples: int) -> ModelSize:
        """The size for ``samples`` samples of the same kind."""
        return ModelSize(
            self.weight_bits,
            self.state_bits * samples,
            self.num_rows * samples,
            self.num_products * samples,
            self.nonzeros * samples,
        )


def model_size(problem: TrainingProblem, encoding: str | None = None) -> ModelSize:
    """Counts of ``problem.qcbo(encoding)``, from its bounds alone."""
    from formulations.training_model import walk_counts

    words = problem.free_words()
    state_bits, rows, products, nonzeros = 0, len(words), 0, words.size
    for _, counts, weight_products, entries in walk_counts(problem, encoding):
        has_row = counts.rows > 0
        state_bits += int(counts.bits.sum() + weight_products.sum())
        products += int(counts.products.sum() + weight_products.sum())
        rows += int(counts.rows.sum())
        nonzeros += int((counts.nonzeros + entries * has_row).sum())
    return ModelSize(problem.num_free_bits, state_bits, rows, products, nonzeros)


def network_size(
    network: Network,
    samples: int,
    *,
    input_range: int = 1,
    loss: str = "hinge",
    encoding: str | None = None,
) -> ModelSize:
    """Counts for data not yet seen: every input of magnitude ``input_range``, which is the most.

    Examples
    --------
    >>> network_size(Network.dense([16, 4, 1], bias=True), 1000).num_variables
    32073
    >>> network_size(Network.dense([16, 4, 1], bias=True), 1).num_variables
    105
    """
    from formulations.problem import TrainingProblem

    if samples < 1 or input_range < 1:
        raise InvalidInputError(
            f"samples={samples!r}, input_range={input_range!r}: expected positive integers"
        )
    one = TrainingProblem(
        network,
        np.full((1, network.widths[0]), input_range),
        [1 if network.num_outputs == 1 else 0],
        loss=loss,
    )
    return one.size(encoding).times(samples)


def available_memory() -> int | None:
    """Bytes of memory free now, or None where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def refuse_if_too_large(size: ModelSize, memory_limit: float | None = None) -> None:
    """Raise before building a model that would not fit.

    Raises
    ------
    ModelSizeError
        With the counts, the memory needed and the memory there is.
    """
    limit = available_memory() if memory_limit is None else memory_limit
    if limit is not None and size.bytes > limit:
        raise ModelSizeError(
            f"the model would have {size.num_variables:,} variables, {size.num_rows:,} rows and "
            f"{size.nonzeros:,} entries, about {size.bytes / 2**30:.1f} GiB, and "
            f"{limit / 2**30:.1f} GiB are free: train on fewer samples, solve blocks or restricted "
            "problems, or narrow the network"
        )
