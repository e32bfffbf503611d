"""Progressive hedging over MPI: the first process coordinates, the others solve the blocks.

pip install mpi4py
mpiexec -n 3 python -m mpi4py.futures examples/hedging_mpi.py
"""

from mpi4py.futures import MPIPoolExecutor

import qnn
from formulations import Network, TrainingProblem
from solvers.hedging.hedging import AnnealedBlocks, ProgressiveHedging


def main() -> None:
    """Run hedging on all processes of the MPI job."""
    data = qnn.load("digits:3,8", samples=200, inputs=16, seed=0)
    network = Network.dense([16, 5, 1], activation="sign")
    problem = TrainingProblem(network, data.X_train, data.y_train)
    with MPIPoolExecutor() as executor:
        result = ProgressiveHedging(
            AnnealedBlocks(flips=5000), block_size=40, rounds=30, seed=0, executor=executor
        ).solve(problem)
    print(f"hinge loss {result.loss:g} on 200 samples; {result.info['why']}")
    print(f"{result.info['shipped']} models shipped for {result.info['rounds']} rounds")


if __name__ == "__main__":
    main()
