"""Flash, RAM and time of exported networks on Cortex-M0, Cortex-M4 and AVR.

    python benchmarks/microcontroller.py FOLDER [--data-dir FOLDER]

FOLDER keeps the trained networks; those in it are not trained again.  Each network is exported as
embedded C, compiled by arm-none-eabi-gcc and avr-gcc, and run in QEMU and simavr on raw test
samples.  The program fails unless every output and class equals the network's.  Each network is
compared with logistic regression with 8-bit weights on the same inputs, in plain C.

Debian's packages are gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm, gcc-avr, avr-libc
and simavr.  A processor whose tools are missing is skipped with a message.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from qnn import load
from qnn.data.datasets import Dataset
from qnn.data.images import pool
from qnn.export import TrainedModel, c_text, export

NETWORKS = {
    "small": "digits --inputs 16 --levels 16 --bits 620 --time-limit 5",
    "digits": "digits --bits 4096 --time-limit 20",
    "mnist": "mnist --inputs 144 --levels 16 --hidden 40-40 --activation relu:4 --bias auto "
    "--loss cross-entropy --samples all --solver straight-through --time-limit 60",
    "conv": "mnist",
}
TRACED = 3  # samples traced instruction by instruction; 1 for a convolution
HERE = Path(__file__).parent / "microcontroller_c"


class Processor(NamedTuple):
    """Compiler and emulator of one processor."""

    name: str
    prefix: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...]

    @property
    def is_avr(self) -> bool:
        """True for an AVR, False for a Cortex-M."""
        return self.prefix == "avr-"

    def missing(self) -> str:
        """Names of the tools that are not installed."""
        tools = (self.prefix + "gcc", self.prefix + "size", self.emulator[0])
        return ", ".join(tool for tool in tools if shutil.which(tool) is None)


QEMU = ("qemu-system-arm", "-display", "none", "-semihosting-config", "enable=on,target=native")
PROCESSORS = (
    Processor(
        "Cortex-M0",
        "arm-none-eabi-",
        ("-mcpu=cortex-m0", "-mthumb"),
        (*QEMU, "-machine", "microbit", "-kernel"),
    ),
    Processor(
        "Cortex-M4",
        "arm-none-eabi-",
        ("-mcpu=cortex-m4", "-mthumb"),
        (*QEMU, "-machine", "mps2-an386", "-kernel"),
    ),
    Processor(
        "ATmega1284P",
        "avr-",
        ("-mmcu=atmega1284p", "-DF_CPU=16000000UL"),
        ("simavr", "-m", "atmega1284p", "-f", "16000000"),
    ),
)


class Measured(NamedTuple):
    """Bytes, and means over the samples of a call of ``network_class``."""

    flash: int
    data: int
    stack: int
    instructions: float | None
    cycles: float | None


class Program(NamedTuple):
    """C with the interface of embedded C, samples, and the right answers to them."""

    name: str
    folder: Path
    samples: np.ndarray
    answers: np.ndarray
    accuracy: float


def run(*command: str | Path) -> str:
    """Return standard output and errors of a command, which must succeed."""
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


# -- programs --------------------------------------------------------------------------------------


def program_of(name: str, model: TrainedModel, data: Dataset, folder: Path) -> Program:
    """Return the network as `qnn export --inputs raw --embedded` writes it."""
    export(model, embedded=folder, raw=True)
    lattice = model.on_lattice(data.X_test)
    right = float((model.labels(lattice) == data.y_test).mean())
    samples = chosen(data)
    lattice = model.on_lattice(samples)
    outputs = model.network.pre_activations(model.weights, lattice)[-1]
    answers = np.column_stack([outputs, model.labels(lattice)])
    return Program(f"{name}: {model.network}", folder, samples, answers, right)


def chosen(data: Dataset) -> np.ndarray:
    """Return raw test samples that fit into 16,000 bytes of flash, a hundred at most."""
    return data.X_test[: min(100, 16_000 // data.X_test.shape[1])].astype(np.int64)


def regression(model: TrainedModel, data: Dataset, folder: Path) -> Program:
    """Fit logistic regression with 8-bit weights on the network's inputs before levels."""
    side = int(model.num_inputs**0.5)
    height, width = model.image or (side, side)
    block = height // side
    shift = max(0, 2 * (block.bit_length() - 1)) if data.X_test.max() > 127 else 0

    def inputs(raw: np.ndarray) -> np.ndarray:
        pooled = pool(raw, (height, width), model.num_inputs) if model.image else raw
        return np.asarray(pooled, np.int64) >> shift

    X = inputs(data.X_train)
    scaler = StandardScaler().fit(X)
    fitted = LogisticRegression(max_iter=300).fit(scaler.transform(X), data.y_train)
    weights = fitted.coef_ / scaler.scale_
    constants = fitted.intercept_ - weights @ scaler.mean_
    scale = 127 / np.abs(weights).max()
    weights = np.rint(weights * scale).astype(np.int64)
    constants = np.rint(constants * scale).astype(np.int64)

    def outputs(raw: np.ndarray) -> np.ndarray:
        return np.asarray(inputs(raw) @ weights.T + constants)

    border = (height - block * side) // 2
    text = (HERE / "regression.c").read_text()
    define = "".join(
        f"#define {key} {value}\n"
        for key, value in {
            "SIDE": side,
            "BLOCK": block,
            "WIDTH": width,
            "BORDER": border,
            "SHIFT": shift,
        }.items()
    )
    rows = ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in weights)
    folder.mkdir()
    (folder / "network.c").write_text(
        f"{c_text.BEGIN}{define}"
        f"CONSTANT int8_t weights[{len(weights)}][{weights.shape[1]}] = {{{rows}}};\n"
        f"CONSTANT int32_t constants[] = {{{', '.join(map(str, constants))}}};\n{text}"
    )
    (folder / "network.h").write_text(
        "#include <stdint.h>\n"
        f"#define NETWORK_NUMBERS {data.X_test.shape[1]}\n#define NETWORK_OUTPUTS {len(weights)}\n"
        "typedef uint8_t network_number;\ntypedef int32_t network_sum;\n"
        "void network_outputs(const network_number *sample, network_sum *outputs);\n"
        "unsigned network_class(const network_number *sample);\n"
    )
    right = float((outputs(data.X_test).argmax(1) == data.y_test).mean())
    samples = chosen(data)
    z = outputs(samples)
    answers = np.column_stack([z, z.argmax(1)])
    name = f"logistic regression, 8 bits: {weights.shape[1]}-{len(weights)}"
    return Program(name, folder, samples, answers, right)


