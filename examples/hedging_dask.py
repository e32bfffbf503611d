"""Progressive hedging on a Dask cluster: the same result as in one process.

    pip install 'qnn-ising[dask]'
    python examples/hedging_dask.py [SCHEDULER-ADDRESS]

Without an address, the program starts a cluster of two workers on this machine.
"""

import sys

import numpy as np
from dask.distributed import Client

import qnn
from formulations import Network, TrainingProblem
from solvers.hedging.hedging import AnnealedBlocks, ProgressiveHedging


def main() -> None:
    """Run hedging on the cluster, then again in this process."""
    data = qnn.load("digits:3,8", samples=200, inputs=16, seed=0)
    network = Network.dense([16, 5, 1], activation="sign")
    problem = TrainingProblem(network, data.X_train, data.y_train)
    hedging = {"blocks": AnnealedBlocks(flips=5000), "block_size": 40, "rounds": 30, "seed": 0}

    address, own = sys.argv[1:2], {"n_workers": 2, "threads_per_worker": 1}
    with Client(*address, **({} if address else own)) as client:
        there = ProgressiveHedging(**hedging, executor=client.get_executor()).solve(problem)
    here = ProgressiveHedging(**hedging).solve(problem)

    print(f"hinge loss {there.loss:g} on the cluster, {here.loss:g} here; {there.info['why']}")
    print(f"identical: {np.array_equal(there.bits, here.bits)}")


if __name__ == "__main__":
    main()
