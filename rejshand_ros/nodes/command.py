"""Command node: joint targets in, limited commands out, with the operator's hand on the switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from rejshand_msgs.msg import HandCommand, JointTarget, TeleopState
from rejshand_ros.command.command import TeleopPhase
from rejshand_ros.command.controller import TeleopController
from rejshand_ros.command.outputs import OutputForm, format_command
from rejshand_ros.command.robot_limits import joint_limits, receiver_joints
from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.command_config import CommandNodeConfig
from rejshand_ros.nodes.controller_joints import controller_joints
from rejshand_ros.nodes.joint_conversions import (
    COMMAND_FORMS,
    command_to_message,
    output_to_message,
    target_for,
    teleop_state_message,
)
from rejshand_ros.nodes.joystick import Buttons
from rejshand_ros.nodes.rivals import rivals
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.stamps import nanoseconds
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.robot_hand import load_robot_hand

_BRAKE_S = 0.5
"""Longest wait for a hand to come to rest; at a few rad/s and 40 rad/s² it takes less."""
_BARE = OutputForm.FLOAT64_MULTI_ARRAY
"""The form without names, in which the order alone says which joint a number is for."""


class CommandNode(ChainNode[CommandNodeConfig]):
    """Issues commands at its own rate, and one at once when a new target arrives."""

    NAME = "command"
    CONFIG = CommandNodeConfig

    def configure(self) -> None:
        """Read the hand's limits and build the controller."""
        config = self.config
        side = Side(config.side)
        limits = joint_limits(config.hand, side)
        self._names = limits.names
        self._form = OutputForm(config.output)
        self._joints = receiver_joints(config.hand, side, driver=config.joint_naming == "driver")
        if config.controller:
            what = f"controller {config.controller}"
            given = controller_joints(self, config.controller, config.controller_wait_s)
            self._joints.check_receiver(given, what, named=self._form is not _BARE)
        before: TeleopController | None = getattr(self, "_controller", None)
        self._controller = TeleopController(limits, config.settings())
        if before is not None:
            self._controller.inherit(before)
        self._said: tuple[TeleopPhase, str] | None = None
        self._buttons = Buttons()
        self._refused_targets = 0
        self._commands = self.advertise(HandCommand, "hand_command", qos.stream())
        self._outputs = self.advertise(COMMAND_FORMS[config.output], "joint_command", qos.stream())
        self._states = self.advertise(TeleopState, "teleop_state", qos.latched())
        self._describe: Callable[[], None] | None = None
        if config.publish_description:
            robot = load_robot_hand(config.hand, side)
            text = String(data=robot.urdf_path.read_text(encoding="utf-8"))
            description = self.advertise(String, "robot_description", qos.latched())
            self._describe = partial(description.publish, text)
        self.listen(JointTarget, "joint_target", self._on_target, qos.newest_reliable())
        self.listen(JointState, "joint_states", self._on_measured, qos.newest_only())
        # A queue: a short press of the stop must not be overwritten by its release.
        joy_profile = qos.recording(reliable=False, transient=False)
        self.listen(Joy, "joy", self._on_joy, joy_profile, optional=True)
        self.serve(Trigger, "engage", self._answer(self._controller.engage))
        self.serve(Trigger, "disengage", self._answer(self._controller.disengage))
        stop = self._answer(self._controller.emergency_stop, always=True)
        self.serve(Trigger, "emergency_stop", stop)
        self.serve(Trigger, "release_stop", self._answer(self._controller.release))
        self.every(1.0 / config.rate_hz, self._tick)

    def activate(self) -> None:
        """Tell which robot hand this is, and what it does."""
        if self._describe is not None:
            self._describe()
        self._said = None
        self._say_state(self.now_ns(), self._controller.phase, self._controller.reason)

    def deactivate(self) -> None:
        """Take the hand from the operator; whoever activates again must engage again."""
        now_ns = self.now_ns()
        self._controller.disengage(now_ns, "by the lifecycle")
        self._brake()
        # Said while it still can be: others (the simulation's base) rest on this state.
        self._say_state(now_ns, self._controller.phase, self._controller.reason)
        # Until it works again somebody else may move the hand.
        self._controller.restart()

    def diagnostics(self) -> dict[str, str]:
        """State of the teleoperation."""
        controller: TeleopController | None = getattr(self, "_controller", None)
        if controller is None:
            return {}
        others = "; ".join(rivals(self, ["joint_command", "joint_target"], own=["joint_command"]))
        if others:
            self.get_logger().warning(
                f"more than one publisher on {others}: the hand obeys all of them",
                throttle_duration_sec=10.0,
            )
        return {
            "teleop_state": controller.phase.name.lower(),
            "reason": controller.reason,
            "refused_targets": str(self._refused_targets),
            "last_refusal": controller.last_refusal,
            "rivals": others,
        }

    def _answer(
        self, request: Callable[[int], Any], *, always: bool = False
    ) -> Callable[[Any, Any], Any]:
        def answer(_: Any, response: Trigger.Response) -> Trigger.Response:
            if not (self.active or always):
                response.success, response.message = False, "the command node is not active"
                return response
            reply = request(self.now_ns())
            response.success, response.message = reply.accepted, reply.message
            self._say_state(self.now_ns(), self._controller.phase, self._controller.reason)
            return response

        return answer

    def _on_target(self, message: JointTarget) -> None:
        begun_ns = self.now_ns()
        target = target_for(message, self.config.hand, self.config.side, self._names)
        if target.outcome in (SolveOutcome.REJECTED_INPUT, SolveOutcome.INFEASIBLE):
            return
        capture_ns = nanoseconds(message.header.stamp)
        if self._controller.on_target(target.positions, capture_ns, self.now_ns()):
            # At once, not at the next tick: half a period less on the way to the finger.
            self._tick()
            now_ns = self.now_ns()
            self.monitor.handle(now_ns - capture_ns, now_ns - begun_ns)
        else:
            self._refused_targets += 1

    def _on_measured(self, message: JointState) -> None:
        try:
            measured = self._joints.from_driver(message.name, message.position)
        except ConfigError as error:
            raise InputError(str(error)) from error
        self._controller.on_measured(measured, self.now_ns())

    def _on_joy(self, message: Joy) -> None:
        pressed = self._buttons.pressed(message)
        now_ns = self.now_ns()
        if self.config.joy_stop_button in self._buttons.down:
            self._controller.emergency_stop(now_ns, "by joystick")
        elif self.config.joy_engage_button in pressed:
            engaged = self._controller.phase.name in ("RAMPING", "TRACKING", "HOLDING")
            if engaged:
                self._controller.disengage(now_ns, "by joystick")
            else:
                self._controller.engage(now_ns)

    def _tick(self) -> None:
        now_ns = self.now_ns()
        command = self._controller.tick(now_ns, self._steady_ns())
        if command is not None:
            horizon_s = 2.0 / self.config.rate_hz
            output = format_command(command, self._form, self._joints, horizon_s)
            self._outputs.publish(output_to_message(output, command.issued_ns))
            self._commands.publish(command_to_message(command))
            # A ramp may begin and end with one command: it is told all the same.
            self._say_state(now_ns, command.phase, command.reason)
        self._say_state(now_ns, self._controller.phase, self._controller.reason)

    def _brake(self) -> None:
        """Bring the hand to rest before its commands cease."""
        end_s = time.monotonic() + _BRAKE_S
        while not self._controller.at_rest and time.monotonic() < end_s:
            time.sleep(min(1.0 / self.config.rate_hz, 0.01))
            self._tick()

    def _steady_ns(self) -> int | None:
        """Time of a clock that is never set; simulated time has no other beside it."""
        return None if self.get_parameter("use_sim_time").value else time.monotonic_ns()

    def _say_state(self, now_ns: int, phase: TeleopPhase, reason: str) -> None:
        """Publish the state when it, or its reason, has changed."""
        if (phase, reason) != self._said:
            self._said = (phase, reason)
            self._states.publish(teleop_state_message(phase, reason, now_ns))


def main() -> int:
    """Run the command node."""
    return run_node(CommandNode)


if __name__ == "__main__":
    raise SystemExit(main())
