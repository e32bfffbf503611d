"""The program ``qnn``, also as ``python -m qnn``."""

from qnn.cli.interrupts import heed_interrupts


def main() -> None:
    """Run the command line as this process, and end it."""
    heed_interrupts()
    from qnn.cli import main as cli

    cli.main()


if __name__ == "__main__":
    main()
