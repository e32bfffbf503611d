"""``python -m qnn``: the command line."""

from qnn.cli import main

main()
