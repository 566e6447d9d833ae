"""What the browser view's buttons ask for, as calls of the chain's services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from rejshand_msgs.srv import Calibrate, StartEpisode, StopEpisode
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.viewing.controls import Action, Request

_TRIGGERS = {
    Action.ENGAGE: "engage",
    Action.DISENGAGE: "disengage",
    Action.EMERGENCY_STOP: "emergency_stop",
    Action.RELEASE_STOP: "release_stop",
}
_ANSWER_NS = 3_000_000_000
"""Longest wait for an answer; the services answer within a period of their node."""
_CALIBRATION_S = 5.0
_LOOK_AGAIN_NS = (6_000_000_000, 6_000_000_000)
"""When to ask how a calibration went: after its time, and after its patience with a lost hand."""


@dataclass
class _Pending:
    """A call on its way."""

    client: Any
    future: Any
    deadline_ns: int
    answer: Callable[[bool, str], None]


class Requests:
    """Calls services without ever waiting; each request is answered once, also by silence."""

    def __init__(self, node: Node, sides: Sequence[Side]) -> None:
        """Make the clients.

        Args:
            node: Whose clients these are.
            sides: The hands.
        """
        self._node = node
        self._triggers: dict[tuple[Action, Side], Any] = {
            (action, side): node.create_client(Trigger, f"{side}/{name}")
            for action, name in _TRIGGERS.items()
            for side in sides
        }
        self._calibrate: dict[Side, Any] = {
            side: node.create_client(Calibrate, f"{side}/calibrate") for side in sides
        }
        self._start: Any = node.create_client(StartEpisode, "start_episode")
        self._stop: Any = node.create_client(StopEpisode, "stop_episode")
        self._pending: list[_Pending] = []
        self._later: list[tuple[int, Callable[[], None]]] = []

    @property
    def recorder_ready(self) -> bool:
        """Whether a recorder takes requests."""
        return bool(self._start.service_is_ready())

    @property
    def calibration_ready(self) -> bool:
        """Whether every hand can be measured."""
        return all(client.service_is_ready() for client in self._calibrate.values())

    def send(self, request: Request) -> None:
        """Call what a button asks for."""
        if request.action in _TRIGGERS:
            for side in request.sides:
                client = self._triggers[request.action, side]
                self._call(client, Trigger.Request(), self._of_side(request, side))
        elif request.action is Action.CALIBRATE:
            for side in request.sides:
                self._measure(side, request)
        elif request.action is Action.START_EPISODE:
            self._call(self._start, StartEpisode.Request(task=request.text), request.answer)
        else:
            wanted = StopEpisode.Request(
                task_success=request.action is Action.END_AS_SUCCESS,
                discard=request.action is Action.DISCARD_EPISODE,
            )
            self._call(self._stop, wanted, request.answer)

    def check(self, now_ns: int) -> None:
        """Answer for services that are silent, and do what was put off; at every tick."""
        silent = [p for p in self._pending if now_ns > p.deadline_ns]
        for pending in silent:
            self._pending.remove(pending)
            pending.client.remove_pending_request(pending.future)
            pending.answer(False, f"no answer within {_ANSWER_NS * 1e-9:g} s")
        due = [act for at_ns, act in self._later if now_ns >= at_ns]
        self._later = [(at_ns, act) for at_ns, act in self._later if now_ns < at_ns]
        for act in due:
            act()

    def close(self) -> None:
        """Let go of the clients."""
        clients = (*self._triggers.values(), *self._calibrate.values(), self._start, self._stop)
        for client in clients:
            self._node.destroy_client(client)
        self._pending.clear()
        self._later.clear()

    def _measure(self, side: Side, request: Request, look: int = 0) -> None:
        """Begin a calibration (look 0), or ask how it went: the service says so at a later call."""
        answer = self._of_side(request, side)

        def answered(done: bool, words: str) -> None:
            told, again, _ = words.partition("; call again")
            if look == 0 or not again:
                answer(done, told)
            # A first call that was refused has met somebody else's calibration.
            if again and (done or look > 0) and look < len(_LOOK_AGAIN_NS):
                at_ns = self._now_ns() + _LOOK_AGAIN_NS[look]
                self._later.append((at_ns, lambda: self._measure(side, request, look + 1)))

        wanted = Calibrate.Request(person=request.text, duration=_CALIBRATION_S)
        self._call(self._calibrate[side], wanted, answered)

    def _of_side(self, request: Request, side: Side) -> Callable[[bool, str], None]:
        """The answer of one hand; it names the hand where several were asked."""
        several = len(request.sides) > 1
        return lambda done, words: request.answer(done, f"{side}: {words}" if several else words)

    def _call(self, client: Any, request: Any, answer: Callable[[bool, str], None]) -> None:
        if not client.service_is_ready():
            name = client.srv_name.rpartition("/")[2]
            answer(False, f"nobody offers the service {name}; is its node running?")
            return
        future = client.call_async(request)
        pending = _Pending(client, future, self._now_ns() + _ANSWER_NS, answer)
        self._pending.append(pending)

        def done(finished: Any) -> None:
            if pending in self._pending:
                self._pending.remove(pending)
                response = finished.result()
                answer(bool(response.success), str(response.message))

        future.add_done_callback(done)

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)
