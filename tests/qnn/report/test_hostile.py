"""Names from outside act nowhere: in no page, no chart, no Markdown, no terminal."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn import report
from qnn.cli import console
from qnn.runs.tables import comparison_tables
from qnn.visible import ACTING, each_text, visible
from tests.qnn.report.results import of_cells, outcome, reference

HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</title></svg></style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "-->",
    "]]>",
    "$\\frac{1",
    "$x^2$ and $y$",
    'a" style="fill:none" id="x" d="1.2345 M',
    "url(#x)",
    "[click](javascript:alert(1))",
    "![](https://example.org/pixel.png)",
    "`code` | cell",
    "\x1b[31m\x1b]0;title\x07\x9b2J",
    "abc\u202ecod.exe\u2066",
    "two\nlines\r\nand\ttab",
    "\x00\ud800\ufffe\U000e0041",
    "&lt;&amp;",
]


def batched(names: list[str], size: int) -> list[list[str]]:
    """So many names at a time, for each page takes a second."""
    return [names[first : first + size] for first in range(0, len(names), size)]


def results(name: str) -> dict[str, Any]:
    """A comparison in which everything that comes from outside has this name."""
    cells = []
    for data in ("NAME one", "NAME two"):
        for seed in (0, 1):
            cells.append(outcome(data, "qcgd", seed, 5.0, reason="NAME reason"))
            cells.append({**outcome(data, "NAME", seed, 6.0), "solver": "NAME solver"})
            cells.append(outcome(data, "hedging", seed, None, error="NAME error"))
            cells.append(reference(data, seed))
    plain = of_cells(cells, command="qnn compare NAME")
    plain["environment"] = {**plain["environment"], "system": "NAME", "packages": {"NAME": "NAME"}}
    plain["datasets"] = [{"spec": "NAME one", "target": "NAME"}, {"spec": "NAME two"}]
    plain["model"] = {**plain["model"], "NAME": "NAME"}
    found: dict[str, Any] = each_text(plain, lambda text: text.replace("NAME", name))
    return found


class Elements(HTMLParser):
    """What a page is made of: its elements with the names of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: set[tuple[str, ...]] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add((tag, *sorted(name for name, _ in attrs)))
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.kinds.add(("comment",))


@pytest.fixture(scope="module")
def ordinary() -> Elements:
    return Elements(report.html(results("plain")))


@pytest.mark.parametrize("name", ["<!--", *map(" ".join, batched(HOSTILE, 4))], ids=repr)
def test_a_page_has_the_elements_that_it_has_anyway(name: str, ordinary: Elements) -> None:
    page = report.html(results(name))
    found = Elements(page)
    assert found.kinds <= ordinary.kinds
    assert not ACTING.search(page)
    assert "�" not in page
    for attribute, value in found.attributes:
        if attribute not in ("aria-label", "content"):
            assert "alert" not in value
    squeezed = "".join(found.text.split())
    assert squeezed.count("".join(visible(name).split())) >= 5


def test_a_chart_shows_a_name_as_it_is() -> None:
    """Not as mathematics, and not as a part of the picture."""
    page = report.html(results("$x^2$ d=1.23456"))
    (svg, *_) = re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL)
    assert "$x^2$ d=1.23456" in svg


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_markdown_has_no_element_link_or_picture_of_a_name(name: str) -> None:
    page = report.markdown(results(name))
    assert not ACTING.search(page)
    assert "<" not in page.replace("&lt;", "").replace("< 0.0001", "")
    assert not re.search(r"(?<!\\)\]\(|(?<!\\)`", page)


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_nothing_acts_on_a_terminal(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = results(name)
    shown = console.for_tables(None)
    for table in comparison_tables(found):
        shown.print(table)
    for line in report.told([found]):
        console.say(line)
    shown.print(f"written: {name}")
    console.say(name, err=True)
    captured = capsys.readouterr()
    for text in captured:
        assert not ACTING.search(text)
    first = visible(name, lines=True).split("\n")[0]
    assert "".join(first.split()) in "".join(captured.out.split())


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
@pytest.mark.parametrize("command", ["train", "report", "solve", "export"])
def test_no_error_of_a_command_acts_on_a_terminal(
    command: str, name: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    place = name.replace("\0", "").replace("\ud800", "\udcff")
    code, out, err = run(command, f"{place}.csv")
    assert code != 0
    assert not ACTING.search(out + err)
    assert "Traceback" not in err


@settings(max_examples=200)
@given(st.text())
def test_what_is_visible_stays_so_and_can_be_written(text: str) -> None:
    shown = visible(text)
    assert not ACTING.search(shown)
    assert not set("\n\t\r\x1b") & set(shown)
    assert visible(shown) == shown
    shown.encode("utf-8")
    assert visible(text, lines=True).count("\n") == text.count("\n")


def test_json_has_the_names_as_they_are() -> None:
    """What programs read is data: JSON escapes it by itself."""
    from qnn.runs.output import to_json

    written = io.StringIO(to_json({"name": "a\x1b\u202e"})).getvalue()
    assert json.loads(written) == {"name": "a\x1b\u202e"}
    assert not ACTING.search(written)
