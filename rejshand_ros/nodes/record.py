"""`rejshand record`: a terminal whose keys start and end the episodes of a running recorder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from rejshand_msgs.srv import StartEpisode, StopEpisode
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.terminal import TerminalKeys
from rejshand_ros.nodes.terminal_session import spin_until, terminal_session

HELP = "space: start, end as a success   f: end as a failure   d: discard   q: quit"
_KEY_S = 0.05
"""Longest wait for a key before the graph gets its turn."""


class EpisodeKeys:
    """Asks a recorder for what a key means."""

    def __init__(self, node: Node, task: str = "", operator: str = "") -> None:
        """Connect to the recorder in the node's namespace.

        Args:
            node: Whose clients and subscription these are; added to an executor by the caller.
            task: Told in each episode's card.
            operator: Told in each episode's card.
        """
        self._node = node
        self._task, self._operator = task, operator
        self.folder: str | None = None
        """Of the episode being recorded; empty: none; None: the recorder has not said yet."""
        self._start: Any = node.create_client(StartEpisode, "start_episode")
        self._stop: Any = node.create_client(StopEpisode, "stop_episode")
        node.create_subscription(String, "recording", self._on_recording, qos.latched())

    @property
    def connected(self) -> bool:
        """Whether the recorder is there and has said what it does."""
        ready = self._start.service_is_ready() and self._stop.service_is_ready()
        return ready and self.folder is not None

    def press(self, key: str) -> Any | None:
        """Ask for what a key means.

        Args:
            key: Space, ``f`` or ``d``.

        Returns:
            The future of the answer; None for a key that means nothing now.
        """
        if key == " " and not self.folder:
            request = StartEpisode.Request(task=self._task, operator_name=self._operator)
            return self._asked(self._start.call_async(request))
        if key in (" ", "f", "d") and self.folder:
            request = StopEpisode.Request(task_success=key == " ", discard=key == "d")
            return self._asked(self._stop.call_async(request))
        return None

    def _asked(self, future: Any) -> Any:
        """The answer counts at once: the next key may come before the recorder's own word."""

        def answered(done: Any) -> None:
            response = done.result()
            if response.success:
                started = isinstance(response, StartEpisode.Response)
                self.folder = response.path if started else ""

        future.add_done_callback(answered)
        return future

    def _on_recording(self, message: String) -> None:
        self.folder = message.data


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand record`: start and end the episodes of a running recorder by key."""
    parser = argparse.ArgumentParser("rejshand record", description=main.__doc__, epilog=HELP)
    parser.add_argument("--task", default="", help="what is demonstrated, in words")
    parser.add_argument("--operator", default="", help="who demonstrates")
    parser.add_argument("--namespace", default="", help="the chain's namespace")
    parser.add_argument(
        "--wait", type=float, default=10.0, help="longest wait for the recorder [s] (default: 10)"
    )
    options = parser.parse_args(arguments)
    keys = TerminalKeys(
        otherwise="use the services start_episode and stop_episode, or the recorder's "
        "joy_record_button"
    )
    with terminal_session("record_keys", options.namespace) as (node, executor):
        episodes = EpisodeKeys(node, options.task, options.operator)
        with keys:
            spin_until(
                executor,
                lambda: episodes.connected,
                options.wait,
                f"no recorder answered within {options.wait:g} s; start the chain with "
                "record:=service, and give --namespace where it has one",
            )
            _follow_keys(executor, episodes, keys)


def _follow_keys(
    executor: SingleThreadedExecutor, episodes: EpisodeKeys, keys: TerminalKeys
) -> None:
    """Until ``q``; an episode being recorded goes on, for the recorder is another process."""
    print(HELP, flush=True)
    told: str | None = None
    answer: Any | None = None
    while True:
        if episodes.folder != told:
            told = episodes.folder
            print(f"recording {told}" if told else "waiting for the next episode", flush=True)
        if answer is None:
            key = keys.read(_KEY_S)
            if key == "q":
                return
            answer = episodes.press(key)
        executor.spin_once(timeout_sec=_KEY_S if answer is not None else 0.0)
        if answer is not None and answer.done():
            response, answer = answer.result(), None
            result = response.path if response.success else "refused"
            print(f"{result}: {response.message}", flush=True)
