"""A system clock that can be set, for the processes of a benchmark alone."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

from rejshand_ros.errors import MissingDependencyError

OFFSET = "REJSHAND_CLOCK_OFFSET"
_SOURCE = Path(__file__).with_name("clock_shift.c")


def clock_environment(folder: Path) -> dict[str, str]:
    """What a process needs in its environment so that its clock, and its children's, can be set.

    Args:
        folder: Where the library and the offset are put.

    Raises:
        MissingDependencyError: There is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("c++")
    if compiler is None:
        raise MissingDependencyError("no C compiler: cc is needed to shift the chain's clock")
    library, offset = folder / "clock_shift.so", folder / "clock_offset"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    offset.write_bytes(struct.pack("q", 0))
    return {**os.environ, "LD_PRELOAD": str(library), OFFSET: str(offset)}


def shift_clock(by_s: float) -> None:
    """Set this process's clock, and that of all who share it, forward or back."""
    with Path(os.environ[OFFSET]).open("r+b") as stream:
        (now_ns,) = struct.unpack("q", stream.read(8))
        stream.seek(0)
        stream.write(struct.pack("q", now_ns + round(by_s * 1e9)))
