"""Definitions of the messages that an episode holds, for writing and reading without ROS."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from rejshand_ros.errors import ConfigError, RecordingError
from rejshand_ros.resources import resource_path

_OWN_PACKAGE = "rejshand_msgs"


def _own_definitions() -> Path:
    """Folder of rejshand_msgs' .msg files: the checkout's, else an installed one."""
    try:
        return resource_path(f"{_OWN_PACKAGE}/msg")
    except ConfigError as missing:
        for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
            folder = Path(prefix) / "share" / _OWN_PACKAGE / "msg"
            if prefix and folder.is_dir():
                return folder
        raise RecordingError(
            f"message definitions of {_OWN_PACKAGE} not found beside the package nor below "
            "AMENT_PREFIX_PATH; source the workspace's install/setup.bash"
        ) from missing


@cache
def message_store() -> Typestore:
    """Every message type of ROS 2's common interfaces and of rejshand_msgs."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for path in sorted(_own_definitions().glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"{_OWN_PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


@cache
def message_definition(msgtype: str) -> tuple[str, str]:
    """Definition with everything it refers to, and its REP-2016 hash.

    Args:
        msgtype: For example ``"sensor_msgs/msg/JointState"``.

    Raises:
        RecordingError: The type is unknown.
    """
    store = message_store()
    if msgtype not in store.types:
        raise RecordingError(
            f"message type {msgtype!r} is unknown; known packages: "
            + ", ".join(sorted({name.split("/")[0] for name in store.types}))
        )
    definition, _ = store.generate_msgdef(msgtype, ros_version=2)
    return definition, store.hash_rihs01(msgtype)
