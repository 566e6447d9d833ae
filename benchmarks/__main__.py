"""Run one benchmark by its name, or all of them: ``python -m benchmarks [NAME]``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import DEFAULT_FOLDER
from rejshand_ros.errors import ConfigError, unknown_choice


def benchmark_names(folder: Path = Path(__file__).parent) -> tuple[str, ...]:
    """The benchmarks: modules that can be run and report; the others are their helpers."""
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("[!_]*.py"))
    }
    marks = ('__name__ == "__main__"', "write_report(")
    return tuple(name for name, text in texts.items() if all(mark in text for mark in marks))


def chosen(arguments: Sequence[str]) -> tuple[str, ...]:
    """What the command line asks for.

    Raises:
        ConfigError: One of the names is no benchmark.
    """
    names = benchmark_names()
    for name in arguments:
        if name not in names:
            raise unknown_choice("benchmark", name, names)
    return tuple(arguments) or names


def run(name: str) -> str | None:
    """Run one benchmark in a process of its own.

    Returns:
        What went wrong, if anything.
    """
    # What an installation has just written would else go to the disk while this is being timed.
    os.sync()
    status = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    if status != 0:
        return f"benchmark {name} ended with status {status}"
    if not (DEFAULT_FOLDER / f"{name}.json").is_file():
        return f"benchmark {name} left no {DEFAULT_FOLDER / name}.json"
    return None


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; one benchmark's failure does not keep the next from running.

    Returns:
        The exit status.
    """
    try:
        names = chosen(arguments)
    except ConfigError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    failures = [failure for name in names if (failure := run(name)) is not None]
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
