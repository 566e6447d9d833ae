"""Stamps: whole nanoseconds inside, builtin_interfaces outside."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header

from rejshand_ros.errors import InputError

NANOSECONDS = 1_000_000_000
"""In a second."""


def time_message(nanoseconds: int) -> Time:
    """A stamp of whole nanoseconds."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    if not 0 <= seconds < 1 << 31:
        raise InputError(f"time {nanoseconds} ns does not fit a ROS stamp")
    return Time(sec=seconds, nanosec=rest)


def nanoseconds(stamp: Time | Duration) -> int:
    """A stamp or duration in whole nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def header(stamp_ns: int, frame_id: str = "") -> Header:
    """A header of a stamp and a frame."""
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def duration_message(seconds: float) -> Duration:
    """A duration, rounded to whole nanoseconds."""
    whole, rest = divmod(round(seconds * NANOSECONDS), NANOSECONDS)
    return Duration(sec=whole, nanosec=rest)
