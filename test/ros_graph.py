"""A ROS graph of a test's own: a domain nobody else uses, a probe node, waiting on conditions."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor
from rclpy.parameter import Parameter

from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.nodes.running import make_executor

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class Graph:
    """Nodes of one test, spun by the test itself."""

    def __init__(self, context: Context, executor: Callable[[Context], Executor]) -> None:
        self.context = context
        self.executor = executor(context)
        self.probe = rclpy.create_node("probe", context=context)
        self.executor.add_node(self.probe)
        self.nodes = []

    def add(self, node_class, start=True, namespace=None, **parameters):
        """Make a node of ours, configured and active."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = node_class(context=self.context, parameter_overrides=overrides, namespace=namespace)
        self.nodes.append(node)
        self.executor.add_node(node)
        if start:
            node.begin()
        return node

    def collect(self, kind, topic, profile=10) -> list:
        """Everything that comes on a topic, in a list."""
        received: list = []
        self.probe.create_subscription(kind, topic, received.append, profile)
        return received

    def publisher(self, kind, topic, profile=10, timeout_s=10.0):
        """A publisher of the probe, once somebody listens."""
        publisher = self.probe.create_publisher(kind, topic, profile)
        self.until(lambda: publisher.get_subscription_count() > 0, timeout_s)
        return publisher

    def call(self, kind, name, request=None):
        """Call a service and return its answer."""
        client = self.probe.create_client(kind, name)
        self.until(client.service_is_ready)
        future = client.call_async(request or kind.Request())
        self.until(future.done)
        return future.result()

    def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Spin until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        for node in self.nodes:
            node.stop()
            node.destroy_node()
        self.probe.destroy_node()
        self.executor.shutdown()


@contextmanager
def ros_graph(executor: Callable[[Context], Executor] = make_executor) -> Iterator[Graph]:
    """A graph in a domain of its own; on the executor that the nodes use, or another."""
    with reserved_domain() as domain:
        context = Context()
        rclpy.init(context=context, domain_id=domain)
        graph = Graph(context, executor)
        try:
            yield graph
        finally:
            graph.close()
            context.try_shutdown()
