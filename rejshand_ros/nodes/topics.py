"""Names and types of the chain's topics, relative to the chain's namespace."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.topic import RecordedTopic

SIDES = {"right": (Side.RIGHT,), "left": (Side.LEFT,), "both": (Side.RIGHT, Side.LEFT)}
"""Parameter `side` -> the hands meant."""


def chain_topics(
    sides: Sequence[Side],
    *,
    transport: str = "compressed",
    command_type: str = "sensor_msgs/msg/JointState",
    reliable_images: bool = True,
) -> tuple[RecordedTopic, ...]:
    """What an episode of the chain holds.

    Args:
        sides: The hands that are followed.
        transport: Form of the images: raw or compressed.
        command_type: Message type of `joint_command`.
        reliable_images: False where a foreign camera driver publishes best effort.
    """
    image = (
        RecordedTopic("image_raw", "sensor_msgs/msg/Image", reliable=reliable_images)
        if transport == "raw"
        else RecordedTopic(
            "image_raw/compressed", "sensor_msgs/msg/CompressedImage", reliable=reliable_images
        )
    )
    topics = [
        image,
        RecordedTopic("camera_info", "sensor_msgs/msg/CameraInfo", reliable=reliable_images),
        RecordedTopic("clip_status", "diagnostic_msgs/msg/DiagnosticStatus", latched=True),
        RecordedTopic("hands", "rejshand_msgs/msg/HandPoseArray"),
        RecordedTopic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
    ]
    for side in sides:
        topics += [
            RecordedTopic(f"{side}/hand_pose", "rejshand_msgs/msg/HandPose"),
            RecordedTopic(f"{side}/hand_mesh", "rejshand_msgs/msg/HandMesh"),
            RecordedTopic(
                f"{side}/hand_mesh_faces", "rejshand_msgs/msg/HandMeshFaces", latched=True
            ),
            RecordedTopic(f"{side}/wrist_pose", "geometry_msgs/msg/PoseStamped"),
            RecordedTopic(f"{side}/joint_target", "rejshand_msgs/msg/JointTarget"),
            RecordedTopic(f"{side}/hand_command", "rejshand_msgs/msg/HandCommand"),
            RecordedTopic(f"{side}/joint_command", command_type),
            RecordedTopic(f"{side}/teleop_state", "rejshand_msgs/msg/TeleopState", latched=True),
            RecordedTopic(f"{side}/joint_states", "sensor_msgs/msg/JointState"),
            RecordedTopic(f"{side}/robot_description", "std_msgs/msg/String", latched=True),
        ]
    return tuple(topics)


def message_class(msgtype: str) -> type[Any]:
    """The Python class of a message type such as ``sensor_msgs/msg/JointState``.

    Raises:
        ConfigError: It is not installed, or is no message type.
    """
    try:
        package, kind, name = msgtype.split("/")
        found = getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ValueError, ImportError, AttributeError):
        raise ConfigError(
            f"message type {msgtype!r} is not installed; the form is package/msg/Name"
        ) from None
    return found  # type: ignore[no-any-return]
