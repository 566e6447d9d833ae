"""Who else publishes what only one node may."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node


def rivals(node: Node, topics: Sequence[str], own: Sequence[str] = ()) -> list[str]:
    """Publishers of which there should be one a topic, a phrase each; empty where all is well.

    Two commanders give a hand two positions at once, and the limits that each of them keeps hold
    for neither.

    Args:
        node: Who asks.
        topics: Names of topics as the node uses them.
        own: Those of them that the node itself publishes: anybody else is one too many.
    """
    found = []
    me = (node.get_name(), node.get_namespace())
    for topic in topics:
        who = [
            (info.node_name, info.node_namespace)
            for info in node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
        ]
        if topic in own and me in who:
            who.remove(me)
        if len(who) > (topic not in own):
            names = sorted(f"{namespace.rstrip('/')}/{name}" for name, namespace in who)
            found.append(f"{topic}: {', '.join(names)}")
    return found
