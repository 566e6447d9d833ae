"""Whom a node still waits for before it says that it is ready.

Two nodes find each other some time after both are there, each direction for itself. What is
published before that is lost to the other, also where delivery is reliable.
"""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.topics import chain_topics

_RECORDED = frozenset(
    "/" + topic.name.lstrip("/")
    for transport in ("raw", "compressed")
    for topic in chain_topics(tuple(Side), transport=transport)
)
"""Ends of the full names of the topics that an episode holds."""


class Peers:
    """The ends of a node's topics that others must be connected to."""

    def __init__(self, node: Node) -> None:
        """Begin with no topic.

        Args:
            node: Whose topics they are.
        """
        self._node = node
        self._publishers: list[Any] = []
        self._inputs: list[Any] = []

    def publishes(self, publisher: Any) -> None:
        """Take note of a publisher."""
        self._publishers.append(publisher)

    def listens(self, subscription: Any) -> None:
        """Take note of a subscription that is of no use while nobody publishes."""
        self._inputs.append(subscription)

    def forget(self, entity: Any) -> None:
        """Leave out what is about to be destroyed."""
        for known in (self._publishers, self._inputs):
            if entity in known:
                known.remove(entity)

    def missing(self, recorder: str, *, inputs: bool) -> list[str]:
        """What is not connected yet, a phrase each.

        Args:
            recorder: Name of the node that must be connected to each of this node's topics that
                an episode holds; empty: nobody need be.
            inputs: Whether each topic that the node listens to needs a publisher.
        """
        found = []
        if recorder:
            found += [
                f"{recorder} does not listen to {publisher.topic_name}"
                for publisher in self._publishers
                if publisher.topic_name.endswith(tuple(_RECORDED))
                and not any(self._heard_by(form, recorder) for form in self._forms(publisher))
            ]
        if inputs:
            found += [
                f"nobody publishes {subscription.topic_name}"
                for subscription in self._inputs
                if not subscription.get_publisher_count()
            ]
        return found

    def _forms(self, publisher: Any) -> list[Any]:
        """A publisher, and that of the same image raw or compressed: episodes hold one of them."""
        image = publisher.topic_name.removesuffix("/compressed")
        return [p for p in self._publishers if p.topic_name.removesuffix("/compressed") == image]

    def _heard_by(self, publisher: Any, recorder: str) -> bool:
        """Whether a node that the graph shows is connected in fact, for the graph is told first."""
        node, topic = self._node, publisher.topic_name
        # As the graph has it: in a profile of ours, a duration of zero stands for the default.
        offered = [
            info.qos_profile
            for info in node.get_publishers_info_by_topic(topic)
            if (info.node_name, info.node_namespace) == (node.get_name(), node.get_namespace())
        ]
        if not offered:
            return False
        able = [
            info
            for info in node.get_subscriptions_info_by_topic(topic)
            if qos_check_compatible(offered[0], info.qos_profile)[0] != QoSCompatibility.ERROR
        ]
        listens = any(info.node_name == recorder for info in able)
        return listens and int(publisher.get_subscription_count()) >= len(able)
