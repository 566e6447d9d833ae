"""`rejshand engage`: a terminal whose keys engage, disengage and stop the hands of a chain."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from rejshand_msgs.msg import TeleopState
from rejshand_ros.errors import ProcessError, unknown_choice
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.terminal import TerminalKeys
from rejshand_ros.nodes.terminal_session import spin_until, terminal_session
from rejshand_ros.nodes.topics import SIDES

HELP = "e: engage   d: disengage   space: emergency stop   r: release the stop   q: disengage, quit"
SERVICES = {"e": "engage", "d": "disengage", " ": "emergency_stop", "r": "release_stop"}
"""Key -> service of the command node."""
_KEY_S = 0.05
"""Longest wait for a key before the graph gets its turn."""
_ANSWER_S = 2.0
"""Longest wait for the answers when it ends."""


class TeleopKeys:
    """Asks the command nodes of one or two hands for what a key means.

    Attributes:
        states: Side -> what its command node last said of itself.
    """

    def __init__(self, node: Node, sides: Sequence[str]) -> None:
        """Connect to the command nodes of some sides.

        Args:
            node: Whose clients and subscriptions these are; the caller spins it.
            sides: "right", "left" or both.
        """
        self.states: dict[str, TeleopState] = {}
        self._clients: dict[tuple[str, str], Any] = {
            (side, name): node.create_client(Trigger, f"{side}/{name}")
            for side in sides
            for name in SERVICES.values()
        }
        self._sides = tuple(sides)
        for side in sides:
            node.create_subscription(
                TeleopState, f"{side}/teleop_state", partial(self._on_state, side), qos.latched()
            )

    @property
    def missing(self) -> tuple[str, ...]:
        """Sides whose command node is not there, or has not said what it does."""
        return tuple(
            side
            for side in self._sides
            if side not in self.states
            or not all(self._clients[side, name].service_is_ready() for name in SERVICES.values())
        )

    def press(self, key: str) -> dict[str, Any]:
        """Ask all hands for what a key means.

        Args:
            key: One of `SERVICES`.

        Returns:
            Side -> future of the answer; nothing for a key that means nothing.
        """
        name = SERVICES.get(key)
        if name is None:
            return {}
        return {
            side: self._clients[side, name].call_async(Trigger.Request()) for side in self._sides
        }

    def _on_state(self, side: str, message: TeleopState) -> None:
        self.states[side] = message


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand engage`: engage, disengage and stop the hands of a running chain by key."""
    parser = argparse.ArgumentParser("rejshand engage", description=main.__doc__, epilog=HELP)
    parser.add_argument("--side", default="right", help=f"one of {', '.join(SIDES)}")
    parser.add_argument("--namespace", default="", help="the chain's namespace")
    parser.add_argument(
        "--wait", type=float, default=10.0, help="longest wait for the hands [s] (default: 10)"
    )
    options = parser.parse_args(arguments)
    if options.side not in SIDES:
        raise unknown_choice("side", options.side, SIDES)
    terminal = TerminalKeys(
        otherwise="use the services engage, disengage and emergency_stop, or the command node's "
        "joy_engage_button and joy_stop_button"
    )
    sides = [str(side) for side in SIDES[options.side]]
    with terminal_session("teleop_keys", options.namespace) as (node, executor):
        keys = TeleopKeys(node, sides)
        spin_until(
            executor,
            lambda: not keys.missing,
            options.wait,
            f"no command node answered within {options.wait:g} s for the {options.side} side; "
            "start the chain first, and give --side and --namespace where it has others",
        )
        with terminal:
            try:
                _follow_keys(executor, keys, terminal)
            except EOFError as error:
                raise ProcessError(f"{error}; the hand was disengaged") from error
            finally:
                # The switch leaves the operator's hand: nobody could stop the robot by key.
                _let_go(executor, keys)


def _follow_keys(
    executor: SingleThreadedExecutor, keys: TeleopKeys, terminal: TerminalKeys
) -> None:
    """Until ``q``; a key counts at once, whatever answer is still awaited."""
    print(HELP, flush=True)
    told: dict[str, tuple[str, str]] = {}
    awaited: list[tuple[str, Any]] = []
    while (key := terminal.read(_KEY_S)) != "q":
        awaited += keys.press(key).items()
        # All that has come: states and answers of both sides.
        for _ in range(8):
            executor.spin_once(timeout_sec=0.0)
        for side, answer in [item for item in awaited if item[1].done()]:
            awaited.remove((side, answer))
            if not answer.result().success:
                print(f"{side}: refused: {answer.result().message}", flush=True)
        for side, state in keys.states.items():
            if told.get(side) != (state.name, state.reason):
                told[side] = (state.name, state.reason)
                print(f"{side}: {state.name} ({state.reason})", flush=True)


def _let_go(executor: SingleThreadedExecutor, keys: TeleopKeys) -> None:
    """Disengage before the end.

    Raises:
        ProcessError: A command node did not answer any more.
    """
    answers = keys.press("d")
    spin_until(
        executor,
        lambda: all(answer.done() for answer in answers.values()),
        _ANSWER_S,
        f"no answer to the last disengage within {_ANSWER_S:g} s: look after the hand yourself",
        interruptible=False,
    )
