"""Charts as SVG inside a page: text stays text, and colours come from the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from io import StringIO
from types import MappingProxyType
from typing import Any
from warnings import catch_warnings, filterwarnings

from formulations.extras import load_extra

COLORS: Mapping[str, str] = MappingProxyType(
    {"#000001": "ink", "#000002": "soft", "#000003": "grid", "#000004": "paper"}
    | {f"#0000f{number}": f"c{number}" for number in range(8)}
)
"""Placeholder colours used while drawing, and the CSS variables that replace them."""

INK, SOFT, GRID, PAPER, *SERIES = COLORS

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",
        "font.size": 9.5,
        "axes.labelsize": 9.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": SOFT,
        "axes.linewidth": 0.8,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "figure.facecolor": "none",
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "text.color": INK,
        "text.parse_math": False,  # a data set may be named $5
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "lines.linewidth": 1.5,
        "lines.markersize": 5.0,
        "path.simplify": True,
        "savefig.facecolor": "none",
    }
)


def check_matplotlib() -> None:
    """Refuse to begin without matplotlib, which draws the charts."""
    instead = ", or take Markdown or JSON, which have none"
    load_extra("matplotlib", "plot", "a chart of an HTML report", instead)


@contextmanager
def drawing(salt: str, width: float = 4.7, height: float = 3.1) -> Iterator[Any]:
    """Create a figure in the report's style, with its size in inches.

    On a screen of 400 pixels, its text has the point size given here.
    """
    check_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**mpl.rcParamsDefault, **STYLE, "svg.hashsalt": salt}):
        yield Figure(figsize=(width, height), layout="constrained")


def chart(
    name: str, title: str, description: str, paint: Callable[[Any], None], **size: float
) -> str:
    """Return what ``paint`` draws as an SVG element; equal pictures give equal text."""
    text = StringIO()
    with drawing(name, **size) as figure, catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")  # the reader's browser has its own fonts
        paint(figure)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return inline(text.getvalue(), name, title, description)


def inline(svg: str, name: str, title: str, description: str) -> str:
    """Convert a file of matplotlib's to an element that can share a page with others.

    Examples
    --------
    >>> print(inline('<?xml?><svg width="9pt" viewBox="0 0 9 9"><path id="p1" '
    ...              'style="stroke: #0000f0" d="M 1.23456 2"/><use href="#p1"/></svg>',
    ...              "loss", "Loss", "It falls."))
    <svg class="chart" role="img" aria-labelledby="loss-title loss-desc" viewBox="0 0 9 9"><title
    id="loss-title">Loss</title><desc id="loss-desc">It falls.</desc><path id="loss-p1"
    style="stroke:var(--c0)" d="M 1.2 2"/><use href="#loss-p1"/></svg>
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', svg)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    body = svg[svg.index(">") + 1 :]
    body = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'((?:href="|url\()#)', rf"\g<1>{name}-", body)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'style="([^"]*)"', lambda m: f'style="{_style(m[1])}"', body)
    body = re.sub(r'\s(d|x|y|transform)="([^"]*)"', lambda m: _place(m[1], m[2]), body)
    body = re.sub(r'<path[^>]*style="fill:none"/>', "", body)
    body = re.sub(r">\s+<", "><", body)
    head = (
        f'<svg class="chart" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'{box[0] if box else ""}><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
    )
    return head + body.strip()


def _place(name: str, value: str) -> str:
    """Format a position attribute to a tenth of a point; omit one without effect."""
    if value.startswith("rotate(-0 "):
        return ""
    value = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), value)
    return f' {name}="{" ".join(value.split())}"'


def _style(style: str) -> str:
    """Return CSS with the page's colours and without fonts."""
    for color, variable in COLORS.items():
        style = style.replace(color, f"var(--{variable})")
    style = re.sub(r"font:[^;]*?([\d.]+px)[^;]*", r"font-size:\1", style)
    style = re.sub(r"font-family:[^;]*;?", "", style)
    return re.sub(r"\s*([:;])\s*", r"\1", style).strip("; ")
