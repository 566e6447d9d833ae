"""Remove from .venv what only C++ programs need: headers and static libraries of Python packages.

Pinocchio's wheels bring all of Boost's headers, which are an eighth of the installation and which
nothing here compiles against; Triton's and CUDA's bring 0.3 GB of libraries. Run it after each
installation; ``--list`` only says what would go.
"""

from __future__ import annotations

import argparse
import shutil
import sysconfig
from pathlib import Path

_FOLDERS = ("cmeel.prefix/include", "openvino/include", "openvino/cmake")
_UNUSED = (
    "cmeel.prefix/lib/**/*.a",
    "triton/**/*.a",
    "nvidia/**/*.a",
    "nvidia/*/lib/libcusolverMg*",
)
"""Static libraries, and one for several GPUs that torch does not load."""


def superfluous(packages: Path) -> list[Path]:
    """Folders and files below site-packages that no run needs."""
    folders = [packages / name for name in _FOLDERS if (packages / name).is_dir()]
    return folders + sorted(path for pattern in _UNUSED for path in packages.glob(pattern))


def size_mb(path: Path) -> float:
    """Size of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.lstat().st_size for file in files) / 1e6


def main() -> None:
    """Remove it, and say how much that was."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--list", action="store_true", help="remove nothing")
    only_list = parser.parse_args().list
    for path in superfluous(Path(sysconfig.get_path("purelib"))):
        print(f"{size_mb(path):8.1f} MB  {path}")
        if only_list:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


if __name__ == "__main__":
    main()
