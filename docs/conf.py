"""The documentation site: ``make docs`` builds it in docs/_build/html, without asking the network.

The figures are drawn anew at each build, by the ``draw_*.py`` beside this file, and the example of
a report is made by the command on its page.  Pages link to
files outside of ``docs/`` as a forge needs it, ``../benchmarks/results/qaplib.md``; here these are
pages too, copied in at each build.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
import zlib
from base64 import b64decode
from contextlib import chdir, redirect_stdout
from importlib.metadata import version as installed
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

project = "qnn-ising"
author = copyright = "The qnn-ising maintainers"
version = release = installed(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
highlight_language = "text"

smartquotes = False  # they make one dash of --json

html_theme = "furo"
html_title = project
html_extra_path = ["copied/site"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 3
copybutton_prompt_text = "$ "

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

COPIED = (
    "CHANGELOG.md",
    "benchmarks/README.md",
    "benchmarks/results/*.md",
    "examples/README.md",
    "examples/*.py",
    "examples/*.ipynb",
)
"""Pages and programs from outside of ``docs/``."""

COPIES = HERE / "copied"
(COPIES / "site").mkdir(parents=True, exist_ok=True)

REPORTS, EXAMPLE = "reading-a-report", "example-report.html"
"""A page with a command, and what the site shows of it."""

DOCUMENTED = ("formulations", "solvers", "solvers.oracles", "qnn")
"""Modules whose public names have to be in the pages of ``api/``."""


INVENTORY = """\
# Sphinx inventory version 2
# Project: {}
# Version: any
# The remainder of this file is compressed using zlib.
"""


def inventories() -> dict[str, tuple[str, str]]:
    """Other packages' names, from ``elsewhere.txt`` into the form that intersphinx reads."""
    found = {}
    for block in (HERE / "elsewhere.txt").read_text().split("\n\n"):
        rows = [line.split() for line in block.splitlines() if not line.startswith("#")]
        (package, url), *names = rows
        lines = "".join(f"{name} py:{role} 1 {page} -\n" for name, role, page in names)
        file = COPIES / f"{package}.inv"
        file.write_bytes(INVENTORY.format(package).encode() + zlib.compress(lines.encode()))
        found[package] = (url, str(file))
        ELSEWHERE.extend(name for name, *_ in names if "." in name)
    return found


ELSEWHERE: list[str] = []
"""Full names that docstrings may have in literals or in italics, and that become links."""

intersphinx_mapping = inventories()


def prepare(app: Sphinx) -> None:
    """Draw the figures and copy the pages, before any page is read."""
    import drawing

    drawing.draw_all()
    example_report()
    for module in map(importlib.import_module, DOCUMENTED):
        for name in module.__all__:  # some are imported when they are asked for
            setattr(module, name, getattr(module, name))
    sources = [path for pattern in COPIED for path in sorted(ROOT.glob(pattern))]
    pages = {COPIES / p.relative_to(ROOT).with_suffix(".md"): p for p in sources if p.is_file()}
    for old in set(COPIES.rglob("*.md")) - set(pages):
        old.unlink()
    for page, source in pages.items():
        text = copied(source)
        if page.stem == "README":  # what lies beside it is below it in the contents
            below = [p for p in pages if p.is_relative_to(page.parent) and p != page]
            listed = "\n".join(str(p.relative_to(page.parent).with_suffix("")) for p in below)
            text += f"\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
        page.parent.mkdir(parents=True, exist_ok=True)
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def example_report() -> None:
    """The report of the command on the page about reports, into what the site takes as it is."""
    from qnn.cli.main import cli

    text = (HERE / REPORTS).with_suffix(".md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^\$ qnn (compare .*--report) \S+$", text, flags=re.MULTILINE)
    arguments = [*shlex.split(line), f"site/{EXAMPLE}", "--keep", "kept"]
    with chdir(COPIES), redirect_stdout(StringIO()):
        cli.main(arguments, prog_name="qnn", standalone_mode=False)


def copied(source: Path) -> str:
    """A page from outside, or a program as a page, under a heading if it has none."""
    text = of_notebook(source) if source.suffix == ".ipynb" else source.read_text()
    if source.suffix == ".py":
        text = f"# `{source.name}`\n\n```python\n{text}```\n"
    if not text.startswith("# "):
        words = source.stem.replace("_", " ").capitalize()
        text = f"# {re.sub('Cqm|Qaplib', lambda word: word[0].upper(), words)}\n\n{text}"
    root = "../" * len(source.relative_to(ROOT).parents)
    text = re.sub(r"\]\((?:\.\./)+docs/", f"]({root}", text)
    return re.sub(r"\]\((\w+)\.(?:py|ipynb)\)", r"](\1.md)", text)


def of_notebook(source: Path) -> str:
    """Text, code and what it printed; pictures as files beside the page."""
    parts = []
    for cell in json.loads(source.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            shown = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in shown:
                file = COPIES / source.parent.name / f"{source.stem}-{len(parts)}.png"
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(b64decode(shown["image/png"]))
                parts.append(f"![What the code above draws]({file.name})")
            else:
                parts.append(f"```text\n{''.join(shown['text/plain']).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def link_copies(app: Sphinx, name: str, content: list[str]) -> None:
    """Links out of ``docs/`` to what has been copied go to the copies."""
    if name == REPORTS:
        link = f'<a href="{EXAMPLE}">What this command made when the site was built.</a>'
        content[0] = re.sub("<!-- the site links here .*-->", link, content[0])
    up = "../" * (name.count("/") + 1)
    for path in sorted(COPIES.rglob("*.md")):
        outside = path.relative_to(COPIES).with_suffix("")
        inside = f"]({up.removeprefix('../')}copied/{outside}.md"
        for suffix in (".md", ".py", ".ipynb"):
            content[0] = content[0].replace(f"]({up}{outside}{suffix}", inside)


def check_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page has, which ends ``make docs``."""
    found = {name.rpartition(".")[2] for name in env.domaindata["py"]["objects"]}
    for module in DOCUMENTED:
        for name in set(importlib.import_module(module).__all__) - found:
            logging.getLogger(__name__).warning("%s.%s is on no page", module, name)


def finish_docstring(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """``|x|`` is an absolute value, not a substitution; names of other packages are links."""
    names = "|".join(map(re.escape, ELSEWHERE))
    for number, line in enumerate(lines):
        line = re.sub(r"\|(?=\S[^|]*\|)", r"\\|", line)
        lines[number] = re.sub(rf"(?:``|\*)({names})(?:``|\*)", r":class:`\1`", line)


def skip_routing(app: Sphinx, what: str, name: str, *about: Any) -> bool | None:
    """Leave out the methods that scikit-learn puts into every estimator."""
    return True if re.fullmatch("set_.*_request", name) else None


def setup(app: Sphinx) -> None:
    """Hang these into the build."""
    app.connect("builder-inited", prepare)
    app.connect("env-get-outdated", lambda *_: ["command-line"])  # it follows no file of its own
    app.connect("source-read", link_copies)
    app.connect("env-check-consistency", check_names)
    app.connect("autodoc-process-docstring", finish_docstring)
    app.connect("autodoc-skip-member", skip_routing)
