"""`rejshand doctor`: is everything there that the chain needs, and what to do where it is not?"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rejshand_ros.demo.findings import Check, Finding, Level, told
from rejshand_ros.errors import MissingDependencyError

_LIBRARIES = ("numpy", "cv2", "pinocchio", "mujoco", "openvino", "yaml", "rosbags", "mcap", "viser")
_ROS = ("rclpy", "sensor_msgs.msg", "diagnostic_msgs.msg", "trajectory_msgs.msg", "tf2_msgs.msg")
_OLDEST_PYTHON = (3, 11)
_LEAST_SHM_BYTES = 256 << 20
_LEAST_DISK_BYTES, _GOOD_DISK_BYTES = 1 << 30, 10 << 30
_RECORDING_GB_AN_HOUR = 6
_TOLERABLE_LOSS = 0.02
_INSTALL = "run `make install`, or on a ROS 2 installation see docs/ros2_installation.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand doctor`: check what is installed and connected, and say what to do.

    Raises:
        MissingDependencyError: Something that the chain needs is missing.
    """
    parser = argparse.ArgumentParser("rejshand doctor", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="do not measure the loss of images")
    options = parser.parse_args(arguments)
    looked_at = checks(quick=options.quick)
    width = max(len(check.name) for check in looked_at)
    missing = 0
    for check in looked_at:
        finding = check.run()
        missing += finding.level is Level.MISSING
        print(told(check.name, finding, width), flush=True)
    if missing:
        raise MissingDependencyError(f"{missing} of {len(looked_at)} checks failed")


def checks(*, quick: bool = False) -> list[Check]:
    """Everything that is looked at, in order.

    Args:
        quick: Leave out what takes seconds.
    """
    looked_at = [Check("Python", _python)]
    looked_at += [Check(name, _importer(name), _INSTALL) for name in (*_LIBRARIES, *_ROS)]
    looked_at += [
        Check("rejshand_msgs", _messages, "run `make messages`, or `colcon build` and source it"),
        Check("RMW", _middleware, _INSTALL),
        Check("image conversion", _images, "`pip install rosbags-image`, or install cv_bridge"),
        Check("weights", _weights, "restore rejshand_ros/weights from the repository"),
        Check("robot hands", _hands, "restore config/hands and urdf from the repository"),
        Check("GPU", _gpu),
        Check("camera", _cameras),
        Check("shared memory", _shared_memory, "remount it: `mount -o remount,size=1G /dev/shm`"),
        Check("disk", _disk, "free some disk: below 500 MB the recorder does not record"),
    ]
    if not quick:
        advice = "see docs/ros2_installation.md for Fast DDS and its shared memory"
        looked_at.append(Check("images at 720p", _image_loss, advice))
    return looked_at


def _python() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info < _OLDEST_PYTHON:
        advice = "make .venv anew with `make PYTHON=python3.12 install`"
        return Finding(Level.MISSING, f"{version}; 3.11 or newer is needed", advice)
    return Finding(Level.OK, version)


def _importer(module: str) -> Callable[[], str]:
    def look() -> str:
        found = importlib.import_module(module)
        return str(getattr(found, "__version__", "installed"))

    return look


def _messages() -> str:
    # The folder of their definitions is importable too: only a message proves that they are built.
    importlib.import_module("rejshand_msgs.msg").HandPose  # noqa: B018
    return "built"


def _middleware() -> Finding:
    name = importlib.import_module("rclpy.utilities").get_rmw_implementation_identifier()
    distribution = os.environ.get("ROS_DISTRO", "the package index's ROS 2")
    words = f"{name} of {distribution}"
    if name != "rmw_fastrtps_cpp":
        advice = (
            "config/fastdds.xml, which makes room for camera images, is Fast DDS's: give this one "
            "buffers of 16 MB, or set RMW_IMPLEMENTATION=rmw_fastrtps_cpp"
        )
        return Finding(Level.NOTE, words, advice)
    return Finding(Level.OK, words)


def _images() -> str:
    from rejshand_ros.nodes.images import converter

    return converter().__qualname__.split(".")[0].removesuffix("_converter")


def _weights() -> str:
    from rejshand_ros.inference.load import weights_file

    return str(weights_file(None, ".xml"))


def _hands() -> str:
    from rejshand_ros.retargeting.robot_hand import available_hands

    return ", ".join(f"{hand} ({', '.join(sides)})" for hand, sides in available_hands().items())


def _gpu() -> Finding:
    driver = Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()
    if not driver:
        return Finding(Level.OK, "none; the network runs on the CPU, which is fast enough")
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        advice = "run `make install`, which installs torch where there is an NVIDIA GPU"
        return Finding(Level.NOTE, "NVIDIA, but torch is not installed: not used", advice)
    if not torch.cuda.is_available():
        advice = "update the NVIDIA driver; until then the network runs on the CPU"
        return Finding(Level.NOTE, "NVIDIA, but torch cannot use it", advice)
    return Finding(Level.OK, str(torch.cuda.get_device_name()))


def _cameras() -> Finding:
    from rejshand_ros.errors import MediaError
    from rejshand_ros.nodes.sources import open_source

    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        advice = "connect a webcam, or give a video: `make demo INPUT=my_hand.mp4`"
        return Finding(Level.NOTE, "no /dev/video*", advice)
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if len(closed) == len(devices):
        advice = "`sudo usermod -aG video $USER`, then log in again"
        return Finding(Level.NOTE, f"no permission for {', '.join(closed)}", advice)
    silent = []
    for device in devices:
        try:
            source = open_source(str(device))
        except MediaError as error:
            silent.append(str(error))
            continue
        words = f"{device}: {source.width} x {source.height} at {source.fps:g} Hz"
        source.close()
        return Finding(Level.OK, words)
    advice = "close the program that uses it, or choose another with `make demo INPUT=/dev/videoN`"
    return Finding(Level.NOTE, "; ".join(silent), advice)


def _shared_memory() -> str:
    free = shutil.disk_usage("/dev/shm").free
    if free < _LEAST_SHM_BYTES:
        raise OSError(f"{free >> 20} MB free in /dev/shm, {_LEAST_SHM_BYTES >> 20} MB are needed")
    return f"{free >> 20} MB free"


def _disk() -> Finding:
    folder = Path.cwd()
    free = shutil.disk_usage(folder).free
    words = f"{free / (1 << 30):.1f} GB free below {folder}"
    if free < _LEAST_DISK_BYTES:
        raise OSError(words)
    if free < _GOOD_DISK_BYTES:
        advice = f"an hour of recording takes about {_RECORDING_GB_AN_HOUR} GB"
        return Finding(Level.NOTE, words, advice)
    return Finding(Level.OK, words)


def _image_loss() -> Finding:
    from rejshand_ros.demo.image_loss import measure_loss

    lost = {transport: measure_loss(transport) for transport in ("raw", "compressed")}
    words = ", ".join(f"{100 * share:.0f} % of {name} ones lost" for name, share in lost.items())
    if lost["compressed"] > _TOLERABLE_LOSS:
        advice = (
            "set FASTDDS_DEFAULT_PROFILES_FILE to config/fastdds.xml, close what keeps the "
            "processors busy, or take 640 x 480"
        )
        return Finding(Level.NOTE, words, advice)
    if lost["raw"] > _TOLERABLE_LOSS:
        advice = "keep to compressed images, the chain's default (image_transport:=compressed)"
        return Finding(Level.NOTE, words, advice)
    return Finding(Level.OK, words)
