"""What a benchmark leaves behind: a table on the screen and a JSON file."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rejshand_ros.errors import InputError

DEFAULT_FOLDER = Path("out/bench")
Value = bool | int | float | str | None
"""What may stand at the top level of a report."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows as text, numbers to the right.

    Args:
        header: Names of the columns.
        rows: One value a column.

    Raises:
        InputError: A row is of another length than the header.
    """
    rows = [tuple(row) for row in rows]
    for row in rows:
        if len(row) != len(header):
            raise InputError(f"row of {len(row)} values below a header of {len(header)}: {row}")
    cells = [[_text(value) for value in row] for row in rows]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(header))
    ]
    widths = [
        max(len(text) for text in (name, *(row[i] for row in cells)))
        for i, name in enumerate(header)
    ]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        ).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, cells)])


def write_report(
    name: str,
    figures: Mapping[str, Value | Mapping[str, Any]],
    details: Mapping[str, Any] | None = None,
    folder: Path = DEFAULT_FOLDER,
) -> Path:
    """Print a benchmark's figures and write them to ``<folder>/<name>.json``.

    Args:
        name: Name of the benchmark.
        figures: What stands at the top level of the file: a number, a text, or a mapping a key.
        details: Everything else; numpy arrays and numbers are welcome.
        folder: Where to write.

    Returns:
        The file's path.

    Raises:
        InputError: A figure is called ``details``.
    """
    if "details" in figures:
        raise InputError("a figure may not be called 'details'; that key holds everything else")
    content = {
        **{key: _plain(value) for key, value in figures.items()},
        "details": {"machine": machine(), **_plain(dict(details or {}))},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    print(f"{name}\n{table(('figure', 'value'), _flat(figures))}\n{path}", flush=True)
    return path


def machine() -> dict[str, Value]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _flat(figures: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Value]]:
    """Rows of a nested mapping, keys joined by dots."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _plain(value: Any) -> Any:
    """What JSON can hold; numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
