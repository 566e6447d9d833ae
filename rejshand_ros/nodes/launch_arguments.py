"""The arguments of the launch files: what each means and what it may be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from rejshand_ros.errors import ConfigError
from rejshand_ros.inference.load import DEVICES
from rejshand_ros.nodes.frames import CAMERA
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.robot_hand import available_hands

_SWITCH = ("true", "false")


def _argument(
    name: str, default: str, description: str, choices: Sequence[str] | None = None
) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        name,
        default_value=default,
        description=description,
        choices=list(choices) if choices else None,
    )


def hand_arguments() -> list[DeclareLaunchArgument]:
    """Which robot hand, where its topics lie, and what shows it."""
    return [
        _argument("hand", "allegro", "robot hand", tuple(available_hands())),
        _argument("side", "right", "hands to drive", tuple(SIDES)),
        _argument("namespace", "", "namespace of the whole chain; each hand adds its side to it"),
        _argument(
            "params_file", str(resource_path("config/params.yaml")), "parameters of the nodes"
        ),
        _argument(
            "simulator",
            "mujoco",
            "what plays the robot hand; none: a real one listens",
            ("mujoco", "scripted", "none"),
        ),
        _argument("scene", "", "objects around a simulated hand, a file of config/scenes by name"),
        _argument(
            "command_form", "joint_state", "message type of joint_command", tuple(COMMAND_FORMS)
        ),
        _argument(
            "joint_naming",
            "auto",
            "joint names: ours, or the driver's as config/hands has them; auto: ours in simulation",
            ("auto", "chain", "driver"),
        ),
        _argument(
            "controller",
            "",
            "ros2_control controller whose joint order is checked at the start; empty: none",
        ),
        _argument(
            "joint_command_topic",
            "joint_command",
            "where the commands go; {side} stands for right or left",
        ),
        _argument(
            "joint_states_topic",
            "joint_states",
            "where the hand reports its joints; {side} stands for right or left",
        ),
        _argument(
            "robot_state_publisher", "false", "publish the robot hand's frames on /tf", _SWITCH
        ),
        _argument("rviz", "false", "open RViz; switches robot_state_publisher on", _SWITCH),
        _argument(
            "camera_frame",
            CAMERA,
            "frame of the images, placed before the hands in RViz's world; another driver's own "
            "name where that publishes them; empty: something else tells where the camera is",
        ),
        _argument(
            "lifecycle",
            "managed",
            "who configures and activates the nodes: a manager, in order, once all are there; each "
            "node itself; or nobody, so that a manager of your own can",
            ("managed", "self", "none"),
        ),
        _argument("use_sim_time", "false", "follow /clock rather than the computer", _SWITCH),
        _argument(
            "publish_clock",
            "false",
            "the simulation gives its time on /clock; switches use_sim_time on",
            _SWITCH,
        ),
    ]


def camera_arguments() -> list[DeclareLaunchArgument]:
    """Where the images come from, what the network runs on, and whether it is recorded."""
    return [
        _argument(
            "camera",
            "/dev/video0",
            "device, video file or folder of images; none: another driver publishes image_topic",
        ),
        _argument("mirror", "false", "flip the camera's images left to right", _SWITCH),
        _argument("loop", "false", "play a video file again and again", _SWITCH),
        _argument("camera_info_url", "", "calibration file of the camera; empty: uncalibrated"),
        _argument("image_topic", "image_raw", "images to follow hands in, without /compressed"),
        _argument(
            "image_transport",
            "compressed",
            "form of the recorded images, and of those of a camera driver that is not ours",
            ("compressed", "raw"),
        ),
        _argument("camera_info_topic", "camera_info", "CameraInfo of the same camera"),
        _argument("weights", "default", "weights of the network: a name, or a file"),
        _argument("device", "auto", "where the network runs", DEVICES),
        _argument(
            "auto_engage",
            "auto",
            "follow the first hand seen, without the engage service; auto: only in simulation",
            ("auto", *_SWITCH),
        ),
        _argument(
            "record",
            "false",
            "write episodes; true: from the start; service: between start_ and stop_episode",
            ("false", "true", "service"),
        ),
        _argument("episodes", "episodes", "folder of the episodes"),
        _argument("view", "false", "serve the browser view", _SWITCH),
        _argument("view_port", "8080", "TCP port of the browser view"),
        _argument(
            "view_host",
            "127.0.0.1",
            "address of the browser view; beyond this computer its buttons need the token that "
            "REJSHAND_VIEW_TOKEN holds, or that is printed",
        ),
    ]


class Values:
    """The values that a launch was given, by name."""

    def __init__(self, context: LaunchContext) -> None:
        """Read from the context in which the launch runs."""
        self._context = context
        self._decided: dict[tuple[str, str], str] = {}

    def decide(self, side: str, **texts: str) -> None:
        """Give one side values of its own, in place of the arguments of these names."""
        self._decided |= {(name, side): text for name, text in texts.items()}

    def text(self, name: str) -> str:
        """An argument's text."""
        return str(LaunchConfiguration(name).perform(self._context))

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.text(name) == "true"

    def simulated_time(self) -> bool:
        """Whether the nodes follow /clock."""
        return self.on("use_sim_time") or self.on("publish_clock")

    def whole_number(self, name: str) -> int:
        """An argument's number.

        Raises:
            ConfigError: It is none.
        """
        text = self.text(name)
        if not text.isdigit():
            raise ConfigError(f"{name} is {text!r}; a whole number is needed")
        return int(text)

    def sides(self) -> tuple[str, ...]:
        """The hands to drive."""
        return tuple(side.value for side in SIDES[self.text("side")])

    def file(self, name: str) -> str:
        """A file that must exist.

        Raises:
            ConfigError: It does not.
        """
        path = Path(self.text(name)).expanduser()
        if not path.is_file():
            raise ConfigError(f"{name} {str(path)!r} is no file")
        return str(path.resolve())

    def apart(self, name: str) -> None:
        """Refuse a topic that both hands would share.

        Raises:
            ConfigError: It is one, and both are driven.
        """
        topics = [self.for_side(name, side) for side in self.sides()]
        if topics[0].startswith("/") and len(set(topics)) < len(topics):
            raise ConfigError(
                f"{name} {topics[0]} is one topic for both hands: each would be told what the "
                "other is; put {side} into it, or drive one side"
            )

    def for_side(self, name: str, side: str) -> str:
        """An argument in which {side} may stand, or what was decided for this side."""
        text = self._decided.get((name, side))
        return self.text(name).replace("{side}", side) if text is None else text
