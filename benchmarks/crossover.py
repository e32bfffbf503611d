"""How fast must an Ising machine answer to beat enumeration, and direct annealing?

    python benchmarks/crossover.py [--json FILE]

Four tables, all in processor time of one core, so that other work on the machine changes little:

building     a restricted model and its QUBO by the compiled builder, against the general one; both
             make the identical model, bit for bit, which is checked first
enumeration  k free weights of a hidden unit of 49-8-1 on N samples: seconds to enumerate all 2^k
             settings and to build each of the two forms, time left for the machine's answer, and
             the share of the best possible improvement of a block that a call of the annealer
             here achieves, averaged over the improvable blocks of an early incumbent
annealing    direct annealing of the weights: its median loss and time; how many restricted problems
             reach that loss, each answered exactly (states) or by the annealer here (flips); and
             hence the longest call with which the search is as fast
machines     published times of a call
"""

from __future__ import annotations

import time

from sharing import parser_of, write_figures

time.perf_counter = time.process_time  # before the solvers' clocks are created

import argparse  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from formulations import QCBO, Network, TrainingProblem  # noqa: E402
from solvers import LargeNeighborhoodSearch, WeightAnnealing  # noqa: E402
from solvers.kernels.blocks import heat_bath, visit  # noqa: E402
from solvers.kernels.incremental_loss import IncrementalLoss  # noqa: E402
from solvers.neighborhood.asking import DAMPING  # noqa: E402
from solvers.oracles import QUBO, Annealer  # noqa: E402
from solvers.oracles.cloud.estimates import TIMINGS  # noqa: E402
from solvers.qcgd.lifting import Lifting  # noqa: E402
from solvers.restricted.builder import RestrictedBuilder  # noqa: E402
from solvers.restricted.flips import flip_model  # noqa: E402
from solvers.restricted.penalised import penalised  # noqa: E402

MOST_SECONDS = 30.0
"""Processor time after which a search that has not reached its rival's loss is abandoned."""

MACHINES = [
    ("D-Wave Advantage, 5 reads, clique of 180", 1e6 * TIMINGS["P"].access_seconds(3_000, 5)),
    ("D-Wave Advantage2, 5 reads, clique of 180", 1e6 * TIMINGS["Z"].access_seconds(3_000, 5)),
    ("the same two, anneal and readout of one read alone", 20.0 + 101.0),
    ("coherent Ising machine, 2,000 spins", 5_000.0),
    ("simulated bifurcation on an FPGA, 2,000 spins", 500.0),
]
"""Microseconds of a call.  QPU: access time according to :mod:`solvers.oracles.cloud.estimates`,
from D-Wave's documentation.  The others: Goto, Tatsumura, Dixon, Science Advances 5, eaav2372
(2019), 0.5 ms on an FPGA, a tenth of the coherent machine's time."""


def seconds_of(call: Callable[[], Any], runs: int = 1) -> float:
    """Return the median processor time of a call."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return median(taken)


def problem(widths: list[int], samples: int) -> TrainingProblem:
    """Return a noisy majority over some of the inputs."""
    rng = np.random.default_rng(0)
    X = rng.choice([-3, -1, 1, 3], size=(samples, widths[0]))
    score = X[:, :9].sum(axis=1) + rng.normal(size=samples)
    y = np.where(score > 0, 1, -1) if widths[-1] == 1 else np.digitize(score, np.arange(-8, 9, 2))
    return TrainingProblem(Network.dense(widths, bias=True), X, y)


# -- building -------------------------------------------------------------------------------------


def ask_states(builder: RestrictedBuilder, *restriction: Any, weight: float = 1.0) -> QUBO:
    """Build the QUBO of a restriction with the compiled builder."""
    return penalised(builder.build(*restriction)[0], weight)[0]


def general_model(part: TrainingProblem, free: np.ndarray, bits: np.ndarray, z: list) -> QCBO:
    """Build the model of a restriction with the general builder."""
    return part.restrict(free, bits, z).qcbo()


def general_qubo(model: QCBO) -> QUBO:
    """Build the QUBO of a model from its lifted rows and the scale of their penalties."""
    lifting = Lifting.of(model)
    return lifting.qubo(np.full(lifting.num_multipliers, lifting.plausible_scale()))


def building(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return the first table."""
    print(f"{'':29}{'model, ms':>26}{'QUBO, ms':>26}{'both':>7}")
    print(
        f"{'network':>10} {'samples':>9} {'bits':>7}"
        + 2 * f"{'compiled':>10}{'general':>9}{'ratio':>7}"
    )
    rows = []
    for widths, samples, most in (
        ([16, 5, 1], 100, None),
        ([49, 8, 1], 1_000, None),
        ([196, 64, 10], 10_000, 2_000),
    ):
        task, rng = problem(widths, samples), np.random.default_rng(1)
        bits = task.random_bits(rng, 1)[0]
        landscape = IncrementalLoss(task)
        landscape.set_bits(bits)
        known = landscape.pre_activation_rows()
        builder, figures = RestrictedBuilder(task), []
        for _ in range(options.blocks):
            unit = rng.integers(widths[1]) * (widths[0] + 1)
            free = np.sort(unit + rng.choice(widths[0] + 1, 8, replace=False))
            order = rng.permutation(samples) if most else np.arange(samples)
            model, taken = builder.build(free, bits, order, known, most)
            part, z = task.subset(taken), landscape.pre_activations(taken)
            general = general_model(part, free, bits, z)
            assert np.array_equal(model.value, general.rows.data)
            figures.append(
                (
                    len(model.linear),
                    len(taken),
                    seconds_of(partial(builder.build, free, bits, order, known, most), 5),
                    seconds_of(partial(general_model, part, free, bits, z), 3),
                    seconds_of(partial(penalised, model, 1.0), 5),
                    seconds_of(partial(general_qubo, general), 3),
                )
            )
        names = ("variables", "samples", "model", "general_model", "qubo", "general_qubo")
        row = {n: float(median(c)) for n, c in zip(names, zip(*figures, strict=True), strict=True)}
        rows.append({"network": "-".join(map(str, widths)), **row})
        line = f"{rows[-1]['network']:>10} {row['samples']:>9,.0f} {row['variables']:>7,.0f}"
        for new, old in (("model", "general_model"), ("qubo", "general_qubo")):
            line += f"{1e3 * row[new]:>10.3f}{1e3 * row[old]:>9.1f}{row[old] / row[new]:>6.0f}x"
        both = (row["general_model"] + row["general_qubo"]) / (row["model"] + row["qubo"])
        print(f"{line}{both:>6.0f}x", flush=True)
    return rows


