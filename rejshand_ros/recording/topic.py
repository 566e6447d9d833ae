"""A topic of an episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ZERO = {"sec": 0, "nsec": 0}
"""A duration that is not limited, as rosbag2 writes it."""


@dataclass(frozen=True)
class RecordedTopic:
    """A topic of an episode.

    Attributes:
        name: Full topic name, with a leading slash.
        msgtype: For example ``"sensor_msgs/msg/JointState"``.
        latched: Transient-local durability: a player must offer it again to late joiners.
        reliable: Reliable delivery; False for best effort.
    """

    name: str
    msgtype: str
    latched: bool = False
    reliable: bool = True

    def offered_qos(self) -> list[dict[str, Any]]:
        """The offered QoS profile in rosbag2's YAML form."""
        return [
            {
                "history": "keep_last",
                "depth": 1 if self.latched else 10,
                "reliability": "reliable" if self.reliable else "best_effort",
                "durability": "transient_local" if self.latched else "volatile",
                "deadline": dict(_ZERO),
                "lifespan": dict(_ZERO),
                "liveliness": "automatic",
                "liveliness_lease_duration": dict(_ZERO),
                "avoid_ros_namespace_conventions": False,
            }
        ]
