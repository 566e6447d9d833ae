"""Parameters of the command node, and what of them its state machine rests on."""

from __future__ import annotations

from dataclasses import dataclass

from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.watchdog import WatchdogConfig
from rejshand_ros.nodes.base import NodeConfig
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS
from rejshand_ros.nodes.parameters import parameter


@dataclass(frozen=True)
class CommandNodeConfig(NodeConfig):
    """Parameters of the command node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter("right", "side of the hand", choices=("right", "left"))
    rate_hz: float = parameter(100.0, "commands a second [Hz]", low=1.0, high=1000.0)
    auto_engage: bool = parameter(False, "engage as soon as a fresh target arrives")
    start_without_measured: bool = parameter(
        False, "start at the first target where the hand does not report its joints"
    )
    hold_after_s: float = parameter(
        0.1, "input older than this is not followed: the command is held [s]", low=0.01, high=10.0
    )
    disengage_after_s: float = parameter(
        2.0, "input older than this disengages [s]", low=0.02, high=60.0
    )
    max_capture_age_s: float = parameter(
        0.5, "a target of an older image is refused; 0: never [s]", low=0.0, high=10.0
    )
    max_capture_lead_s: float = parameter(
        0.1, "a target of an image from further ahead is refused; 0: never [s]", low=0.0, high=10.0
    )
    start_tolerance_rad: float = parameter(
        0.5,
        "no first command while a joint is measured further beyond its limits [rad]",
        low=0.0,
        high=7.0,
    )
    ramp_velocity_scale: float = parameter(
        0.25, "share of the velocity limits at the start of a ramp", low=0.01, high=1.0
    )
    ramp_time_s: float = parameter(1.0, "a ramp reaches the whole limits in [s]", low=0.01, high=30)
    output: str = parameter(
        "joint_state", "message type of joint_command", choices=tuple(COMMAND_FORMS)
    )
    joint_naming: str = parameter(
        "chain",
        "joint names of joint_command and joint_states: this project's, or the real driver's as "
        "config/hands has them",
        choices=("chain", "driver"),
    )
    controller: str = parameter(
        "",
        "ros2_control controller that takes joint_command: refused at the start where its joints "
        "stand in another order than ours; empty: not asked",
    )
    controller_wait_s: float = parameter(
        10.0, "longest wait for its answer [s]", low=0.1, high=120.0
    )
    publish_description: bool = parameter(
        True, "publish the URDF on robot_description; false where robot_state_publisher does"
    )
    joy_engage_button: int = parameter(
        -1, "button that engages and disengages; -1: none", low=-1, high=64
    )
    joy_stop_button: int = parameter(-1, "button of the emergency stop; -1: none", low=-1, high=64)

    def settings(self) -> CommandConfig:
        """What of them the state machine rests on."""
        return CommandConfig(
            rate_hz=self.rate_hz,
            auto_engage=self.auto_engage,
            start_without_measured=self.start_without_measured,
            start_tolerance_rad=self.start_tolerance_rad,
            ramp_velocity_scale=self.ramp_velocity_scale,
            ramp_time_s=self.ramp_time_s,
            longest_step_s=max(0.05, 2.0 / self.rate_hz),
            watchdog=WatchdogConfig(
                hold_after_s=self.hold_after_s,
                disengage_after_s=self.disengage_after_s,
                max_capture_age_s=self.max_capture_age_s,
                max_capture_lead_s=self.max_capture_lead_s,
            ),
        )