# -- against enumeration ---------------------------------------------------------------------------


def against_enumeration(task: TrainingProblem, bits: np.ndarray, k: int, blocks: int):
    """Return medians over some blocks of k weights of a hidden unit."""
    rng, annealer = np.random.default_rng(k), Annealer(reads=5, sweeps=100)
    landscape, builder = IncrementalLoss(task), RestrictedBuilder(task)
    landscape.set_bits(bits)
    state, moves = landscape.state, landscape.moves
    z = state.z.reshape(-1, len(state.samples))
    samples, figures = np.arange(task.num_samples), []
    for _ in range(blocks):
        unit = rng.integers(8)
        block = np.flatnonzero((moves.layer == 0) & (moves.neuron == unit))
        block = rng.choice(block, k, replace=False)
        free = landscape.bits_of(block)
        here = moves.choice[block].copy()
        gains, best = np.zeros(1), moves.choice.copy()

        bath = (block[None], np.zeros(1), gains, best, np.inf, -np.inf)
        taken = seconds_of(partial(heat_bath, state, moves, rng, *bath))
        least = float(state.losses[0])
        visit(state, moves, block, here, True)
        qubo, scale = penalised(builder.build(free, bits, samples, z)[0])
        ask = partial(ask_states, builder, free, bits, samples, z, weight=scale)
        states = seconds_of(ask, 3)
        there = 1 - here
        flips = seconds_of(partial(flip_model, state, moves, block, there))
        answer = annealer.sample(qubo, np.random.SeedSequence(k))
        found = np.tile(bits, (len(answer.x), 1))
        found[:, free] = answer.x[:, -k:]
        losses = task.losses(found)
        quadratic = annealer.sample(
            flip_model(state, moves, block, there, DAMPING), np.random.SeedSequence(k)
        )
        before = best_flip = float(state.losses[0])
        for read in quadratic.x:
            moved = np.flatnonzero(read)
            if len(moved):
                values = visit(state, moves, block[moved], there[moved], True)
                best_flip = min(best_flip, float(values.min()))
                visit(state, moves, block[moved], here[moved], True)
        figures.append(
            (
                taken, states, flips, answer.seconds, quadratic.seconds, qubo.num_variables,
                before - least, before - landscape.value(float(losses.min())), before - best_flip,
            )
        )  # fmt: skip
    columns = list(zip(*figures, strict=True))
    possible, by_states, by_flips = np.array(columns[6:])
    open_ = possible > 1e-6
    names = ("enumerate", "states", "flips", "call_states", "call_flips", "variables")
    row = {name: float(median(column)) for name, column in zip(names, columns, strict=False)}
    shares = [
        float(np.mean(np.maximum(got, 0)[open_] / possible[open_])) if open_.any() else 0.0
        for got in (by_states, by_flips)
    ]
    return {
        "k": k,
        "samples": task.num_samples,
        **row,
        "blocks": int(open_.sum()),
        "states_share": shares[0],
        "flips_share": shares[1],
    }


