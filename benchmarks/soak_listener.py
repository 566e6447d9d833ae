"""What the soak hears of the chain: delays and reports; and how it asks for episodes."""

from __future__ import annotations

import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from benchmarks.bystander import Bystander
from rejshand_msgs.msg import HandCommand
from rejshand_msgs.srv import StartEpisode, StopEpisode
from rejshand_ros.errors import ProcessError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.stamps import nanoseconds

CLIP_FPS = 30.0
_ANSWER_S = 20.0


class Listener:
    """Hears the commands and the reports, and asks for episodes."""

    def __init__(self, domain: int) -> None:
        """Listen in a thread of its own."""
        self._bystander = Bystander("listener", domain)
        node = self._bystander.node
        self.delays_ms: list[float] = []
        """From an image's capture to its command."""
        self.reports: dict[str, dict[str, str]] = {}
        node.create_subscription(HandCommand, "right/hand_command", self._on_command, qos.stream())
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_report, 20)
        self._recorder_works = threading.Event()
        node.create_subscription(
            String, "recording", lambda _: self._recorder_works.set(), qos.latched()
        )
        self._start: Any = node.create_client(StartEpisode, "start_episode")
        self._stop: Any = node.create_client(StopEpisode, "stop_episode")
        self._bystander.start()

    def _on_command(self, message: HandCommand) -> None:
        if message.first_for_capture:
            delay_ns = nanoseconds(message.header.stamp) - nanoseconds(message.capture_stamp)
            self.delays_ms.append(delay_ns * 1e-6)

    def _on_report(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.reports[status.name] = {item.key: item.value for item in status.values}

    @property
    def video_s(self) -> float:
        """Seconds of video that the camera has sent, by its own report."""
        return int(self.reports.get("/camera", {}).get("sent", 0)) / CLIP_FPS

    def next_episode(self, number: int) -> None:
        """End the episode being recorded, if any, and begin the next.

        Raises:
            ProcessError: The recorder does not answer, or refuses.
        """
        if number:
            self._ask(self._stop, StopEpisode.Request(task_success=True))
        self._ask(self._start, StartEpisode.Request(name=f"minute_{number}"))

    def _ask(self, client: Any, request: Any) -> None:
        # It tells what it records as soon as it is active.
        if not self._recorder_works.wait(_ANSWER_S) or not client.wait_for_service(_ANSWER_S):
            raise ProcessError(f"no recorder offers {client.srv_name} within {_ANSWER_S:g} s")
        answer = client.call(request, timeout_sec=_ANSWER_S)
        if not answer.success:
            raise ProcessError(f"{client.srv_name}: {answer.message}")

    def close(self) -> None:
        """Cease to listen."""
        self._bystander.close()
