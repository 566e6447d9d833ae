"""Install pinned requirements so that the disk never holds all their archives at once.

What torch brings along for GPUs is 2.4 GB of archives for 4 GB on the disk. pip fetches all of them
before it unpacks the first; asked for one after the other, only the largest is ever there twice.
Run it with the environment's Python: ``install_one_by_one.py requirements/training.txt``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from pin_requirements import canonical, read

_PIP = (sys.executable, "-m", "pip")


def first_missing(wanted: Iterable[Requirement], path: list[str]) -> Requirement | None:
    """The first requirement, of these or of what they bring along, that is not installed.

    Args:
        wanted: The requirements, breadth first.
        path: The folders that are looked through, as ``sys.path``.

    Returns:
        The requirement, or None where all are met.
    """
    installed: dict[str, Distribution] = {
        canonical(package.metadata["Name"]): package for package in distributions(path=path)
    }
    queue = list(wanted)
    seen: set[tuple[str, str]] = set()
    for need in queue:
        package = installed.get(canonical(need.name))
        if package is None or not need.specifier.contains(package.version, prereleases=True):
            return need
        for extra in sorted({"", *need.extras}):
            key = (canonical(need.name), extra)
            if key in seen:
                continue
            seen.add(key)
            further = map(Requirement, package.requires or [])
            queue += [
                one for one in further if not one.marker or one.marker.evaluate({"extra": extra})
            ]
    return None


def pip(*arguments: str) -> None:
    """Run pip.

    Raises:
        subprocess.CalledProcessError: It failed; its own message stands before.
    """
    subprocess.run([*_PIP, *arguments], check=True)


def install(files: Sequence[Path]) -> None:
    """Install what the files name, then what that needs, one package at a time.

    Raises:
        subprocess.CalledProcessError: pip failed, or what it installed does not fit together.
    """
    get = ("install", "--retries", "3", "--no-input", "--no-deps")
    pip(*get, *(part for file in files for part in ("-r", str(file))))
    wanted = [need for file in files for need in read(file)]
    asked: set[str] = set()
    while need := first_missing(wanted, sys.path):
        if str(need) in asked:
            raise SystemExit(f"install_one_by_one: {need} is not met although pip installed it")
        asked.add(str(need))
        # Without its marker, which speaks of the package that asked.
        pip(*get, f"{need.name}{need.specifier}")
    pip("check")


def main() -> int:
    """Install the files that are named.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="requirements, pinned")
    try:
        install(parser.parse_args().files)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
