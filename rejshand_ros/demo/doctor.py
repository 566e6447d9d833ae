"""`rejshand doctor`: is everything there that the chain needs?"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rejshand_ros.errors import MissingDependencyError, RejshandError

_CORE = ("numpy", "cv2", "pinocchio", "mujoco", "openvino", "yaml", "rosbags", "mcap")
_ROS = ("rclpy", "sensor_msgs.msg", "diagnostic_msgs.msg", "trajectory_msgs.msg")
_LEAST_SHM_BYTES = 256 << 20
_LEAST_DISK_BYTES = 1 << 30


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand doctor`: check what is installed and say what is missing.

    Raises:
        MissingDependencyError: Something that the chain needs is missing.
    """
    argparse.ArgumentParser("rejshand doctor", description=main.__doc__).parse_args(arguments)
    missing = 0
    for name, check in _checks():
        try:
            print(f"ok       {name}: {check()}")
        except (RejshandError, ImportError, AttributeError, OSError) as error:
            missing += 1
            print(f"MISSING  {name}: {' '.join(str(error).split())}")
    if missing:
        raise MissingDependencyError(f"{missing} of {len(_checks())} checks failed")


def _checks() -> list[tuple[str, Callable[[], str]]]:
    checks: list[tuple[str, Callable[[], str]]] = [("python", lambda: sys.version.split()[0])]
    checks += [(module, _importer(module)) for module in (*_CORE, *_ROS)]
    return [
        *checks,
        ("rejshand_msgs", _messages),
        ("image conversion", _images),
        ("weights", _weights),
        ("robot hands", _hands),
        ("shared memory", _shared_memory),
        ("disk", _disk),
    ]


def _importer(module: str) -> Callable[[], str]:
    def check() -> str:
        found = importlib.import_module(module)
        return str(getattr(found, "__version__", "installed"))

    return check


def _messages() -> str:
    # The folder of their definitions is importable too: only a message proves that they are built.
    importlib.import_module("rejshand_msgs.msg").HandPose  # noqa: B018
    return "built"


def _images() -> str:
    from rejshand_ros.nodes.images import converter

    return converter().__qualname__.split(".")[0].removesuffix("_converter")


def _weights() -> str:
    from rejshand_ros.inference.load import weights_file

    return str(weights_file(None, ".xml"))


def _hands() -> str:
    from rejshand_ros.retargeting.robot_hand import available_hands

    return ", ".join(f"{hand} ({', '.join(sides)})" for hand, sides in available_hands().items())


def _shared_memory() -> str:
    free = shutil.disk_usage("/dev/shm").free
    if free < _LEAST_SHM_BYTES:
        raise OSError(f"{free >> 20} MB free in /dev/shm, {_LEAST_SHM_BYTES >> 20} MB are needed")
    return f"{free >> 20} MB free"


def _disk() -> str:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < _LEAST_DISK_BYTES:
        raise OSError(f"{free >> 20} MB free on the disk of {folder}")
    return f"{free >> 30} GB free"
