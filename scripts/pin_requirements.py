"""Write requirements/<set>.txt: the whole closure of each <set>.in, pinned to what is installed.

Run it with the environment's Python after installing or upgrading something; it installs nothing
itself. A package that an earlier set pins is not repeated in a later one. A set that has an
environment of its own is named: ``.venvs/lerobot/bin/python scripts/pin_requirements.py lerobot``.
What torch brings along for GPUs differs between machines and is pinned exactly by torch itself, so
it is left to torch.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

SETS = ("ros", "core", "export", "training", "dev")
_LEFT_TO_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton")


def canonical(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> list[Requirement]:
    """The requirements that a file names."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def closure(wanted: list[Requirement]) -> dict[str, str]:
    """Every package needed by the wanted ones, with its installed version.

    Raises:
        PackageNotFoundError: One of them is not installed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    queue = [(need.name, extra) for need in wanted for extra in ("", *need.extras)]
    while queue:
        name, extra = queue.pop()
        key = canonical(name)
        if (key, extra) in seen or _LEFT_TO_TORCH.fullmatch(key):
            continue
        seen.add((key, extra))
        package = distribution(name)
        found[key] = package.version
        for line in package.requires or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                queue += [(need.name, further) for further in ("", *need.extras)]
    return found


def main(folder: Path, names: Sequence[str] = SETS) -> int:
    """Pin sets, by default all of the main environment.

    Returns:
        The exit status.
    """
    pinned: set[str] = set()
    for name in names:
        source = folder / f"{name}.in"
        try:
            versions = closure(read(source))
        except PackageNotFoundError as error:
            print(f"pin_requirements: {source.name} needs {error.name}, which is not installed")
            return 1
        lines = [f"{key}=={versions[key]}" for key in sorted(versions) if key not in pinned]
        pinned |= set(versions)
        head = f"# Written by scripts/pin_requirements.py from {source.name}."
        (folder / f"{name}.txt").write_text("\n".join([head, *lines]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1] / "requirements", sys.argv[1:] or SETS))
