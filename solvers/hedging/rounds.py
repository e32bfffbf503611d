"""Rounds of progressive hedging: the formulas, and the decisions between rounds.

Arrays have leading axes for the branch b and the block k.  The formulas are those of
:mod:`solvers.hedging.hedging`, for all branches at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, BoolArray, FloatArray
from formulations.network.weight_bits import distinct_rows
from solvers.hedging import blocks as answering
from solvers.hedging.blocks import FREE, Answer, Block, Question, canonical_bits, free_weights
from solvers.hedging.bound import lagrangian_bound, loss_grid
from solvers.hedging.rho import CycleDetector, FixedRho, flip_scale, slammed
from solvers.hedging.state import AGREED, BEATEN, HedgingState
from solvers.hedging.symmetry import branch, incumbent_branch, unbroken
from solvers.run.executors import Team
from solvers.run.result import Incumbent
from solvers.run.run import Ledger, Run
from solvers.run.stopping import Over, never

ROUND, RESTART, SCALE = range(3)
"""First number of every random stream's key."""


@dataclass
class Round:
    """A round's input besides the state, the points that it finds, and its costs."""

    number: int
    incumbent: BitArray
    seconds: float | None
    points: list[BitArray] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)


class Hedge:
    """A run of progressive hedging between two rounds.

    Parameters
    ----------
    problem : TrainingProblem
    team : Team of Block
        Workers of the blocks.
    over : callable
        True once the time is up.
    rho : FixedRho or GrowingRho
    certifies : bool
        True if the blocks' answers carry bounds.
    symmetry, max_branches, cycles, restarts, seed
        Options of :class:`~solvers.hedging.hedging.ProgressiveHedging`.

    Attributes
    ----------
    p : ndarray of float64, shape (K,)
        Each block's share of the samples.
    branches : Branches
    base : ndarray of int8, shape (B, n)
        Bits fixed by each branch.
    state : HedgingState
        State after the latest round.
    """

    def __init__(
        self,
        problem: TrainingProblem,
        team: Team[Block],
        over: Over = never,
        *,
        rho: FixedRho,
        certifies: bool,
        symmetry: str | None = None,
        max_branches: int = 64,
        cycles: CycleDetector | None = None,
        restarts: int = 0,
        seed: int = 0,
    ) -> None:
        self.problem, self.team, self._over, self.policy = problem, team, over, rho
        self.certifies, self.cycles = certifies, cycles
        self.symmetry = symmetry or ("order" if certifies else "fix")
        self.max_branches, self.restarts, self.seed = max_branches, restarts, seed
        self.begun = False
        sizes = [block.problem.num_samples for block in team.models]
        self.p = np.array(sizes) / problem.num_samples
        self.up = loss_grid(problem)
        self.weight_of_bit = np.zeros(problem.num_free_bits, dtype=np.int64)
        for number, weight in enumerate(free_weights(problem)):
            self.weight_of_bit[weight.slots] = number

    def begin(self, start: BitArray | None) -> None:
        """Set all copies to the given bits; None starts without a proximal term."""
        self._break_symmetry(start)
        self.state, self.begun = self._first(start), True

    def _break_symmetry(self, start: BitArray | None) -> None:
        """Choose the branches; ``"fix"`` keeps only that of the start."""
        problem, self.start = self.problem, start
        if self.symmetry == "none":
            self.branches = unbroken(problem)
        elif self.symmetry == "order":
            self.branches = branch(problem, self.max_branches)
        else:
            mixed = np.arange(problem.num_free_bits) % 2 if start is None else start
            bits = problem.repair_bits(mixed[None])[0]
            self.branches = incumbent_branch(problem, bits, self.max_branches)
        self.base = self.branches.patterns

    def snapshot(self) -> dict[str, Any]:
        """Return the state from which the next round starts."""
        return {"start": self.start, "state": self.state.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._break_symmetry(snapshot["start"])
        self.state, self.begun = HedgingState.of(snapshot["state"]), True

    @cached_property
    def rho(self) -> FloatArray:
        """Return the first round's rho, scaled by the mean change of the loss per flip."""
        return self.policy.first(flip_scale(self.problem, self._rng(SCALE), self._over))

    # -- the formulas ------------------------------------------------------------------------------

    def round(self, run: Run) -> None:
        """Run one round and score its points on all samples."""
        assert run.incumbent.bits is not None
        left = None if run.time_limit is None else max(0.0, run.time_limit - run.seconds)
        this = Round(len(run.history) + 1, run.incumbent.bits, left)
        old, new = self.state, self.state.copy()
        self._step(old, new, this)
        self._commit(new, this, run)

    def _step(self, old: HedgingState, new: HedgingState, this: Round) -> None:
        """Ask the blocks and update copies and multipliers; the bound uses the old multipliers."""
        proximal = old.W + (old.rho * (0.5 - old.xbar))[:, None]
        asked = [(proximal, old.pattern)]
        if self.certifies:
            asked.append((old.W, self.base))
        answers = self._ask(asked, new, this)
        for b in old.open:
            new.x[b] = [answer.bits[0] for answer in answers[0][b]]
        new.xbar = self._mean(new.x)
        new.W = self._centred(old.W + old.rho[:, None] * (new.x - new.xbar[:, None]))
        if self.certifies:
            self._raise_bounds(new, answers[1], old.W)

    def _mean(self, x: FloatArray) -> FloatArray:
        """Return sum_k p_k x_k, shape (B, K, n) -> (B, n)."""
        return np.asarray(np.einsum("k,bkn->bn", self.p, x))

    def _centred(self, W: FloatArray) -> FloatArray:
        """Subtract sum_k p_k W_k, which is a rounding error, from the multipliers."""
        return W - self._mean(W)[:, None]

    # -- asking the blocks -------------------------------------------------------------------------

    def _ask(
        self, asked: list[tuple[FloatArray, BitArray]], state: HedgingState, this: Round
    ) -> list[dict[int, list[Answer]]]:
        """Minimise f_k + linear.x under each pattern; return an answer per branch and block."""
        tasks = []
        for number, (linear, patterns) in enumerate(asked):
            for b in state.open.tolist():
                starts = np.stack([self._rounded(state.xbar[b], this.incumbent), this.incumbent])
                starts = np.where(patterns[b] == FREE, starts, patterns[b]).astype(np.int8)
                for k, p in enumerate(self.p):
                    seed = (self.seed, ROUND, this.number, number, b, k)
                    question = Question(p * linear[b, k], patterns[b], starts, seed, this.seconds)
                    tasks.append((k, self._question(b, k, question)))
        team = self.team
        if getattr(team.models[0].solver, "asks_together", False):  # one call for the whole round
            answers = iter(answering.ask_all([(team.models[k], one) for k, one in tasks]))
        else:
            answers = iter(team.ask(answering.ask, tasks, this.seconds))
        told = [{b: [next(answers) for _ in self.p] for b in state.open.tolist()} for _ in asked]
        for by_branch in told:
            for answer in (answer for several in by_branch.values() for answer in several):
                this.points.append(answer.bits)
                this.ledger.add(answer.ledger)
        return told

    def _question(self, b: int, k: int, question: Question) -> Question:
        """Return the question to send to block k for branch b."""
        return question

    def _raise_bounds(
        self, state: HedgingState, answers: Mapping[int, list[Answer]], linear: FloatArray
    ) -> None:
        """Keep the best bound of each branch."""
        for b, several in answers.items():
            values = np.array([answer.bound for answer in several])
            bound = lagrangian_bound(values, self.p[:, None] * linear[b])
            state.bounds[b] = max(state.bounds[b], bound)

    # -- scoring -----------------------------------------------------------------------------------

    def _commit(self, new: HedgingState, this: Round, run: Run) -> None:
        """Score the points on all samples, decide how to proceed, and commit the round."""
        points = distinct_rows(np.concatenate(this.points))[0]
        losses = self.problem.losses(points)
        best = Incumbent(run.incumbent.bits, run.incumbent.loss)
        best.offer(points, losses)
        means = self._rounded_means(new, this, points, losses)
        mean_losses = self.problem.losses(means)
        best.offer(means, mean_losses)
        self._decide(new, best)
        self.state = new
        run.incumbent.offer(best.bits[None], [best.loss])  # type: ignore[index]
        run.ledger.add(this.ledger)
        run.history.record(
            iteration=this.number,
            loss=best.loss,
            mean_loss=mean_losses.min(),
            disagreement=self.disagreement,
            bound=new.bounds.min(),
            open=len(new.open),
            fixed=int((new.pattern != self.base).sum()),
        )

    def _rounded_means(
        self, state: HedgingState, this: Round, points: BitArray, losses: FloatArray
    ) -> BitArray:
        """Round each open branch's mean, and a vote in which better copies count more."""
        means = [self._rounded(state.xbar[b], this.incumbent) for b in state.open]
        known = {point.tobytes(): loss for point, loss in zip(points, losses, strict=True)}
        for b in state.open:
            copies = state.x[b].astype(np.int8)
            F = np.array([known[copy.tobytes()] for copy in copies])
            vote = self.p * np.exp(-(F - F.min()) / max(float((F - F.min()).mean()), 1e-12))
            means.append(self._rounded(vote @ copies / vote.sum(), this.incumbent))
        return np.array(means)

    def _rounded(self, xbar: FloatArray, ties: BitArray) -> BitArray:
        """Round a mean to majority bits, one-hot words to the largest; ``ties`` break ties."""
        bits: BitArray = np.where(xbar == 0.5, ties, xbar > 0.5).astype(np.int8)
        for words in self.problem.free_words:
            bits[words] = np.arange(words.shape[1]) == np.argmax(xbar[words], axis=1)[:, None]
        canonical: BitArray = canonical_bits(self.problem, bits[None])[0]
        return canonical

    # -- between two rounds ------------------------------------------------------------------------

    @property
    def disagreement(self) -> float:
        """Return the mean |x_k - xbar| over all bits of copies in open branches; at most 1/2."""
        state, open_ = self.state, self.state.open
        if not len(open_):
            return 0.0
        apart = np.abs(state.x[open_] - state.xbar[open_][:, None]).mean(axis=(0, 2))
        return float(self.p @ apart)

    def _decide(self, state: HedgingState, best: Incumbent) -> None:
        """Close branches, fix cycling weights, update rho, and restart if all copies agree."""
        assert best.bits is not None
        agree = _agreement(state)
        for b in state.open:
            if self.up(float(state.bounds[b])) >= best.loss:
                state.outcome[b] = BEATEN
            elif agree[b].all():
                state.outcome[b] = AGREED
        self._slam(state, np.logical_not(agree), best.bits)
        state.rho = self.policy.following(state.rho, np.logical_not(agree))
        for b in np.flatnonzero(state.outcome == AGREED).tolist():
            if state.restarts[b] < self.restarts:
                rng = self._rng(RESTART, int(state.restarts[b]), b)
                shaken = best.bits ^ (rng.random(len(best.bits)) < 0.2)  # a fifth of its bits
                state.begin_anew(b, self._first(shaken.astype(np.int8)))

    def _slam(self, state: HedgingState, disagree: BoolArray, ties: BitArray) -> None:
        """Fix one weight in every branch that cycles."""
        if self.cycles is None:
            return
        latest = self.cycles.hashes(state.W, state.rho)
        state.hashes = np.concatenate([latest[:, None], state.hashes[:, :-1]], axis=1)
        cycling = self.cycles.cycling(state.hashes, disagree)
        for b in state.open:
            chosen = cycling[b] & (state.pattern[b] == FREE)
            if chosen.any():
                rounded = self._rounded(state.xbar[b], ties)
                state.pattern[b] = slammed(
                    state.pattern[b], rounded, state.xbar[b], chosen, self.weight_of_bit
                )
                state.cycles += 1

    # -- beginnings --------------------------------------------------------------------------------

    def _first(self, bits: BitArray | None) -> HedgingState:
        """Set all copies to the weight bits as far as each branch allows; to 1/2 without bits."""
        xbar = np.full(self.base.shape, 0.5)
        if bits is not None:
            xbar[:] = self.branches.place(self.problem, bits)[0]
        window = self.cycles.window if self.cycles else 0
        return HedgingState.first(
            self.base, np.where(self.base == FREE, xbar, self.base), self.rho, len(self.p), window
        )

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    # -- the outcome -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """True if no branch is open."""
        return not len(self.state.open)

    def bound(self) -> float | None:
        """Certified bound of the whole problem, the least of the branches', or None."""
        least = float(self.state.bounds.min())
        return self.up(least) if self.branches.lossless and least > -np.inf else None

    def why(self, rounds: int) -> str:
        """Say how consensus was reached after the given rounds, or why it was not."""
        state, count = self.state, len(self.base)
        after = f"{rounds} round{'s' if rounds > 1 else ''}"
        if len(state.open):
            moving = f"mean |x - xbar| is {self.disagreement:.3f}"
            apart = 1.0 - _agreement(state)[state.open].mean()
            where = f"{apart:.1%} of the bits differ between blocks"
            slams = f"cycles were broken by fixing a weight {state.cycles} times"
            return (
                f"none after {after} in {len(state.open)} of {count} branches: {where}, "
                f"{moving}, {slams}; more rounds, a larger or growing rho, or larger blocks press "
                "harder, at the price of the loss"
            )
        if (state.outcome == BEATEN).all():
            return "not needed: the bound of every branch has met the best loss"
        return f"all copies were equal after {after}"


def _agreement(state: HedgingState) -> BoolArray:
    """Mark the bits on which all copies of a branch agree, shape (B, n)."""
    apart = np.abs(state.x - state.xbar[:, None])
    return np.asarray((apart <= 1e-6).all(axis=1), dtype=np.bool_)  # copies can be fractional