def enumeration(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return the second table."""
    print(
        f"\n{'N':>6} {'k':>3} {'enumerate':>12} {'states':>9} {'bits':>6} {'flips':>9} "
        f"{'left for states':>16} {'reached':>8} {'left for flips':>15} {'reached':>8}"
    )
    rows = []
    for samples in options.samples:
        task = problem([49, 8, 1], samples)
        bits = LargeNeighborhoodSearch(rounds=100).solve(task).bits
        against_enumeration(task, bits, 2, 1)
        for k in options.k:
            row = against_enumeration(task, bits, k, options.blocks)
            rows.append(row)
            left = [_microseconds(row["enumerate"] - row[form]) for form in ("states", "flips")]
            print(
                f"{samples:>6} {k:>3} {1e6 * row['enumerate']:>9,.0f} us "
                f"{1e6 * row['states']:>6,.0f} us {row['variables']:>6.0f} "
                f"{1e6 * row['flips']:>6,.0f} us {left[0]:>16} {row['states_share']:>8.0%} "
                f"{left[1]:>15} {row['flips_share']:>8.0%} of {row['blocks']}",
                flush=True,
            )
    return rows


def _microseconds(seconds: float) -> str:
    return f"{1e6 * seconds:,.0f} us" if seconds > 0 else "none"


# -- against direct annealing ----------------------------------------------------------------------


def rounds_to_match(
    task: TrainingProblem, loss: float, seeds: int, **options: Any
) -> tuple[int, float] | None:
    """Count restricted problems to reach a median loss, and the seconds of one without calls."""
    rounds, spent = 32, time.process_time()
    while time.process_time() - spent < MOST_SECONDS:
        runs = [
            LargeNeighborhoodSearch(rounds=rounds, seed=seed, **options).solve(task)
            for seed in range(seeds)
        ]
        if median(run.loss for run in runs) <= loss:
            return rounds, median((run.seconds - run.ledger.seconds) / rounds for run in runs)
        rounds *= 2
    return None


def annealing(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return the third table."""
    print(f"\n{'N':>6} {'form':>7} {'k':>4} {'annealing':>20} {'rounds':>7} {'own':>9}  left")
    rows = []
    for samples in options.samples:
        task = problem([49, 8, 1], samples)
        WeightAnnealing(flips=100).solve(task)
        runs = [WeightAnnealing(flips=options.flips, seed=s).solve(task) for s in range(5)]
        loss, seconds = median(run.loss for run in runs), median(run.seconds for run in runs)
        landscape = IncrementalLoss(task)
        landscape.set_bits(runs[0].bits)
        known = np.arange(samples), landscape.state.z.reshape(-1, len(landscape.state.samples))
        builder, rng = RestrictedBuilder(task), np.random.default_rng(0)
        for form, k in [("states", k) for k in options.matched] + [
            ("flips", k) for k in options.flip_sizes
        ]:
            if form == "states":  # answered by enumeration, whose time does not count
                reached = rounds_to_match(task, loss, options.seeds, sizes=(k,))
                free = np.sort(rng.integers(8) * 50 + rng.choice(50, k, replace=False))
                own = seconds_of(partial(ask_states, builder, free, runs[0].bits, *known), 5)
            else:
                oracle = Annealer(reads=10, sweeps=200)
                reached = rounds_to_match(
                    task, loss, options.seeds, oracle=oracle, model="flips", sizes=(k,)
                )
                own = reached[1] if reached else float("nan")
            row = {
                "form": form,
                "k": k,
                "samples": samples,
                "loss": loss,
                "seconds": seconds,
                "rounds": reached and reached[0],
                "own_us": 1e6 * own,
                "left_us": reached and 1e6 * (seconds / reached[0] - own),
            }
            rows.append(row)
            left = "not reached" if reached is None else _microseconds(1e-6 * row["left_us"])
            print(
                f"{samples:>6} {form:>7} {k:>4} {f'{loss:g} in {seconds:.3f} s':>20} "
                f"{row['rounds'] or '-':>7} {row['own_us']:>6,.0f} us  {left}",
                flush=True,
            )
    return rows


def main() -> None:
    """Measure, print the tables, write the figures."""
    parser = parser_of(__doc__)
    names = ["building", "enumeration", "annealing"]
    parser.add_argument("--tables", nargs="+", choices=names, default=names)
    parser.add_argument("--k", type=int, nargs="+", default=[4, 8, 12, 16, 18])
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--matched", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--flip-sizes", type=int, nargs="+", default=[16, 64, 180])
    parser.add_argument("--flips", type=int, default=20_000, help="of direct annealing")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    tables = {"building": building, "enumeration": enumeration, "annealing": annealing}
    figures: dict[str, Any] = {}
    for name in options.tables:
        figures[name] = tables[name](options)
        write_figures(options.json, {**figures, "machines": MACHINES})
    for name, microseconds in MACHINES:
        print(f"{name:55} {microseconds:>8,.0f} us a call")


if __name__ == "__main__":
    main()
