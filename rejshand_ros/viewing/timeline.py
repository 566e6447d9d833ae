"""What an episode says about each camera image: hands, commands and joint positions."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, Side
from rejshand_ros.recording.images import decode_image, image_topic
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns

_HAND = "rejshand_msgs/msg/HandPose"
_COMMAND = "rejshand_msgs/msg/HandCommand"
_JOINTS = "sensor_msgs/msg/JointState"


@dataclass(frozen=True)
class HandMoment:
    """One side at one image.

    Attributes:
        side: The person's hand.
        seen: True when tracked in this image, False when held from before.
        score: Probability that a hand is there, 0..1; 0 where none was found.
        keypoints_2d: (21, 2) pixels.
        phase: Name of the teleoperation's state, e.g. ``tracking``.
        latency_s: Capture to the first command that follows this image; None if there is none.
        joint_names: Names of the robot's joints.
        positions: Radians, one a name, of the hand that moved (simulated or real) if it reports,
            else of the command.
    """

    side: Side
    seen: bool
    score: float
    keypoints_2d: Array | None
    phase: str
    latency_s: float | None
    joint_names: tuple[str, ...]
    positions: Array | None


@dataclass(frozen=True)
class Moment:
    """One camera image and what belongs to it.

    Attributes:
        stamp_ns: Capture stamp.
        image: (H, W, 3) BGR.
        hands: One entry a side that the episode holds.
    """

    stamp_ns: int
    image: NDArray[np.uint8]
    hands: tuple[HandMoment, ...]


@dataclass
class _SideTracks:
    """Everything of one side, by time."""

    poses: dict[int, Any]
    commands: list[tuple[int, Any]]
    first_issue_ns: dict[int, int]
    joints: list[tuple[int, Any]]


def _side_of(topic: str) -> Side | None:
    parts = topic.split("/")
    return next((side for side in Side if side.value in parts), None)


def _collect(reader: EpisodeReader) -> dict[Side, _SideTracks]:
    tracks: dict[Side, _SideTracks] = {}
    wanted = [
        topic
        for topic, kind in reader.topics.items()
        if kind in (_HAND, _COMMAND) or (kind == _JOINTS and topic.endswith("/joint_states"))
    ]
    for item in reader.messages(wanted):
        side = _side_of(item.topic)
        if side is None:
            continue
        track = tracks.setdefault(side, _SideTracks({}, [], {}, []))
        stamp = stamp_ns(item.message.header.stamp)
        if item.msgtype == _HAND:
            track.poses[stamp] = item.message
        elif item.msgtype == _COMMAND:
            track.commands.append((stamp, item.message))
            if item.message.first_for_capture:
                capture = stamp_ns(item.message.capture_stamp)
                track.first_issue_ns.setdefault(capture, stamp)
        else:
            track.joints.append((stamp, item.message))
    return tracks


def _hand_moment(side: Side, track: _SideTracks, stamp: int, settle_ns: int) -> HandMoment:
    pose = track.poses.get(stamp)
    keypoints = None
    if pose is not None and len(pose.keypoints_2d) == 2 * KEYPOINT_COUNT:
        keypoints = np.asarray(pose.keypoints_2d, float).reshape(KEYPOINT_COUNT, 2)
    issued = track.first_issue_ns.get(stamp)
    # The robot answers this image a little after it: show it where the command has arrived.
    moment = (issued or stamp) + settle_ns
    command = None
    index = bisect_right(track.commands, moment, key=lambda entry: entry[0])
    if index:
        command = track.commands[index - 1][1]
    joints = command
    if track.joints:
        nearest = bisect_left(track.joints, moment, key=lambda entry: entry[0])
        joints = track.joints[min(nearest, len(track.joints) - 1)][1]
    names: tuple[str, ...] = ()
    positions = None
    if joints is not None:
        # JointState and HandCommand differ in the names of these two fields.
        names = tuple(getattr(joints, "name", None) or joints.names)
        given = joints.position if hasattr(joints, "position") else joints.positions
        positions = np.asarray(given, float)
    return HandMoment(
        side=side,
        seen=pose is not None and pose.state == 1,
        score=0.0 if pose is None else float(pose.score),
        keypoints_2d=keypoints,
        phase=command.state.name if command is not None else "",
        latency_s=None if issued is None else (issued - stamp) * 1e-9,
        joint_names=names,
        positions=positions,
    )


def moments(
    reader: EpisodeReader,
    *,
    every: int = 1,
    settle_s: float = 0.03,
    longest_s: float = math.inf,
) -> Iterator[Moment]:
    """Walk through an episode image by image.

    Args:
        reader: The episode.
        every: Take each n-th image.
        settle_s: How long after its command the robot hand is shown.
        longest_s: Of a longer episode only its last seconds are taken.

    Raises:
        RecordingError: The episode holds no images, or damaged ones.
    """
    tracks = _collect(reader)
    topic = image_topic(reader)
    begin_ns = reader.end_ns - 1e9 * longest_s
    for index, item in enumerate(reader.messages([topic])):
        if index % every or item.received_ns < begin_ns:
            continue
        stamp = stamp_ns(item.message.header.stamp)
        hands = tuple(
            _hand_moment(side, track, stamp, round(settle_s * 1e9))
            for side, track in sorted(tracks.items())
        )
        yield Moment(stamp, decode_image(item.message, item.msgtype), hands)
