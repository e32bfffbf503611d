"""The program ``qnn``, also run as ``python -m qnn``."""

from qnn.cli.interrupts import heed_interrupts


def main() -> None:
    """Run the command line as this process, then exit."""
    heed_interrupts()
    from qnn.cli import main as cli

    cli.main()


if __name__ == "__main__":
    main()
