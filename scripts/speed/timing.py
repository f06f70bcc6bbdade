"""What every benchmark needs: medians of alternating variants, tables, and the facts of the machine."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch_geometric

Work = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One line of the table; times in seconds (s), memory in megabytes (MB), molecules per second (mol).

    None stands for a variant that does not exist.
    """

    name: str
    ours: float
    reference: float | None = None
    floor: float | None = None
    target: str = ""
    unit: str = "s"

    def cells(self) -> list[str]:
        """Return the line as text: name, ours, reference, floor, reference/ours, ours/floor, target."""
        values = [self._shown(value) for value in (self.ours, self.reference, self.floor)]
        ratios = [_ratio(self.reference, self.ours), _ratio(self.ours, self.floor)]
        return [self.name, *values, *ratios, self.target]

    def _shown(self, value: float | None) -> str:
        if value is None:
            return ""
        if self.unit == "MB":
            return f"{value:,.0f} MB"
        if self.unit == "mol":
            return f"{value:,.0f}/s"
        return f"{value:,.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


HEADER = ("what", "ours", "reference", "floor", "reference/ours", "ours/floor", "target")


def _ratio(above: float | None, below: float | None) -> str:
    return "" if above is None or not below else f"{above / below:.2f}"


def seconds(work: Work, repeats: int) -> float:
    """Return the median time of `repeats` calls, after one that warms up."""
    return alternate({"": work}, repeats)[""]


def alternate(
    variants: Mapping[str, Work], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the median time of each variant: one call each to warm up, then `repeats` rounds of one call each."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(repeats + 1):
        for name, work in variants.items():
            began = clock()
            work()
            if number:
                times[name].append(clock() - began)
    return {name: median(spans) for name, spans in times.items()}


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text, the first column aligned left and the others right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for first, *others in (header, *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def machine() -> dict[str, str]:
    """Return what the times depend on: processor, cores, threads, load, versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        **({"GPU": ", ".join(gpus)} if gpus else {}),
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "threads of torch": str(torch.get_num_threads()),
        "load (1, 5, 15 minutes)": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
    }


def as_plain(rows: Sequence[Row], facts: Mapping[str, str], notes: Sequence[str]) -> dict[str, Any]:
    """Return the table as plain values."""
    return {"machine": dict(facts), "rows": [asdict(row) for row in rows], "notes": list(notes)}


def as_markdown(rows: Sequence[Row], facts: Mapping[str, str], notes: Sequence[str]) -> str:
    """Return the table as a page."""
    lines = ["# Speed", "", "Written by `python -m scripts.speed`.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| {' | '.join(HEADER)} |", f"|---{'|--:' * (len(HEADER) - 1)}|"]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"
