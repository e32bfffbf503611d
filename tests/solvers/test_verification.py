"""Verdicts on boxes of inputs against enumeration of every input."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network
from formulations.training.free_inputs import InputBox
from solvers.oracles import ExactOracle
from solvers.qcgd.qcgd import QCGD
from solvers.verification import decide
from tests.formulations.test_free_inputs import KINDS, every_input, network_and_box

METHODS = ["intervals", "search", "cp-sat"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_no_verdict_is_contradicted_by_enumeration(kind: int, method: str) -> None:
    if method == "cp-sat":
        pytest.importorskip("ortools")
    seen = set()
    for seed in range(24):
        net, weights, box = network_and_box(seed, kind)
        predicted = net.predict(weights, every_input(box))
        right = int(net.predict(weights, box.sample[None])[0])
        verdict = decide(net, weights, box, right, method=method)
        seen.add(verdict.verdict)
        if verdict.verdict == "robust":
            assert (predicted == right).all()
        elif verdict.verdict == "counter-example":
            x = verdict.counter_example
            assert (every_input(box) == x).all(axis=1).any()
            assert net.predict(weights, x[None])[0] != right
        else:
            assert method != "cp-sat"
    assert "robust" in seen
    assert method == "intervals" or "counter-example" in seen


def test_a_sample_that_is_wrong_is_its_own_counter_example() -> None:
    net, weights, box = network_and_box(0, 0)
    right = -int(net.predict(weights, box.sample[None])[0])
    verdict = decide(net, weights, box, right)
    assert (verdict.verdict, verdict.by) == ("counter-example", "sample")
    assert verdict.counter_example.tolist() == box.sample.tolist()


def test_columns_that_a_counter_example_does_not_need_are_those_of_the_sample() -> None:
    for seed in range(24):
        net, weights, box = network_and_box(seed, 1)
        right = int(net.predict(weights, box.sample[None])[0])
        verdict = decide(net, weights, box, right, method="search")
        if (x := verdict.counter_example) is None:
            continue
        own, found = (v.reshape(len(box.own), -1) for v in (box.sample, x))
        for c in np.flatnonzero((own != found).any(axis=1)):
            back = found.copy()
            back[c] = own[c]
            assert net.predict(weights, back.reshape(1, -1))[0] == right


@pytest.mark.parametrize("kind", [0, 1])
def test_qcgd_finds_what_there_is_and_proves_with_an_exact_oracle(kind: int) -> None:
    decided = set()
    for seed in (0, 3, 6, 9):
        net, weights, box = network_and_box(seed, kind)
        predicted = net.predict(weights, every_input(box))
        right = int(net.predict(weights, box.sample[None])[0])
        for oracle in (None, ExactOracle()):
            qcgd = QCGD(oracle=oracle, iterations=20)
            verdict = decide(net, weights, box, right, method="qcgd", qcgd=qcgd)
            robust = bool((predicted == right).all())
            assert verdict.verdict in ("open", "robust" if robust else "counter-example")
            decided.add(verdict.verdict)
    assert decided >= {"robust", "counter-example"}


def test_no_time_leaves_a_sample_open() -> None:
    for seed in range(24):
        net, weights, box = network_and_box(seed, 2)
        right = int(net.predict(weights, box.sample[None])[0])
        verdict = decide(net, weights, box, right, time_limit=1e-9)
        assert verdict.by in ("intervals", "search", "time limit")


def test_convolutions_and_pooling_are_verified_as_they_are() -> None:
    pytest.importorskip("ortools")
    net = Network.conv((1, 4, 4), ["conv:3:2", "pool:majority:2:1"], 3)
    splines = tuple(layer.place(-9, 9) for layer in net.layers[:-1])
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        weights = net.decode_bits(rng.integers(0, 2, net.num_weight_bits), splines)
        low = rng.integers(-1, 1, (16, 1, 1))
        moved = np.arange(16)[:, None, None] < 9  # the other inputs stay
        box = InputBox(np.concatenate([low, low + 2 * moved], axis=1), np.zeros(16, dtype=np.int64))
        predicted = net.predict(weights, every_input(box))
        right = int(net.predict(weights, box.sample[None])[0])
        verdict = decide(net, weights, box, right)
        robust = bool((predicted == right).all())
        assert verdict.verdict == ("robust" if robust else "counter-example")
        seen.add(robust)
    assert seen == {True, False}
