"""Python environments for what this project is measured against: its packages are not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rejshand_ros.errors import MissingDependencyError

MEDIAPIPE = "mediapipe==0.10.21"
DEX_RETARGETING = "dex-retargeting==0.5.0"
FIELD = Path(".venvs/field")
FIELD_PACKAGES = (
    DEX_RETARGETING,
    # Imported by dex-retargeting, but not declared.
    *("six", "trimesh", "lxml", "anytree", "pyyaml", "torch"),
    # What MediaPipe's hands need of its dependencies.
    *(
        "absl-py",
        "attrs",
        "flatbuffers",
        "matplotlib",
        "opencv-contrib-python",
        "protobuf>=4.25,<5",
    ),
)
"""The two ask for different numpys, which pip refuses; MediaPipe's hands run with either."""


def ensure_environment(folder: Path, packages: Sequence[str], alone: Sequence[str] = ()) -> Path:
    """Make an environment where it is missing.

    Args:
        folder: Of the environment.
        packages: What pip is to install.
        alone: What it is to install besides, without what these depend on.

    Returns:
        Its Python.

    Raises:
        MissingDependencyError: pip fails.
    """
    python = folder.absolute() / "bin/python"
    done = folder / "installed"
    wanted = "\n".join((*packages, *alone))
    if done.is_file() and done.read_text() == wanted:
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    commands = [[sys.executable, "-m", "venv", str(folder)], [*pip, *packages]]
    if alone:
        commands.append([*pip, "--no-deps", *alone])
    for command in commands:
        if subprocess.run(command, check=False).returncode != 0:
            raise MissingDependencyError(f"{folder} could not be made: {' '.join(command)}")
    done.write_text(wanted)
    # Gigabytes, which would else go to the disk while the next thing is being timed.
    os.sync()
    return python


def field_python() -> Path:
    """The Python with MediaPipe and dex-retargeting, installed where missing."""
    return ensure_environment(FIELD, FIELD_PACKAGES, [MEDIAPIPE])


def peer_process_environment(temporary: str = "") -> dict[str, str]:
    """Environment variables of such a process: nothing of this process's may be found first.

    Args:
        temporary: Folder for its temporary files, for one that leaves them behind; the caller
            removes it.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if temporary:
        environment["TMPDIR"] = temporary
    for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
        environment.pop(name, None)
    return environment
