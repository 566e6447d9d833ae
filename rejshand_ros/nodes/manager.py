"""Manager node: brings the managed nodes of a chain up, in order."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from rejshand_ros.errors import ConfigError, ProcessError
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node

_PERIOD_S = 0.02
_GOALS = {State.PRIMARY_STATE_INACTIVE: "configured", State.PRIMARY_STATE_ACTIVE: "active"}
_TRANSITIONS = {
    State.PRIMARY_STATE_UNCONFIGURED: (Transition.TRANSITION_CONFIGURE, "configure"),
    State.PRIMARY_STATE_INACTIVE: (Transition.TRANSITION_ACTIVATE, "activate"),
}


@dataclass(frozen=True)
class ManagerConfig(NodeConfig):
    """Parameters of the manager node; their descriptions are in the fields."""

    nodes: tuple[str, ...] = parameter(
        (), "nodes to bring up in this order, by their names from the manager's namespace on"
    )
    timeout_s: float = parameter(
        120.0, "longest wait for one node and its transition [s]", low=1.0, high=3600.0
    )


class ManagerNode(ChainNode[ManagerConfig]):
    """Configures all nodes in order, and once that is done activates them in the same order.

    So nobody publishes before all are there. It asks each node for its state first: one that is
    as far already is left as it is. It ends with a fault where a node is not there in time or
    refuses; afterwards it leaves the nodes to whoever deactivates or ends them.
    """

    NAME = "manager"
    CONFIG = ManagerConfig

    def configure(self) -> None:
        """Note what is to be done."""
        names = self.config.nodes
        if not names or not all(names) or len(set(names)) < len(names):
            raise ConfigError(f"nodes is {list(names)}; one name or several, each once, are needed")
        self._left = deque((name, goal) for goal in _GOALS for name in names)
        self._state_clients = {n: self._client(GetState, f"{n}/get_state") for n in names}
        self._change_clients = {n: self._client(ChangeState, f"{n}/change_state") for n in names}
        self._answer: Any = None
        self._doing = ""
        self.every(_PERIOD_S, self._advance)

    def activate(self) -> None:
        """Begin with the first node."""
        self._began_s = time.monotonic()

    def diagnostics(self) -> dict[str, str]:
        """What is still to be done."""
        left = getattr(self, "_left", ())
        return {"waiting_for": f"{left[0][0]} to be {_GOALS[left[0][1]]}" if left else ""}

    def _client(self, kind: type[Any], name: str) -> Any:
        client: Any = self.create_client(kind, name)
        self.keep(self.destroy_client, client)
        return client

    def _advance(self) -> None:
        if not self._left or self.finished.is_set():
            return
        name, goal = self._left[0]
        waited_s = time.monotonic() - self._began_s
        if self._answer is None:
            client = self._state_clients[name]
            if client.service_is_ready():
                self._answer, self._doing = client.call_async(GetState.Request()), "tell its state"
        elif self._answer.done():
            answer, self._answer = self._answer.result(), None
            self._take(name, goal, answer)
            return
        if waited_s > self.config.timeout_s:
            doing = f"did not {self._doing}" if self._doing else "is not there"
            self.end(ProcessError(f"{name} {doing} within {self.config.timeout_s:g} s"))

    def _take(self, name: str, goal: int, answer: Any) -> None:
        """Go on from what a node has answered."""
        if isinstance(answer, ChangeState.Response):
            if not answer.success:
                self.end(ProcessError(f"{name} refused to {self._doing}; its own log says why"))
            return
        state = answer.current_state
        if state.id in (goal, State.PRIMARY_STATE_ACTIVE):
            self.get_logger().info(f"{name} is {_GOALS[goal]}")
            self._left.popleft()
            self._began_s, self._doing = time.monotonic(), ""
            return
        if state.id not in _TRANSITIONS:
            # On its way somewhere; what becomes of it is asked again.
            if state.id == State.PRIMARY_STATE_FINALIZED:
                self.end(ProcessError(f"{name} has been shut down"))
            return
        number, self._doing = _TRANSITIONS[state.id]
        request = ChangeState.Request(transition=Transition(id=number))
        self._answer = self._change_clients[name].call_async(request)


def main() -> int:
    """Run the manager node."""
    return run_node(ManagerNode)


if __name__ == "__main__":
    raise SystemExit(main())
