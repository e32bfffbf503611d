"""``qnn completion``."""

from __future__ import annotations

import click

from qnn.cli.help import argument, command, one_of

SHELLS = {
    "bash": 'eval "$(qnn completion bash)"     in ~/.bashrc; needs bash 4.4',
    "zsh": 'eval "$(qnn completion zsh)"      in ~/.zshrc, after compinit',
    "fish": "qnn completion fish | source      in ~/.config/fish/config.fish",
}
"""Supported shells, and where each one's line goes."""


@command(
    examples="""
    qnn completion bash >> ~/.bashrc
    eval "$(qnn completion bash)"
    """
)
@argument("shell", known=SHELLS, shell_complete=one_of(SHELLS))
def completion(shell: str) -> None:
    """Print the shell script that completes words at the TAB key.

    It completes commands, options, files, and the names of solvers, oracles and data sets.  The
    command takes neither --seed nor --json: nothing is random, and the script is for the shell.
    """
    from click.shell_completion import get_completion_class

    if shell not in SHELLS:
        from formulations.checks import choose  # imported here because it loads NumPy

        choose("shell", shell, list(SHELLS))
    kind = get_completion_class(shell)
    assert kind is not None  # click supports all three
    cli = click.get_current_context().find_root().command
    click.echo(kind(cli, {}, "qnn", "_QNN_COMPLETE").source())
