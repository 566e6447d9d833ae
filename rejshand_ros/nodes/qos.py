"""Quality of service of every topic of the chain, in one place (REP-2003)."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def newest_only() -> QoSProfile:
    """For subscribers that want the newest sensor sample and no other.

    Best effort, so that it connects to any driver; depth one, so that what waits while the node
    is busy is overwritten by what is newer.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
    )


def recent() -> QoSProfile:
    """For who looks on and must find the image that a later message is about.

    Best effort as well; a queue of a third of a second, since a process that steps back behind
    the others may not run for that long.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT
    )


def stream() -> QoSProfile:
    """For publishers: reliable, so that recorders lose nothing; a short queue."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE
    )


def newest_reliable() -> QoSProfile:
    """For subscribers to small messages of which only the newest counts."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
    )


def latched() -> QoSProfile:
    """For what is published once and must reach whoever comes later."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def recording(*, reliable: bool, transient: bool) -> QoSProfile:
    """For a recorder: as strong as what the publisher offers, and a long queue."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=100,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if transient else DurabilityPolicy.VOLATILE,
    )
