"""A card's name and ceilings for ``gpu_oracles.py``, and its figures as a page."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def card(device: str, quick: bool) -> dict[str, Any]:
    """Return the card's name, its two ceilings, and the processor's name."""
    import torch

    small = quick or device == "cpu"
    size = 2**24 if small else 2**28
    one = torch.rand(size, device=device)
    other = torch.empty_like(one)
    side = 512 if small else 8192
    square = torch.rand((side, side), device=device)
    copied = median_seconds(lambda: other.copy_(one), device)
    product = median_seconds(lambda: square @ square, device)
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), cpu)
    return {
        "name": torch.cuda.get_device_name() if device == "cuda" else f"no GPU ({cpu})",
        "torch": torch.__version__,
        "bytes_per_second": 8.0 * size / copied,
        "flops_per_second": 2.0 * side**3 / product,
        "processor": cpu,
        "cores": os.cpu_count(),
    }


def median_seconds(work: Callable[[], object], device: str) -> float:
    """Return the median seconds of a run, without the first two."""
    import torch

    seconds = []
    for _ in range(9):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def table(found: dict[str, Any]) -> str:
    """Format the figures as a page."""
    one, lines = found.get("card", {}), []
    if one:
        lines += [
            f"Card: {one['name']}, torch {one['torch']}; a copy moves "
            f"{one['bytes_per_second'] / 1e12:.3g} TB/s, a product in single precision computes "
            f"{one['flops_per_second'] / 1e12:.3g} TFLOP/s.  Processor: {one['processor']}, "
            f"{one['cores']} cores.",
            "",
        ]
    if "check" in found:
        parts = [f"{name} {value:.4f}" for name, value in found["check"].items()]
        lines += [
            "Checks: largest error of a state's share at one temperature (clique, ring); share of "
            f"bits that differ between two calls of one seed (oracles): {', '.join(parts)}.",
            "",
        ]
    lines += [
        "| model | reads | oracle | sweeps | updates/s | s a call | best E | mean E | of floor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    training = [row for row in found.get("rows", []) if "questions_per_second" in row]
    for row in found.get("rows", []):
        if row in training:
            continue
        best = row.get("best_energy_per_spin", row.get("sum"))
        cells = [row["model"], row["reads"], row["oracle"], row["sweeps"]]
        cells += [row.get("updates_per_second"), row["call_seconds"], best]
        cells += [row.get("mean_energy_per_spin"), row.get("of_floor")]
        lines.append("| " + " | ".join(short(cell) for cell in cells) + " |")
    if training:
        keys = ("reads", "oracle", "sweeps", "questions_per_second", "share_of_oracle", "loss")
        lines += ["", f"| in training | {' | '.join(key.replace('_', ' ') for key in keys)} |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [
            f"| {row['model']} | {' | '.join(short(row[key]) for key in keys)} |"
            for row in training
        ]
    lines += [f"\nSkipped: {why}" for why in found.get("skipped", [])]
    lines += [f"\nWarning: {text}" for text in found.get("warnings", [])]
    return "\n".join(lines) + "\n"


def short(value: object) -> str:
    """Format a cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3e}" if value >= 1e5 else f"{value:.4g}"
    return str(value)
