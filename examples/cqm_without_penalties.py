"""Assign crews to shifts as a CQM: QCGD, which needs no penalty, beside four penalty weights.

Each method gets 1,000 reads of 100 sweeps of simulated annealing. QCGD also repairs its samples.
"""

import dimod
import numpy as np
from dwave.samplers import SimulatedAnnealingSampler

from solvers import QCGD
from solvers.oracles import Annealer

CREWS, SHIFTS, NEED = 8, 6, 2
rng = np.random.default_rng(0)
wage = rng.integers(5, 15, CREWS)
friction = rng.integers(0, 6, (CREWS, CREWS))  # cost of two crews in one shift

cqm = dimod.ConstrainedQuadraticModel()
x = {(c, s): dimod.Binary(f"crew {c} in shift {s}") for c in range(CREWS) for s in range(SHIFTS)}
extra = dimod.Integer("extra shifts", upper_bound=3)  # the most of any crew, beyond its first
cqm.set_objective(
    sum(int(wage[c]) * bit for (c, _), bit in x.items())
    + sum(int(friction[a, b]) * x[a, s] * x[b, s] for a, s in x for b in range(a + 1, CREWS))
    + 20 * extra
)
for s in range(SHIFTS):
    cqm.add_constraint(sum(x[c, s] for c in range(CREWS)) == NEED, label=f"shift {s}")
for c in range(CREWS):
    cqm.add_constraint(sum(x[c, s] for s in range(SHIFTS)) - extra <= 1, label=f"crew {c}")

solver = QCGD(oracle=Annealer(reads=20, sweeps=100), iterations=50, seed=1)
samples = solver.sample_cqm(cqm)
print(f"QCGD             cost {samples.first.energy:5g}   feasible: {samples.first.is_feasible}")

for penalty in (1, 10, 100, None):
    bqm, invert = dimod.cqm_to_bqm(cqm, lagrange_multiplier=penalty)
    found = SimulatedAnnealingSampler().sample(bqm, num_reads=50 * 20, num_sweeps=100, seed=1)
    judged = dimod.SampleSet.from_samples_cqm([invert(s) for s in found.samples()], cqm)
    feasible = judged.filter(lambda d: d.is_feasible)
    cost = f"{feasible.first.energy:5g}" if len(feasible) else "    -"
    share = judged.record.is_feasible.mean()
    print(f"penalty {penalty or 'default':<8} cost {cost}   feasible: {share:.0%} of the samples")

# A penalty method cannot take these two directly: a quadratic row and a soft constraint.
cqm.add_constraint(sum(x[0, s] * x[1, s] for s in range(SHIFTS)) >= 1, label="0 trains 1")
cqm.add_constraint(x[2, 0] + x[3, 0] == 2, label="wish", weight=3.0)
samples = solver.sample_cqm(cqm)
print(f"with two more    cost {samples.first.energy:5g}   feasible: {samples.first.is_feasible}")
print("price of a missing crew, by shift:", end=" ")
print(
    ", ".join(f"{samples.info['multipliers']['square'][f'shift {s}']:.0f}" for s in range(SHIFTS))
)
