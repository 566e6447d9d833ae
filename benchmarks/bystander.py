"""A node of a benchmark beside the chain: it listens in a thread of its own."""

from __future__ import annotations

import threading

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor


class Bystander:
    """A node in a context of its own, which spins from `start` to `close`.

    Args:
        name: Of the node.
        domain: ROS domain.
    """

    def __init__(self, name: str, domain: int) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node(name, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def close(self) -> None:
        """Cease to listen."""
        self._executor.shutdown()
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)
