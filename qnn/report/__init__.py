"""One report of comparisons and training runs: a page of HTML, Markdown, or JSON.

    load -> parts -> html | markdown | record

A part is made of sentences, tables and charts, which know nothing of files; only the page does.
"""

from qnn.report.documents import load
from qnn.report.figures.svg import check_matplotlib
from qnn.report.page import check_place, html, markdown, record, told, write

__all__ = [
    "check_matplotlib",
    "check_place",
    "html",
    "load",
    "markdown",
    "record",
    "told",
    "write",
]
