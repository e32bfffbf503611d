"""Two Dask workers, one of them killed during the run: the result is the same as in one process.

    pip install 'qnn-ising[dask]'
    python examples/dask_killed_worker.py

Three runs use the cluster: the blocks of a decomposed problem, the walks of a search by restricted
problems, and QCGD, whose candidates are polished in four parts.  Before the third step of each run
a worker gets SIGKILL.  Dask starts another worker, which receives the data that it needs.
"""

import os
import signal
from dataclasses import replace
from typing import Any

import numpy as np
from dask.distributed import Client, LocalCluster

import qnn
from formulations import Network, TrainingProblem
from solvers import QCGD, Candidates, DecomposedQCGD, LargeNeighborhoodSearch, Progress
from solvers.oracles import Annealer


def placed(solver: Any, **where: Any) -> Any:
    """Return the solver with its work on an executor; QCGD takes it with its candidates."""
    if isinstance(solver, QCGD):
        return replace(solver, candidates=replace(solver.candidates, **where))
    return replace(solver, **where)


def main() -> None:
    """Solve on the cluster with one worker killed, then again in this process."""
    data = qnn.load("digits:3,8", samples=120, inputs=16, seed=0)
    network = Network.dense([16, 5, 1], activation="sign")
    problem = TrainingProblem(network, data.X_train, data.y_train, loss="hinge:5")
    solvers = [
        DecomposedQCGD(Annealer(reads=4, sweeps=50, threads=1), block_size=15, iterations=6),
        LargeNeighborhoodSearch(walks=4, rounds=4000),
        QCGD(Annealer(reads=8, sweeps=20, threads=1), 6, candidates=Candidates(parts=4)),
    ]
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        for solver in solvers:
            killed: list[int] = []

            def kill(progress: Progress, killed: list[int] = killed) -> None:
                """Kill a worker as the third step begins."""
                if progress.iteration == 2 and not killed:
                    killed.append(min(client.run(os.getpid).values()))
                    os.kill(killed[0], signal.SIGKILL)

            there = placed(
                replace(solver, callbacks=(kill,)), executor=client.get_executor(), workers=2
            ).solve(problem)
            here = solver.solve(problem)
            same = np.array_equal(there.bits, here.bits) and there.loss == here.loss
            name = type(solver).__name__
            print(f"{name}: hinge loss {there.loss:g}, {len(killed)} worker killed")
            print(f"identical to serial: {same}")


if __name__ == "__main__":
    main()
