"""Point the CMake exports of the ROS 2 wheels at the environment they were installed into.

The wheels were built under ``/opt/python/cpXY-cpXY`` and their exported CMake files say so, which
no other machine has. This rewrites, below the environment's ``share/``, numpy's headers to where
numpy is and every other such path to the environment or, for Python's own headers, to the
interpreter's. Run it again after installing more ROS wheels; a second run changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

_BUILD_PREFIX = r"/opt/python/cp\d+-cp\d+t?"
_NUMPY_HEADERS = re.compile(_BUILD_PREFIX + r"/lib/python3\.\d+/site-packages/numpy/_core/include")
_PYTHON_HEADERS = re.compile(_BUILD_PREFIX + r"/include/python3\.\d+t?")
_BUILD_PREFIX_BYTES = re.compile(_BUILD_PREFIX.encode())
_PREFIX = re.compile(_BUILD_PREFIX)


def mend_text(text: str, prefix: str, numpy_headers: str, python_headers: str) -> str:
    """Replace the build machine's paths in one exported file."""
    text = _NUMPY_HEADERS.sub(lambda _: numpy_headers, text)
    text = _PYTHON_HEADERS.sub(lambda _: python_headers, text)
    return _PREFIX.sub(lambda _: prefix, text)


def mend(prefix: Path) -> list[Path]:
    """Mend every exported file below an environment.

    Args:
        prefix: The virtual environment.

    Returns:
        The files that were changed.
    """
    changed = []
    for path in sorted((prefix / "share").rglob("*")):
        if not path.is_file() or _BUILD_PREFIX_BYTES.search(path.read_bytes()) is None:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary: not a file that CMake reads
        mended = mend_text(text, str(prefix), np.get_include(), str(sysconfig.get_path("include")))
        if mended != text:
            path.write_text(mended, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    print(f"mended {len(mend(Path(sys.prefix)))} exported files of the ROS 2 wheels")
