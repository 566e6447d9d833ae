"""Retargeting node: a hand pose in, the robot hand's joint target out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rejshand_msgs.msg import HandMesh, HandPose, JointTarget
from rejshand_msgs.srv import Calibrate
from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.joint_conversions import target_to_message
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.serialised import hand_from_cdr, mesh_from_cdr
from rejshand_ros.retargeting.hand_parts import OBJECTIVES
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.tracking.tracked_hand import TrackState

FAILURES = (SolveOutcome.INFEASIBLE, SolveOutcome.REJECTED_INPUT)


@dataclass(frozen=True)
class RetargetingConfig(NodeConfig):
    """Parameters of the retargeting node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter("right", "side of the hand", choices=("right", "left"))
    objective: str = parameter("vector", "what is asked of the robot hand", choices=OBJECTIVES)
    person: str = parameter("", "whose calibration to begin with; empty: the hand's fixed scales")


class RetargetingNode(ChainNode[RetargetingConfig]):
    """Solves for the robot hand's joints whenever a hand was seen.

    A held or lost hand makes no target: whoever commands must see the input grow old.
    """

    NAME = "retargeting"
    CONFIG = RetargetingConfig

    def configure(self) -> None:
        """Build the robot model and the solver."""
        self._side = Side(self.config.side)
        self._failures = 0
        self._meshes: Any = None
        self._worst_s = 0.0
        self._retargeter = self.build_retargeter()
        self._targets = self.advertise(JointTarget, "joint_target", qos.stream())
        self.listen(HandPose, "hand_pose", self._on_hand, qos.newest_only(), raw=True)
        self._calibration = self.build_calibration()
        self.serve(Calibrate, "calibrate", self._on_calibrate)
        self.every(0.5, self._check_calibration)

    def build_retargeter(self) -> Any:
        """The solver that this node runs."""
        from rejshand_ros.retargeting.calibration import calibration_path, load_calibration
        from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
        from rejshand_ros.retargeting.robot_hand import load_robot_hand

        hand, person = self.config.hand, self.config.person
        calibration = None
        if person:
            path = calibration_path(person, hand, self._side)
            calibration = load_calibration(path, hand, self._side)
        return Retargeter(
            load_robot_hand(hand, self._side),
            RetargeterConfig(objective=self.config.objective),
            calibration=calibration,
        )

    def build_calibration(self) -> Any:
        """What measures the operator's hand."""
        from rejshand_ros.nodes.hand_calibration import HandCalibration

        return HandCalibration(self._retargeter)

    def _on_calibrate(self, request: Any, response: Any) -> Any:
        response = self._calibration.serve(request, response, self.now_ns())
        if self._calibration.running and self._meshes is None:
            # Only for as long: a mesh costs more to take in than the solve.
            self._meshes = self.create_subscription(
                HandMesh,
                "hand_mesh",
                lambda message: self._guarded(self._on_mesh, message),
                qos.newest_only(),
                raw=True,
            )
        return response

    def _check_calibration(self) -> None:
        self._calibration.check(self.now_ns())
        if not self._calibration.running:
            self._ignore_meshes()

    def _ignore_meshes(self) -> None:
        if self._meshes is not None:
            self.destroy_subscription(self._meshes)
            self._meshes = None

    def _on_mesh(self, message: bytes) -> None:
        stamp_ns, vertices = mesh_from_cdr(message)
        self._calibration.see_mesh(vertices, stamp_ns)

    def cleanup(self) -> None:
        """Let go of the solver."""
        self._ignore_meshes()
        self._retargeter = None

    def diagnostics(self) -> dict[str, str]:
        """Failed solves and the longest one since the last report."""
        worst, self._worst_s = getattr(self, "_worst_s", 0.0), 0.0
        return {
            "solver_failures": str(getattr(self, "_failures", 0)),
            "solve_ms_max": f"{1e3 * worst:.2f}",
        }

    def _on_hand(self, message: bytes) -> None:
        begun_ns = self.now_ns()
        hand = hand_from_cdr(message)
        if hand is None or hand.state is not TrackState.TRACKING:
            return
        if hand.side is not self._side:
            raise InputError(f"{hand.side} hand on the topic of the {self._side} one")
        result = self._retargeter.retarget(hand.keypoints_3d, hand.side, hand.stamp_ns)
        self._targets.publish(
            target_to_message(result, hand.stamp_ns, self.config.hand, self._side)
        )
        self._failures += result.outcome in FAILURES
        self._worst_s = max(self._worst_s, result.solve_time_s)
        now_ns = self.now_ns()
        self.monitor.handle(now_ns - hand.stamp_ns, now_ns - begun_ns)
        self._calibration.see(hand.keypoints_3d, hand.stamp_ns)


def main() -> int:
    """Run the retargeting node."""
    return run_node(RetargetingNode)


if __name__ == "__main__":
    raise SystemExit(main())
