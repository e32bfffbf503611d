"""``qnn verify``: what a level is, and verdicts on raw data."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import qnn
from formulations import Network
from formulations.errors import InvalidInputError
from formulations.network.network import Weights
from qnn.export import TrainedModel
from qnn.verification import raw_example

RAW = np.arange(-1.0, 6.0, 0.25)
"""Numbers on both sides of every threshold."""


def random_model(seed: int, each: int, whole: bool) -> TrainedModel:
    """Three columns of four thresholds, some of them equal, as levels or as a thermometer code."""
    rng = np.random.default_rng([seed, each])
    ends = np.sort(rng.integers(0, 5, (4, 3)) + 0.25 * rng.integers(0, 2, (4, 3)), axis=0)
    thresholds = ends if each == 1 else ends.T.reshape(1, -1)
    inputs, outputs = 3 * each, 1 + 2 * (seed % 2)
    net = Network.dense([inputs, 4, outputs], "sign", "ternary", "integer:2")
    bits = rng.integers(0, 2, net.num_weight_bits)
    weights = net.decode_bits(bits, (net.layers[0].place(0, 0),))
    span = (1, 6) if whole else None
    return TrainedModel(net, weights, thresholds, raw_span=span, repeat=each)


def level(model: TrainedModel, x: np.ndarray) -> np.ndarray:
    """Level of each raw number, by the definition."""
    ends = np.sort(model.thresholds.reshape(-1, 3, model.repeat).transpose(1, 0, 2).reshape(3, -1))
    return np.stack([np.searchsorted(ends[c], x[:, c]) for c in range(3)], axis=1)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("each", [1, 4])
def test_a_radius_counts_levels_that_raw_numbers_are_at(each: int, whole: bool) -> None:
    pytest.importorskip("ortools")
    values = np.arange(1.0, 7.0) if whole else RAW
    everything = np.array(list(product(values, repeat=3)))
    seen = set()
    for seed in range(6):
        model = random_model(seed, each, whole)
        X = everything[np.random.default_rng(seed).integers(0, len(everything), 6)]
        y = model.predict(X)
        levels, answers = level(model, everything), model.predict(everything)
        for radius in (1, 2):
            for x, right, verdict in zip(
                X, y, qnn.verify(model, X, y, radius, time_limit=None), strict=True
            ):
                near = (np.abs(levels - level(model, x[None])) <= radius).all(axis=1)
                robust = bool((answers[near] == right).all())
                assert verdict.verdict == ("robust" if robust else "counter-example")
                seen.add(robust)
                if not robust:
                    raw = raw_example(model, x, verdict.counter_example)[None]
                    assert model.on_lattice(raw)[0].tolist() == verdict.counter_example.tolist()
                    assert model.predict(raw)[0] != right
                    assert (np.abs(level(model, raw) - level(model, x[None])) <= radius).all()
                    if whole:
                        assert ((raw == np.rint(raw)) & (raw >= 1) & (raw <= 6)).all()
    assert seen == {True, False}


def test_whole_numbers_without_levels_stay_within_their_range() -> None:
    weights = Weights((np.array([[1, 1]]),), (None,), ())
    model = TrainedModel(Network.dense([2, 1]), weights, span=(0, 9, 1))
    found = qnn.verify(model, [[1, 0]], ["1"], 5)  # -4 would be wrong, and is no input
    assert found[0].verdict == "robust"


def test_blocks_of_images_are_the_raw_numbers() -> None:
    weights = Weights((np.array([[1, 1, 1, 1]]),), (None,), ())
    ends = np.full((1, 4), 2.5)
    model = TrainedModel(
        Network.dense([4, 1]), weights, ends, raw_span=(0, 1), image=(4, 4)
    )  # sums of four bits
    images = np.zeros((2, 16))
    images[1] = 1.0
    assert [v.verdict for v in qnn.verify(model, images, ["-1", "+1"], 1)] == [
        "counter-example"
    ] * 2
    never = TrainedModel(
        Network.dense([4, 1]), weights, np.full((1, 4), 4.0), raw_span=(0, 1), image=(4, 4)
    )
    assert [v.verdict for v in qnn.verify(never, images, ["-1", "-1"], 1)] == ["robust"] * 2


def test_what_is_no_classifier_or_no_class_is_refused() -> None:
    weights = Weights((np.array([[1, 1]]),), (None,), ())
    line = TrainedModel(Network.dense([2, 1]), weights, span=(0, 9, 1), line=(1.0, 0.0))
    with pytest.raises(InvalidInputError, match="regression"):
        qnn.verify(line, [[1, 0]], [1])
    model = TrainedModel(Network.dense([2, 1]), weights, span=(0, 9, 1), classes=("no", "yes"))
    with pytest.raises(InvalidInputError, match="'maybe'"):
        qnn.verify(model, [[1, 0]], ["maybe"])
    with pytest.raises(InvalidInputError, match="solver"):
        qnn.verify(model, [[1, 0]], ["no"], solver="luck")


def test_ctrl_c_keeps_what_is_known() -> None:
    weights = Weights((np.array([[1, 1]]),), (None,), ())
    model = TrainedModel(Network.dense([2, 1]), weights, span=(0, 9, 1))

    def interrupt(k: int, _: object) -> None:
        if k == 1:
            raise KeyboardInterrupt

    found = qnn.verify(model, [[1, 0]] * 4, ["1"] * 4, on_verdict=interrupt)
    assert [v.by for v in found] == ["intervals"] * 2 + ["interrupted"] * 2


def test_the_command_writes_counter_examples_that_a_network_is_trained_against(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    network, save, out = (tmp_path / name for name in ("net.npz", "against.csv", "out.json"))
    train = ("train", "iris:0,1", "--levels", "4", "--hidden", "none", "--weights", "ternary")
    assert run(*train, "--solver", "annealing", "--save", network)[0] == 0
    code, said, _ = run("verify", network, "iris:0,1", "--radius", 2, "--save", save, "--json", out)
    assert code == 0
    record = json.loads(out.read_text())
    against = [s for s in record["samples"] if s["verdict"] == "counter-example"]
    assert sum(c["samples"] for c in record["counts"]) == len(record["samples"]) == 100
    assert against
    assert "certified accuracy" in said
    assert len(save.read_text().splitlines()) == 1 + len(against)
    _, said, _ = run("test", network, save, "--json", "-")
    assert json.loads(said)["correct"] == 0
    code, _, _ = run(
        *train, "--solver", "annealing", "--constraint", f"right:{save}", "--json", out
    )
    assert code == 0
    code, said, _ = run(
        "verify", network, "iris:0,1", "--first", 1, "--solver", "qcgd", "--time-limit", 1
    )
    assert code == 0
