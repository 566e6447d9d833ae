"""A node as a process: started, spun, ended by signal, by its parent or by itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from rejshand_ros.errors import ConfigError, RejshandError
from rejshand_ros.nodes import shared_memory
from rejshand_ros.nodes.allocator import keep_freed_memory
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.participant import numbered_participant
from rejshand_ros.nodes.supervision import Supervision

_SPIN_S = 0.1
"""Longest time in which a signal goes unnoticed while nothing else happens."""
_CONNECTED_S = 0.02
"""Time between two looks at whether the node is connected to those it waits for."""


def run_node(node_class: type[ChainNode[Any]], argv: Sequence[str] | None = None) -> int:
    """Run a node until SIGINT, SIGTERM, the parent's end, or its own.

    Returns:
        The exit status: 0, 1 for a failure, 2 for a wrong parameter.
    """
    # No lock, as an Event has: a second signal may come while the first one's handler holds it.
    stopping = False
    executor: Executor | None = None

    def request_stop(*_: Any) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            if executor is not None:
                executor.wake()

    signal.signal(signal.SIGINT, request_stop)
    signal.signal(signal.SIGTERM, request_stop)
    supervision = Supervision.from_environment()
    node: ChainNode[Any] | None = None
    try:
        # This very process may be what replaces one that was killed.
        shared_memory.sweep()
        keep_freed_memory()
        with numbered_participant(_domain()):
            _init(argv)
            executor = make_executor()
            node = node_class()
        executor.add_node(node)
        if node.config.autostart:
            node.transition(node.trigger_configure)
        go = threading.Event()
        supervision.watch(go.set, request_stop)
        while supervision.asked_for and not stopping and (missing := node.unconnected()):
            # For how long is the parent's affair; it shows this line when its patience ends.
            node.get_logger().info(f"waiting: {'; '.join(missing)}", throttle_duration_sec=5.0)
            executor.spin_once(timeout_sec=_CONNECTED_S)
        supervision.say_ready()
        while not (stopping or node.finished.is_set()):
            if go.is_set() and node.config.autostart:
                go.clear()
                node.transition(node.trigger_activate)
            executor.spin_once(timeout_sec=_SPIN_S)
        if node.fault is not None:
            raise node.fault
        node.stop()
        return 0
    except ExternalShutdownException:
        return 0
    except RejshandError as error:
        print(f"{node_class.NAME}: {_one_line(error)}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, ConfigError) else 1
    finally:
        if node is not None:
            node.destroy_node()
        if rclpy.ok():
            # Taking back handlers that it never had, rclpy would for a moment leave none at all:
            # the signal of that moment would kill this process.
            rclpy.shutdown(uninstall_handlers=False)
        # After Ctrl-C `ros2 launch` sends a second one once the first node has ended. While Python
        # takes itself apart it would kill this process, and a clean end read as a failure.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_executor(context: Context | None = None) -> Executor:
    """The executor of a node.

    The one that is told what is ready, where rclpy has it (from Kilted on), instead of the one
    that asks every topic, timer and service in turn: most of what a message or tick costs.

    Args:
        context: Whose nodes it runs; rclpy's own by default.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor(context=context)
    return EventsExecutor(context=context)


def _domain() -> int:
    """The ROS domain; what is no number, rclpy will refuse."""
    text = os.environ.get("ROS_DOMAIN_ID", "")
    return int(text) if text.isdigit() else 0


def _init(argv: Sequence[str] | None) -> None:
    """Start rclpy without its own signal handlers, which would end the context too early.

    Raises:
        ConfigError: The ROS arguments cannot be read.
    """
    try:
        rclpy.init(
            args=None if argv is None else list(argv),
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except Exception as error:  # rclpy raises bindings' own types, which have no public name
        raise ConfigError(f"wrong ROS arguments: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
