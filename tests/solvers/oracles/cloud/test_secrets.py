"""No credential in any text, in whatever form a client's words give it."""

from __future__ import annotations

import json
import logging
import textwrap
import traceback
from base64 import b64encode, urlsafe_b64encode
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import OracleError
from solvers import QCGD
from solvers.oracles import Annealer, Record, Samples
from solvers.oracles.base import QUBO
from solvers.oracles.cloud.secrets import HIDDEN, Redactor, redacted, without_secrets

SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
AWKWARD = SAFE + "-_.+/=%&<>'\"\\ \n\té数"
tokens = st.text(AWKWARD, min_size=14, max_size=50).map(lambda t: f"DEV-{t}-end9")

WORDS = {
    "as it is": lambda t: t,
    "on one line": lambda t: " ".join(t.split()),
    "without blanks": lambda t: "".join(t.split()),
    "repr": repr,
    "repr of bytes": lambda t: repr(t.encode()),
    "repr of repr": lambda t: repr(repr(t)),
    "ascii": ascii,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda t: json.dumps(t, ensure_ascii=False),
    "in an address": lambda t: quote(t, safe=""),
    "in a path": quote,
    "in a query": quote_plus,
    "query": lambda t: urlencode({"token": t}),
    "in a page": escape,
    "hexadecimal": lambda t: t.encode().hex(),
    "wrapped": lambda t: "\n".join(textwrap.wrap(t, 12, break_on_hyphens=False)),
    "header": lambda t: "Basic " + b64encode(f"user:{t}".encode()).decode(),
    "header for addresses": lambda t: urlsafe_b64encode(f"u:{t}:more".encode()).decode(),
    "header without padding": lambda t: b64encode(f"ab{t}".encode()).decode().rstrip("="),
}


def planted(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("DWAVE_CONFIG_FILE", "/nowhere/dwave.conf")
    monkeypatch.setenv("DWAVE_API_TOKEN", token)


@pytest.mark.parametrize("form", WORDS)
@settings(max_examples=15)
@given(token=tokens)
def test_a_token_is_hidden_in_every_form(form: str, token: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        planted(patch, token)
        said = WORDS[form](token)
        shown = redacted(f"refused <{said}> by solver A")
        assert HIDDEN in shown
        assert shown.endswith("> by solver A")
        left = shown.removeprefix("refused <").removesuffix("> by solver A").replace(HIDDEN, "")
        assert len(left) < 24  # quotes, "Basic ", the name of a field, and of a user
        assert not without_secrets(ValueError(said))


def test_each_line_of_a_token_of_several_is_hidden_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted(monkeypatch, "DEV-first-half\nsecond-half-9\r\n")
    assert redacted("header 'second-half-9'") == f"header '{HIDDEN}'"
    assert redacted(r"b'DEV-first-half\nsecond-half-9\r\n'") == rf"b'{HIDDEN}\r\n'"


def test_the_password_of_a_proxy_is_hidden_and_its_address_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://me:pass-word-1@proxy:8080")
    assert redacted("cannot reach proxy:8080 as me:pass-word-1") == (
        f"cannot reach proxy:8080 as me:{HIDDEN}"
    )


def test_an_ordinary_text_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, "DEV-first-half\nsecond-half-9")
    text = "the first half of the second-hand problem 9"
    assert redacted(text) == text
    assert Redactor().deep({"a": [1, text, None]}) == {"a": [1, text, None]}


class Talkative:
    """An oracle that quotes its token in its answers, or in the error of one call."""

    def __init__(self, said: str, fails_at: int | None) -> None:
        self.said, self.fails_at, self.calls = said, fails_at, 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls += 1
        if self.calls == self.fails_at:
            raise ValueError(f"Invalid header value {self.said}")
        samples = Annealer(reads=2, sweeps=5).sample(qubo, seed)
        info = {"request": self.said, self.said: [self.said]}
        return Samples(samples.x, samples.energies, samples.seconds, info=info)


@pytest.mark.parametrize("fails_at", [1, 2, None])
@pytest.mark.parametrize("form", ["as it is", "repr", "in an address", "header"])
def test_a_token_of_two_lines_is_in_no_file_error_or_log(
    form: str,
    fails_at: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = "DEV-0123abcd\n4567efgh"
    planted(monkeypatch, token)
    caplog.set_level(logging.DEBUG)
    said = WORDS[form](token)
    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    oracle = Record(Talkative(said, fails_at), tmp_path / "record")
    solver = QCGD(oracle, iterations=3, checkpoint=tmp_path / "run", checkpoint_every=0)
    texts = []
    try:
        result = solver.solve(problem)
        texts += [repr(result), json.dumps(result.info, default=str)]
    except OracleError as error:
        texts += [str(error), "".join(traceback.format_exception(error))]
    texts.append(caplog.text)
    for path in tmp_path.rglob("*.npz"):
        with np.load(path) as archive:
            texts += [archive[name].tobytes().decode("latin-1") for name in archive.files]
    for text in texts:
        for part in (said, " ".join(said.split()), "0123abcd", "4567efgh"):
            assert part not in text
