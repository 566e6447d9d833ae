"""A verb that asks the running chain for what a person types: its node, and its clean end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rejshand_ros.errors import ProcessError


@contextmanager
def terminal_session(name: str, namespace: str) -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    """A node on an executor that the caller spins.

    SIGTERM and the end of the terminal interrupt as Ctrl-C does.

    Args:
        name: Of the node.
        namespace: The chain's.
    """
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        node = rclpy.create_node(name, context=context, namespace=namespace)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        yield node, executor
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        context.try_shutdown()


def spin_until(
    executor: SingleThreadedExecutor, condition: Callable[[], bool], wait_s: float, complaint: str
) -> None:
    """Spin until something is there.

    Raises:
        ProcessError: The complaint, once the time is over.
    """
    end_s = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > end_s:
            raise ProcessError(complaint)
        executor.spin_once(timeout_sec=0.1)
