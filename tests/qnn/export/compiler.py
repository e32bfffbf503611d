"""The C compiler of this machine, and how sources are built with it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

CC = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
NO_COMPILER = "no C compiler (cc, gcc or clang) on PATH"
STRICT = ["-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-std=c99"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def build(sources: Sequence[Path], program: Path, *flags: str) -> Path:
    """The program, with sanitizers where the compiler has them."""
    assert CC is not None
    command = [CC, *STRICT, *flags, *map(str, sources), "-o", str(program)]
    if subprocess.run([*command, *SANITIZE], capture_output=True).returncode:
        subprocess.run(command, check=True)
    return program
