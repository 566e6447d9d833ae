"""The manager brings up what it is told, in order, and says who would not."""

import pytest
from lifecycle_msgs.msg import TransitionEvent
from rclpy.qos import QoSProfile

from rejshand_ros.errors import ConfigError, ProcessError
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.manager import ManagerNode

pytestmark = pytest.mark.ros


class First(ChainNode):
    NAME = "first"


class Second(ChainNode):
    NAME = "second"


class Broken(ChainNode):
    NAME = "broken"

    def configure(self):
        raise ConfigError("a cable is missing")


NAMES = ["/right/first", "/second"]


def two(graph, **parameters):
    """Two nodes that wait for a manager."""
    return [
        graph.add(First, start=False, autostart=False, namespace="right"),
        graph.add(Second, start=False, autostart=False),
    ]


def test_all_are_configured_before_the_first_is_active(graph):
    nodes = two(graph)
    heard = []
    for name in NAMES:
        graph.probe.create_subscription(
            TransitionEvent, f"{name}/transition_event",
            lambda event, name=name: heard.append((name, event.goal_state.label)),
            QoSProfile(depth=20),
        )  # fmt: skip
    graph.until(lambda: all(graph.probe.count_publishers(f"{n}/transition_event") for n in NAMES))
    manager = graph.add(ManagerNode, nodes=NAMES)
    graph.until(lambda: all(node.active for node in nodes))
    graph.until(lambda: manager.diagnostics()["waiting_for"] == "")
    assert manager.fault is None
    reached = [step for step in heard if step[1] in ("inactive", "active")]
    assert reached == [(name, label) for label in ("inactive", "active") for name in NAMES]


def test_it_waits_for_a_node_that_is_started_later_and_leaves_an_active_one_alone(graph):
    early = graph.add(First, namespace="right")
    assert early.active
    manager = graph.add(ManagerNode, nodes=NAMES)
    graph.until(lambda: manager.diagnostics()["waiting_for"] == "/second to be configured")
    late = graph.add(Second, start=False, autostart=False)
    graph.until(lambda: late.active)
    graph.until(lambda: manager.diagnostics()["waiting_for"] == "")
    assert early.active and manager.fault is None
    # What somebody puts out of service afterwards stays so.
    early.transition(early.trigger_deactivate)
    graph.until(lambda: not early.active)
    assert manager.fault is None


def test_a_node_that_cannot_be_configured_is_named_and_tells_why_itself(graph, capfd):
    graph.add(Broken, start=False, autostart=False)
    manager = graph.add(ManagerNode, nodes=["broken"])
    graph.until(manager.finished.is_set)
    assert isinstance(manager.fault, ProcessError)
    assert "broken refused to configure" in str(manager.fault)
    assert "a cable is missing" in capfd.readouterr().err


def test_a_node_that_is_not_there_is_waited_for_only_so_long(graph):
    manager = graph.add(ManagerNode, nodes=["nobody"], timeout_s=1.0)
    graph.until(manager.finished.is_set)
    assert "nobody is not there within 1 s" in str(manager.fault)


def test_a_node_that_was_shut_down_is_named(graph):
    node = graph.add(First, start=False, autostart=False, namespace="right")
    node.stop()
    manager = graph.add(ManagerNode, nodes=["right/first"])
    graph.until(manager.finished.is_set)
    assert "right/first has been shut down" in str(manager.fault)


@pytest.mark.parametrize("nodes", [[""], ["a", "a"]])
def test_nodes_are_named_once_each(graph, nodes):
    with pytest.raises(ConfigError, match="each once"):
        graph.add(ManagerNode, nodes=nodes)
