"""Run the keypoints of an episode through retargeting onto another robot hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.errors import RecordingError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, Side
from rejshand_ros.recording.episode import CARD_NAME, EpisodeCard, read_card
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.provenance import file_hashes, hand_files, software_versions
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.solver_config import SolverConfig

_HAND = "rejshand_msgs/msg/HandPose"
_DESCRIPTION = "std_msgs/msg/String"
_TARGET = "rejshand_msgs/msg/JointTarget"
_TRACKING = 1
# What the other robot hand did is not what this one would have done.
_LEFT_BEHIND = (
    "joint_target",
    "hand_command",
    "joint_command",
    "joint_states",
    "teleop_state",
    "robot_description",
)


@dataclass(frozen=True)
class RetargetedReport:
    """What was made.

    Attributes:
        folder: The new episode.
        targets: Joint targets in it.
        failures: Those of them whose solve failed or whose input was refused.
    """

    folder: Path
    targets: int
    failures: int


def retarget_episode(
    source: Path, out: Path, hand: str, objective: str = "vector"
) -> RetargetedReport:
    """Make a new episode: the same images and hands, joint targets of another robot hand.

    The same episode gives the same bytes on any machine: solves have no cap on time, and their
    durations are not recorded.

    Args:
        source: The episode to start from.
        out: Folder of the new one; must not exist.
        hand: Name of a robot hand in config/hands.
        objective: Name of an objective of that hand.

    Raises:
        RecordingError: The source holds no hands, or the new episode cannot be written.
        ConfigError: Unknown hand or objective.
    """
    card = read_card(source) if (source / CARD_NAME).exists() else EpisodeCard(source.name)
    with EpisodeReader(source) as reader:
        topics = [
            topic
            for topic in reader.recorded_topics
            if topic.name.rsplit("/", 1)[-1] not in _LEFT_BEHIND
        ]
        solvers = {
            topic.name: _retargeter(hand, _side(topic.name), objective)
            for topic in topics
            if topic.msgtype == _HAND
        }
        if not solvers:
            raise RecordingError(f"{source} holds no hands; it has {', '.join(reader.topics)}")
        targets = {
            name: RecordedTopic(name.rsplit("/", 1)[0] + "/joint_target", _TARGET)
            for name in solvers
        }
        descriptions = {
            name: RecordedTopic(
                name.rsplit("/", 1)[0] + "/robot_description", _DESCRIPTION, latched=True
            )
            for name in solvers
        }
        kept = {name: h for name, h in card.hashes.items() if not name.startswith("hand/")}
        new_card = card.completed(
            parent=card.name,
            versions={**card.versions, **software_versions()},
            hashes={**kept, **file_hashes(hand_files(hand, map(_side, solvers)))},
            extra={**card.extra, "hand": hand, "objective": objective},
        )
        made = failures = 0
        offered = [*topics, *descriptions.values(), *targets.values()]
        with EpisodeWriter(out, offered, new_card) as writer:
            for topic, _, received_ns, data in reader.serialised([t.name for t in topics]):
                # The description stands before everything else.
                for name in list(descriptions):
                    described = descriptions.pop(name).name
                    writer.write(described, received_ns, _description(solvers[name]))
                writer.write(topic, received_ns, data)
                if topic in solvers:
                    result, message = _solve(solvers[topic], data, hand)
                    if result is None:
                        continue
                    writer.write(targets[topic].name, received_ns, message)
                    made += 1
                    failures += result.outcome in (
                        SolveOutcome.INFEASIBLE,
                        SolveOutcome.REJECTED_INPUT,
                    )
    return RetargetedReport(out, made, failures)


def _side(topic: str) -> Side:
    found = [side for side in Side if side.value in topic.split("/")]
    if not found:
        raise RecordingError(f"topic {topic} names no side: left or right must be part of it")
    return found[0]


def _retargeter(hand: str, side: Side, objective: str) -> Retargeter:
    config = RetargeterConfig(objective=objective, solver=SolverConfig(most_time_s=3600.0))
    return Retargeter(load_robot_hand(hand, side), config)


def _description(retargeter: Retargeter) -> bytes:
    urdf = retargeter.robot_hand.urdf_path.read_text(encoding="utf-8")
    store = message_store()
    return bytes(store.serialize_cdr(store.types[_DESCRIPTION](data=urdf), _DESCRIPTION))


def _solve(retargeter: Retargeter, data: bytes, hand: str) -> tuple[RetargetResult | None, bytes]:
    store = message_store()
    pose: Any = store.deserialize_cdr(data, _HAND)
    if pose.state != _TRACKING or len(pose.keypoints_3d) != KEYPOINT_COUNT:
        return None, b""
    keypoints: Array = np.array([[p.x, p.y, p.z] for p in pose.keypoints_3d])
    stamp = stamp_ns(pose.header.stamp)
    result = retargeter.retarget(keypoints, Side(pose.side), stamp)
    types = store.types
    message = types[_TARGET](
        header=types["std_msgs/msg/Header"](
            stamp=pose.header.stamp, frame_id=retargeter.robot_hand.root_link
        ),
        hand=hand,
        side=pose.side,
        names=list(result.joint_names),
        positions=np.asarray(result.positions, float),
        outcome=result.outcome.value,
        reason=result.reason,
        iterations=result.iterations,
        solve_time=0.0,
        fingertip_errors=[
            types["rejshand_msgs/msg/FingertipError"](finger=finger, error=float(error))
            for finger, error in result.fingertip_error_m.items()
        ],
        active_limits=list(result.active_limits),
    )
    return result, bytes(store.serialize_cdr(message, _TARGET))
