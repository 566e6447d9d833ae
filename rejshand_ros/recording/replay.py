"""Play an episode again: which message is due when, with its stamps or new ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from rejshand_ros.errors import InputError
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.topic import RecordedTopic

_TIME = "builtin_interfaces/msg/Time"
_SECOND = 1_000_000_000
_COMMANDS = ("std_msgs/msg/Float64MultiArray", "trajectory_msgs/msg/JointTrajectory")
"""Forms of a command that nothing else in an episode has."""
_BUTTONS = "sensor_msgs/msg/Joy"
_JOINTS = "sensor_msgs/msg/JointState"


@dataclass(frozen=True)
class DueMessage:
    """A message and its moment in the replay.

    Attributes:
        topic: Full topic name of the recording.
        at_s: Seconds after the replay's start.
        data: The message in CDR.
    """

    topic: str
    at_s: float
    data: bytes


def moves_a_hand(topic: RecordedTopic) -> bool:
    """Whether a driver (or, by its buttons, a command node) may act on a topic as it is.

    Played again, such a message passes no state machine and no limit, and the hand is not where
    it was. A driver's topic may have any name, so the form decides; a JointState is taken for a
    command unless its topic is called joint_states.
    """
    name = topic.name.rpartition("/")[2]
    if topic.msgtype == _JOINTS:
        return name != "joint_states"
    return name == "joint_command" or topic.msgtype in (*_COMMANDS, _BUTTONS)


def _shift(message: Any, shift_ns: int) -> None:
    """Move every time inside a message, in place; a zero time means 'none' and stays."""
    if getattr(message, "__msgtype__", "") == _TIME:
        total = message.sec * _SECOND + message.nanosec
        if total:
            # The message classes are frozen; here a fresh copy is changed before anyone sees it.
            object.__setattr__(message, "sec", (total + shift_ns) // _SECOND)
            object.__setattr__(message, "nanosec", (total + shift_ns) % _SECOND)
        return
    if isinstance(message, list):
        for item in message:
            _shift(item, shift_ns)
    elif dataclasses.is_dataclass(message):
        for field in dataclasses.fields(message):
            _shift(getattr(message, field.name), shift_ns)


@cache
def _holds_time(msgtype: str) -> bool:
    """Whether a message type holds a time anywhere."""
    if msgtype == _TIME:
        return True
    definition, _ = message_store().generate_msgdef(msgtype, ros_version=2)
    return "builtin_interfaces/Time" in definition


def shift_stamps(data: bytes, msgtype: str, shift_ns: int) -> bytes:
    """A serialised message with every time in it moved.

    Args:
        data: The message in CDR.
        msgtype: Its type.
        shift_ns: Nanoseconds to add.
    """
    if not _holds_time(msgtype):
        return data
    store = message_store()
    message = store.deserialize_cdr(data, msgtype)
    _shift(message, shift_ns)
    return bytes(store.serialize_cdr(message, msgtype))


def schedule(
    reader: EpisodeReader,
    *,
    topics: Iterable[str] | None = None,
    rate: float = 1.0,
    start_ns: int | None = None,
) -> Iterator[DueMessage]:
    """The messages of an episode in the order in which they are due.

    Args:
        reader: The episode.
        topics: Full names; None for all.
        rate: How much faster than it was recorded.
        start_ns: Start of the replay, nanoseconds since the epoch, to give new stamps that keep
            their distances (divided by the rate); None keeps the recorded stamps.

    Raises:
        InputError: The rate is not positive.
        RecordingError: A topic is not in the episode.
    """
    if not 0.0 < rate < float("inf"):
        raise InputError(f"replay rate {rate} is not valid; a positive number is needed")
    first_ns: int | None = None
    for topic, msgtype, received_ns, data in reader.serialised(topics):
        first_ns = received_ns if first_ns is None else first_ns
        at_s = (received_ns - first_ns) * 1e-9 / rate
        if start_ns is not None:
            due_ns = start_ns + round(at_s * 1e9)
            data = shift_stamps(data, msgtype, due_ns - received_ns)
        yield DueMessage(topic, at_s, data)