# -- compiling and running -------------------------------------------------------------------------


def measure(program: Program, processor: Processor, level: str) -> Measured:
    """Compile, run, compare with the right answers, and measure."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = ",\n".join("{" + ",".join(map(str, row)) + "}" for row in program.samples.tolist())
        (folder / "samples.h").write_text(f"{{{rows}}}")
        gcc = processor.prefix + "gcc"
        flags = (*processor.flags, "-std=gnu99", "-ffunction-sections", "-fdata-sections")
        flags += ("-I", str(program.folder), "-I", str(folder))
        network, harness = folder / "network.o", folder / "harness.o"
        run(gcc, *flags, level, "-c", program.folder / "network.c", "-o", network)
        alone = folder / "alone.elf"
        link = ("-Wl,--gc-sections", *(() if processor.is_avr else ("--specs=nano.specs",)))
        alone_only = ("-nostartfiles", "-Wl,-e,network_class")
        run(gcc, *flags, *link, *alone_only, network, "-o", alone)
        listed = run(processor.prefix + "size", "-A", alone)
        sizes = {key: int(size) for key, size in re.findall(r"^\.(\w+) +(\d+)", listed, re.M)}
        flash = sum(sizes.get(key, 0) for key in ("text", "rodata", "data"))
        data = sizes.get("data", 0) + sizes.get("bss", 0)

        def image(count: int, *more: str) -> Path:
            """Compile the program with a number of samples."""
            source = HERE / ("avr.c" if processor.is_avr else "arm.c")
            run(gcc, *flags, "-Os", f"-DCOUNT={count}", *more, "-c", source, "-o", harness)
            made = folder / f"{count}.elf"
            script = () if processor.is_avr else ("-nostartfiles", "-T", str(HERE / "arm.ld"))
            run(gcc, *flags, *link, *script, harness, network, "-o", made)
            return made

        said = run(*processor.emulator, image(len(program.samples)))
        lines = [list(map(int, line.split())) for line in re.findall(r"= ([-\d ]+\d)", said)]
        answers = np.array([line[3:] for line in lines])
        if not np.array_equal(answers, program.answers):
            sys.exit(f"{program.name} on {processor.name}, {level}: other answers\n{said[:2000]}")
        stack = max(line[0] for line in lines)
        instructions: float | None = None
        cycles: float | None
        if processor.is_avr:
            cycles = float(np.mean([exact(fine, coarse) for _, fine, coarse, *_ in lines]))
        else:
            count = 1 if "conv" in program.name else TRACED
            instructions, cycles = traced(image(count, "-DTRACE"), count, processor)
        return Measured(flash, data, stack, instructions, cycles)


def exact(fine: int, coarse: int) -> int:
    """Return the cycles of a call: modulo 65,536 by one timer, in units of 1,024 by another."""
    return fine + 65_536 * round((1024 * coarse + 512 - fine) / 65_536)


def traced(image: Path, count: int, processor: Processor) -> tuple[float, float | None]:
    """Return the exact instruction count of a call, and the cycles on a Cortex-M0."""
    listed = run(processor.prefix + "nm", image)
    symbols = {name: at for at, _, name in map(str.split, listed.splitlines())}
    first, last = (int(symbols[f"network_{end}"], 16) for end in ("begin", "end"))
    log = ("-singlestep", "-d", "exec,nochain", "-dfilter", f"{first:#x}..{last - 1:#x}")
    with subprocess.Popen(
        [*processor.emulator, str(image), *log],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        steps = Counter(pairwise(addresses(process.stdout)))
    instructions = (sum(steps.values()) + 1) / count
    if processor.name != "Cortex-M0":
        return instructions, None
    listing = run(processor.prefix + "objdump", "-d", image)
    costs = dict(m0_costs(listing))
    cycles = sum(times * costs[at][following != at + 2] for (at, following), times in steps.items())
    return instructions, cycles / count


def addresses(log: Iterator[str]) -> Iterator[int]:
    """Return the address of each instruction in QEMU's log."""
    return (int(line.split("/")[1], 16) for line in log if line.startswith("Trace"))


