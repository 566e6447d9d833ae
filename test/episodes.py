"""Small episodes for tests: a camera, one hand, its commands and joint states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rejshand_ros.recording.episode import EpisodeCard
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter

IMAGE = RecordedTopic("/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
HAND = RecordedTopic("/right/hand_pose", "rejshand_msgs/msg/HandPose")
COMMAND = RecordedTopic("/right/hand_command", "rejshand_msgs/msg/HandCommand")
JOINTS = RecordedTopic("/right/joint_states", "sensor_msgs/msg/JointState")
MILLISECOND = 1_000_000
START_NS = 1_700_000_000 * 1_000_000_000
KEYPOINTS = np.random.default_rng(0).uniform([40, 40], [280, 200], (21, 2))
JOINT_NAMES = ["joint_0", "joint_1"]


def joint_positions(time_s: float) -> np.ndarray:
    """Where the test robot's joints are, radians: slow enough to interpolate within 1e-4."""
    return np.array([0.3 * np.sin(2 * time_s), 0.1 * time_s])


def serialise(topic: RecordedTopic, message: object) -> bytes:
    """CDR bytes of a message."""
    return bytes(message_store().serialize_cdr(message, topic.msgtype))


def time_message(stamp_ns: int) -> Any:
    """A builtin_interfaces/Time."""
    return message_store().types["builtin_interfaces/msg/Time"](
        sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000
    )


def header(stamp_ns: int) -> Any:
    """A std_msgs/Header in the camera's frame."""
    return message_store().types["std_msgs/msg/Header"](
        stamp=time_message(stamp_ns), frame_id="camera_optical_frame"
    )


def image_message(stamp_ns: int, grey: int) -> Any:
    """A JPEG of one grey."""
    jpeg = cv2.imencode(".jpg", np.full((240, 320, 3), grey, np.uint8))[1].ravel()
    return message_store().types[IMAGE.msgtype](header=header(stamp_ns), format="jpeg", data=jpeg)


def hand_message(stamp_ns: int, state: int, keypoints_3d: np.ndarray) -> Any:
    """A HandPose with `KEYPOINTS` in the image and the given ones (21, 3) in metres."""
    types = message_store().types
    point = types["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=0.0)
    rotation = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    return types[HAND.msgtype](
        header=header(stamp_ns),
        side="right",
        state=state,
        score=0.9,
        keypoints_2d=KEYPOINTS.astype(np.float32).ravel(),
        keypoints_3d=[
            types["geometry_msgs/msg/Point"](x=float(x), y=float(y), z=float(z))
            for x, y, z in keypoints_3d
        ],
        wrist=types["geometry_msgs/msg/Pose"](position=point, orientation=rotation),
        hand_length=0.18,
        intrinsics_assumed=True,
    )


def command_message(stamp_ns: int, capture_ns: int, first: bool) -> Any:
    """A HandCommand at `joint_positions`."""
    types = message_store().types
    return types[COMMAND.msgtype](
        header=header(stamp_ns),
        capture_stamp=time_message(capture_ns),
        state=types["rejshand_msgs/msg/TeleopState"](
            header=header(stamp_ns), state=2, name="tracking", reason=""
        ),
        names=JOINT_NAMES,
        positions=joint_positions((stamp_ns - START_NS) * 1e-9),
        velocities=np.zeros(2),
        first_for_capture=first,
    )


def joint_message(stamp_ns: int) -> Any:
    """A JointState at `joint_positions`."""
    return message_store().types[JOINTS.msgtype](
        header=header(stamp_ns),
        name=JOINT_NAMES,
        position=joint_positions((stamp_ns - START_NS) * 1e-9),
        velocity=np.zeros(0),
        effort=np.zeros(0),
    )


def write_episode(
    folder: Path,
    images: int,
    *,
    period_ns: int = 1_000_000_000 // 30,
    lost: tuple[int, ...] = (),
    joints: bool = True,
    keypoints_3d: np.ndarray = np.zeros((21, 3)),  # noqa: B008 - never changed
    card: EpisodeCard | None = None,
) -> Path:
    """Record `images` camera images (numbered in their grey), some of them lost, and 100 Hz joints.

    Every second hand is held instead of seen; the command follows its image after 12 ms.
    """
    entries: list[tuple[int, RecordedTopic, object]] = []
    for index in range(images):
        stamp = START_NS + 100 * MILLISECOND + index * period_ns
        if index not in lost:
            grey = 20 + (8 * index) % 200
            entries.append((stamp + 2 * MILLISECOND, IMAGE, image_message(stamp, grey)))
        hand = hand_message(stamp, 1 if index % 2 == 0 else 2, keypoints_3d)
        entries.append((stamp + 10 * MILLISECOND, HAND, hand))
        issued = stamp + 12 * MILLISECOND
        entries.append((issued, COMMAND, command_message(issued, stamp, True)))
    if joints:
        for stamp in range(
            START_NS, START_NS + images * period_ns + 200 * MILLISECOND, 10 * MILLISECOND
        ):
            entries.append((stamp, JOINTS, joint_message(stamp)))
            entries.append((stamp + 1, COMMAND, command_message(stamp + 1, stamp, False)))
    with EpisodeWriter(folder, [IMAGE, HAND, COMMAND, JOINTS], card) as writer:
        for received, topic, message in sorted(entries, key=lambda entry: entry[0]):
            writer.write(topic.name, received, serialise(topic, message))
    return folder
