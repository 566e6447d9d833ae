"""A verb that asks the running chain for what a person types: its node, and its clean end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rejshand_ros.errors import ProcessError


class _InterruptedBetween(SingleThreadedExecutor):
    """An executor that signals interrupt before and after it spins, never inside of rclpy.

    An exception that a signal handler raises in the middle of rclpy leaves half-made tasks behind,
    which complain when they are collected.
    """

    _signalled = False

    def signalled(self, *_: object) -> None:
        """Handler of a signal."""
        self._signalled = True

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """As the base class, interrupted if a signal came."""
        self._interrupt()
        super().spin_once(timeout_sec)
        self._interrupt()

    def _interrupt(self) -> None:
        if self._signalled:
            self._signalled = False
            raise KeyboardInterrupt


@contextmanager
def terminal_session(name: str, namespace: str) -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    """A node on an executor that the caller spins.

    SIGTERM, Ctrl-C and the end of the terminal interrupt (KeyboardInterrupt) where it spins.

    Args:
        name: Of the node.
        namespace: The chain's.
    """
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    before: dict[signal.Signals, Any] = {}
    try:
        node = rclpy.create_node(name, context=context, namespace=namespace)
        executor = _InterruptedBetween(context=context)
        executor.add_node(node)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, executor.signalled)
        try:
            yield node, executor
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            # In this order: what is left to the collector may go after what it stands on.
            executor.shutdown()
            node.destroy_node()
    finally:
        context.try_shutdown()


def spin_until(
    executor: SingleThreadedExecutor,
    condition: Callable[[], bool],
    wait_s: float,
    complaint: str,
    *,
    interruptible: bool = True,
) -> None:
    """Spin until something is there.

    Args:
        executor: What spins.
        condition: Whether it is there.
        wait_s: Longest wait.
        complaint: What to say then.
        interruptible: False for what must be done before the end: a further signal, of somebody
            impatient, does not cut it short.

    Raises:
        ProcessError: The complaint, once the time is over.
    """
    end_s = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > end_s:
            raise ProcessError(complaint)
        try:
            executor.spin_once(timeout_sec=0.1)
        except KeyboardInterrupt:
            if interruptible:
                raise
