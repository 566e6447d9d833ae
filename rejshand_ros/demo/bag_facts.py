"""What a recorded run of the chain holds, gathered in one pass over the bag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader

from rejshand_ros.errors import RecordingError
from rejshand_ros.geometry import Array
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import stamp_ns

_TRACKING = 1
_FAILED_OUTCOMES = (3, 4)
"""JointTarget's infeasible and rejected input."""


@dataclass
class SideFacts:
    """One side of a run; times in nanoseconds, keyed by capture stamp.

    Attributes:
        pose_received: When the recorder got each hand pose.
        keypoints_2d: (21, 2) pixels of each hand that was seen.
        keypoints_3d: (21, 3) metres, relative to the wrist, of each hand that was seen.
        vertices: (778, 3) metres, relative to the wrist.
        target_received: When the recorder got each joint target.
        fingertip_errors_m: Of every target, every finger.
        solver_failures: Targets without a solution.
        command_stamps: (n,) time of issue of every command.
        command_positions: (n, joints) radians.
        command_names: Joint names.
        first_issued: When the first command that follows a capture was issued.
        joint_states: Number of joint states.
    """

    pose_received: dict[int, int] = field(default_factory=dict)
    keypoints_2d: dict[int, Array] = field(default_factory=dict)
    keypoints_3d: dict[int, Array] = field(default_factory=dict)
    vertices: dict[int, Array] = field(default_factory=dict)
    target_received: dict[int, int] = field(default_factory=dict)
    fingertip_errors_m: list[float] = field(default_factory=list)
    solver_failures: int = 0
    command_stamps: list[int] = field(default_factory=list)
    command_positions: list[Array] = field(default_factory=list)
    command_names: tuple[str, ...] = ()
    first_issued: dict[int, int] = field(default_factory=dict)
    joint_states: int = 0


@dataclass
class BagFacts:
    """A whole run.

    Attributes:
        image_received: Capture stamp -> when the recorder got the image, nanoseconds.
        processed: Capture stamps of the images that the hand pose node answered.
        found: Those in which a hand was seen.
        clip: What the camera said of its clip, last.
        diagnostics: Node name -> its last values.
        sides: Facts by side.
    """

    image_received: dict[int, int] = field(default_factory=dict)
    processed: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    clip: dict[str, str] = field(default_factory=dict)
    diagnostics: dict[str, dict[str, str]] = field(default_factory=dict)
    sides: dict[str, SideFacts] = field(default_factory=dict)


def gather(bag: Path, sides: Sequence[str], *, meshes: bool) -> BagFacts:
    """Read a bag.

    Args:
        bag: Folder of the bag.
        sides: The sides that the chain ran for.
        meshes: Whether to keep the vertices; they are only needed against known truth.

    Raises:
        RecordingError: It is missing or damaged.
    """
    facts = BagFacts(sides={side: SideFacts() for side in sides})
    files = sorted(bag.glob("*.mcap"))
    if not files:
        raise RecordingError(f"{bag} holds no .mcap file; did the recorder run?")
    store = message_store()
    try:
        for path in files:
            with path.open("rb") as stream:
                for schema, channel, message in make_reader(stream).iter_messages():
                    if schema is None or (schema.name.endswith("HandMesh") and not meshes):
                        continue
                    decoded = store.deserialize_cdr(message.data, schema.name)
                    _take(facts, channel.topic, schema.name, message.log_time, decoded)
    except (McapError, OSError) as error:
        raise RecordingError(f"bag {bag} cannot be read: {error}") from error
    return facts


def _take(facts: BagFacts, topic: str, kind: str, received_ns: int, message: Any) -> None:
    """Note what one message tells."""
    name = kind.rsplit("/", 1)[-1]
    if name in ("Image", "CompressedImage"):
        facts.image_received[stamp_ns(message.header.stamp)] = received_ns
    elif name == "HandPoseArray":
        stamp = stamp_ns(message.header.stamp)
        facts.processed.append(stamp)
        if any(hand.state == _TRACKING for hand in message.hands):
            facts.found.append(stamp)
    elif name == "DiagnosticStatus":
        facts.clip = {item.key: item.value for item in message.values}
    elif name == "DiagnosticArray":
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            facts.diagnostics[status.name] = values
    else:
        parts = topic.strip("/").split("/")
        side = facts.sides.get(parts[-2]) if len(parts) > 1 else None
        if side is not None:
            _take_side(side, parts[-1], received_ns, message)


def _take_side(side: SideFacts, topic: str, received_ns: int, message: Any) -> None:
    """Note what one message of one side tells."""
    if topic == "hand_pose":
        stamp = stamp_ns(message.header.stamp)
        side.pose_received[stamp] = received_ns
        if message.state == _TRACKING:
            side.keypoints_2d[stamp] = np.asarray(message.keypoints_2d, float).reshape(-1, 2)
            side.keypoints_3d[stamp] = np.array([(p.x, p.y, p.z) for p in message.keypoints_3d])
    elif topic == "hand_mesh":
        stamp = stamp_ns(message.header.stamp)
        side.vertices[stamp] = np.array([(p.x, p.y, p.z) for p in message.vertices])
    elif topic == "joint_target":
        side.target_received[stamp_ns(message.header.stamp)] = received_ns
        side.solver_failures += message.outcome in _FAILED_OUTCOMES
        side.fingertip_errors_m.extend(float(e.error) for e in message.fingertip_errors)
    elif topic == "hand_command":
        issued = stamp_ns(message.header.stamp)
        side.command_stamps.append(issued)
        side.command_positions.append(np.asarray(message.positions, float))
        side.command_names = tuple(message.names)
        if message.first_for_capture:
            capture = stamp_ns(message.capture_stamp)
            side.first_issued.setdefault(capture, issued)
    elif topic == "joint_states":
        side.joint_states += 1