def m0_costs(listing: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Return cycles of each instruction of a disassembly, without and with a jump.

    From table 3-1 of Arm's Technical Reference Manual of the Cortex-M0 (DDI 0432C): memory without
    wait states, and the multiplier of one cycle.
    """
    for at, name, operands in re.findall(r"^ +([0-9a-f]+):\t[^\t]+\t(\S+)\t?(.*)$", listing, re.M):
        name = name.removesuffix(".n")
        many = len(re.findall(r"r\d+|lr|pc", operands.partition("{")[2]))
        on = jump = 1
        if name in ("push", "pop", "ldmia", "stmia"):
            on = jump = many + (4 if "pc" in operands else 1)
        elif name.startswith(("ldr", "str")):
            on = jump = 2
        elif name == "bl":
            on = jump = 4
        elif name.startswith("b") and not name.startswith("bic"):
            on, jump = 1 if len(name) == 3 else 3, 3
        elif operands.startswith("pc"):
            on = jump = 3
        yield int(at, 16), (on, jump)


# -- the page --------------------------------------------------------------------------------------


def programs(folder: Path, given: argparse.Namespace) -> Iterator[Program]:
    """Return the networks of a folder, each with a regression; train missing ones."""
    for name, words in NETWORKS.items():
        spec, *options = words.split()
        saved = folder / f"{name}.npz"
        where = ("--data-dir", given.data_dir) if spec == "mnist" and given.data_dir else ()
        if not saved.exists():
            command: tuple[str, ...] = ("-m", "qnn", "train", spec, *options)
            if name == "conv":
                command = (str(Path(__file__).with_name("convolution.py")),)
            run(sys.executable, *command, *where, "--save", saved)
        model = TrainedModel.load(saved)
        data = load(spec, samples="all", levels="keep", data_dir=given.data_dir)
        made = folder / "c" / name
        shutil.rmtree(made, ignore_errors=True)
        program = program_of(name, model, data, made / "network")
        yield program
        if name == "conv":
            continue
        yield regression(model, data, made / "regression")


def main() -> None:
    """Print a table with a row for each network and processor: -Os / -O2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data-dir")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    there = [processor for processor in PROCESSORS if not processor.missing()]
    for processor in PROCESSORS:
        if processor not in there:
            print(f"{processor.name} is left out: no {processor.missing()}", file=sys.stderr)
    if not there:
        sys.exit("nothing to measure: install the tools that the top of this file names")
    for processor in there:
        compiler = run(f"{processor.prefix}gcc", "--version").splitlines()[0]
        print(f"{processor.name}: {compiler}, {processor.emulator[0]}")
    print("| | test | processor | flash | RAM | of it stack | instructions | cycles |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for program in programs(given.folder, given):
        for processor in there:
            if processor.is_avr and "conv" in program.name:
                continue  # minutes in simavr, perhaps past the 67 million cycles that timers count
            both = [measure(program, processor, level) for level in ("-Os", "-O2")]
            columns = (
                [found.flash for found in both],
                [found.data + found.stack for found in both],
                [found.stack for found in both],
                [found.instructions for found in both],
                [found.cycles for found in both],
            )
            cells = (
                " / ".join("-" if count is None else f"{count:,.0f}" for count in column)
                for column in columns
            )
            print(
                f"| {program.name} | {program.accuracy:.3f} | {processor.name} "
                f"| {' | '.join(cells)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
