"""Write config/security/policy.xml: what each node of the chain may publish, hear, serve and call.

It starts the chain for both hands, as `make demo` does, with what the launch files have besides,
and asks the graph: the policy is what the
nodes do, not what somebody remembers. `ros2 security` makes keys and permissions from it; see
docs/security.md. Run it with the environment's Python after a node has got a topic or a service.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from rejshand_ros.demo.chain import ChainConfig, chain_environment, chain_processes
from rejshand_ros.demo.clip import default_clip
from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.demo.processes import ProcessGroup, ProcessSpec
from rejshand_ros.hand.keypoints import Side

POLICY = Path(__file__).resolve().parents[1] / "config/security/policy.xml"
_WITHIN_S = 90.0
_SETTLED_S = 3.0
"""The graph no longer changes."""
_HAND_NODES = ("retargeting", "command", "simulation")
_SELF = "security_policy"


def chain_nodes(node: Node) -> list[tuple[str, str]]:
    """(namespace, name) of every other node in the graph, sorted."""
    found = {(ns, name) for name, ns in node.get_node_names_and_namespaces()}
    return sorted(pair for pair in found if pair[1] != _SELF and not pair[1].startswith("_"))


def profile(node: Node, namespace: str, name: str) -> ElementTree.Element:
    """What one node does, in the form of sros2's policies."""
    element = ElementTree.Element("profile", ns=namespace, node=name)
    asked = (
        ("topics", "publish", "topic", node.get_publisher_names_and_types_by_node),
        ("topics", "subscribe", "topic", node.get_subscriber_names_and_types_by_node),
        ("services", "reply", "service", node.get_service_names_and_types_by_node),
        ("services", "request", "service", node.get_client_names_and_types_by_node),
    )
    for group, right, kind, names_of in asked:
        names = {topic for topic, _ in names_of(name, namespace)}
        if right == "subscribe":
            # Which form of an image a node hears is a parameter's choice.
            images = {topic.removesuffix("/compressed") for topic in names if "/image" in topic}
            names |= images | {f"{image}/compressed" for image in images}
        if names:
            part = ElementTree.SubElement(element, group, {right: "ALLOW"})
            for one in sorted(names):
                ElementTree.SubElement(part, kind).text = one
    return element


def policy(node: Node) -> str:
    """The whole policy, an enclave a node: each runs in a process of its own."""
    root = ElementTree.Element("policy", version="0.2.0")
    enclaves = ElementTree.SubElement(root, "enclaves")
    for namespace, name in chain_nodes(node):
        path = f"{namespace.rstrip('/')}/{name}"
        enclave = ElementTree.SubElement(enclaves, "enclave", path=path)
        ElementTree.SubElement(enclave, "profiles").append(profile(node, namespace, name))
    ElementTree.indent(root)
    head = "<!-- Written by scripts/make_security_policy.py from the running chain. -->\n"
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def settled_policy(node: Node, processes: int) -> str:
    """The policy once all nodes are there and nothing has changed for a while.

    Raises:
        TimeoutError: That does not come about.
    """
    begun = since = time.monotonic()
    last = ""
    while time.monotonic() - begun < _WITHIN_S:
        time.sleep(0.2)  # the graph is kept by the middleware's own threads
        now = policy(node) if len(chain_nodes(node)) >= processes else ""
        if now != last:
            last, since = now, time.monotonic()
        elif now and time.monotonic() - since > _SETTLED_S:
            return now
    raise TimeoutError(f"the chain's {processes} nodes did not settle within {_WITHIN_S:g} s")


def launched_besides() -> list[ProcessSpec]:
    """Nodes of the launch files that `make demo` does without."""
    # Nobody tells the manager to go: it has its clients, and leaves the others as they are.
    managed = [f"{side}/{name}" for side in ("right", "left") for name in _HAND_NODES]
    parameters: dict[str, dict[str, str | list[str]]] = {
        "frames": {"side": "both"},
        "markers": {"side": "both"},
        "manager": {"nodes": ["camera", "hand_pose", "recorder", *managed]},
    }
    return [
        ProcessSpec(name, f"rejshand_ros.nodes.{name}", values)
        for name, values in parameters.items()
    ]


def running_policy() -> str:
    """Start the chain for both hands and tell what its nodes do."""
    clip = default_clip(Side.RIGHT)
    with tempfile.TemporaryDirectory() as folder, reserved_domain() as domain:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        chain = ChainConfig(input=str(clip.video), side="both", out=Path(folder), view_port=port)
        specs = [*chain_processes(chain), *launched_besides()]
        os.environ.update(chain_environment(domain))
        context = Context()
        rclpy.init(context=context, domain_id=domain)
        with ProcessGroup(chain_environment(domain), Path(folder) / "logs") as group:
            group.start(specs)
            group.wait_ready(_WITHIN_S)
            node = rclpy.create_node(_SELF, context=context)
            text = settled_policy(node, len(specs))
            node.destroy_node()
            group.stop()
        context.try_shutdown()
    return text


def main() -> int:
    """Write the policy; with --check only compare it with the one that is there.

    Returns:
        The exit status.
    """
    text = running_policy()
    if "--check" in sys.argv[1:]:
        same = POLICY.read_text(encoding="utf-8") == text
        print(f"{POLICY} {'is' if same else 'is not'} what the nodes do")
        return 0 if same else 1
    POLICY.parent.mkdir(exist_ok=True)
    POLICY.write_text(text, encoding="utf-8")
    print(POLICY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
