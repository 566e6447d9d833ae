"""Write docs/licences.md: the licence of every pinned package, as it tells it itself.

Run it with the environment's Python after `scripts/pin_requirements.py` and
`make lerobot-environment`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/licences.md"
SETS = ("ros", "core", "export", "training", "dev", "lerobot")
_OWN_ENVIRONMENTS = {"lerobot": ".venvs/lerobot/lib/python3*/site-packages"}
"""Of sets that are not installed in this one."""
_CLASSIFIER = "License :: OSI Approved :: "
_HEAD = """# Licences of what is installed

Written by `scripts/list_licences.py` from the metadata of the packages that `requirements/*.txt`
pin. None of them is part of this repository. Not listed: the NVIDIA libraries that torch brings
along on its own (NVIDIA's licence), and lerobot itself (Apache-2.0), which
`make lerobot-environment` installs for one test.
"""
_UNTOLD = "not told"
_BY_PROJECT = {
    "cmeel-qhull": "Qhull",
    "ros-fastcdr": "Apache-2.0",
    "ros-fastdds": "Apache-2.0",
    "setuptools": "MIT",
}
"""Told by the projects' own repositories, not by these packages' metadata."""


def pinned(name: str, root: Path = ROOT) -> dict[str, str]:
    """Package -> version of one set of requirements."""
    lines = (root / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def licence(package: str, folders: Sequence[str]) -> str:
    """What a package says of its licence, in a few words.

    Args:
        package: Its name.
        folders: Where it may be installed.

    Raises:
        PackageNotFoundError: It is not installed.
    """
    found = next(iter(Distribution.discover(name=package, path=list(folders))), None)
    if found is None:
        raise PackageNotFoundError(package)
    facts = found.metadata
    expression = (facts.get_all("License-Expression") or [""])[0]
    classified = [
        text.removeprefix(_CLASSIFIER)
        for text in facts.get_all("Classifier") or []
        if text.startswith(_CLASSIFIER)
    ]
    # Some put the whole text of the licence there: its first line is its name.
    words = (facts.get_all("License") or [""])[0].strip().splitlines()
    told = expression or ", ".join(sorted(classified)) or (words[0] if words else "")
    told = told or _in_package_xml(package) or _BY_PROJECT.get(package, "")
    told = re.sub(r"\s+", " ", told).replace("|", "/")[:80].strip()
    return told if told and told.upper() != "UNKNOWN" else _UNTOLD


def _in_package_xml(package: str) -> str:
    """Of a wheel of ROS, which says it in its package.xml alone."""
    path = Path(sys.prefix) / "share" / package.removeprefix("ros-").replace("-", "_")
    try:
        text = (path / "package.xml").read_text(encoding="utf-8")
    except OSError:
        return ""
    return ", ".join(re.findall(r"<license[^>]*>([^<]+)</license>", text))


def page(root: Path = ROOT) -> str:
    """The page, a table a set.

    Raises:
        PackageNotFoundError: A pinned package is not installed.
    """
    parts = [_HEAD]
    for name in SETS:
        elsewhere = _OWN_ENVIRONMENTS.get(name)
        folders = sys.path if elsewhere is None else [str(path) for path in root.glob(elsewhere)]
        rows = [
            f"| {package} | {version} | {licence(package, folders)} |"
            for package, version in sorted(pinned(name, root).items())
        ]
        table = ["| package | version | licence |", "|---|---|---|", *rows]
        parts.append(f"## requirements/{name}.txt\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page.

    Returns:
        The exit status.
    """
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except PackageNotFoundError as error:
        print(
            f"list_licences: {error.name} is pinned and not installed; run make test and "
            "make lerobot-environment once"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
