"""What the launch files start, part by part; each is left out where it is switched off."""

from __future__ import annotations

import time
from typing import Any

from launch import LaunchDescriptionEntity
from launch.actions import SetEnvironmentVariable, Shutdown
from launch.substitutions import EnvironmentVariable
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.frames import BESIDE_M, CAMERA_M, CAMERA_RPY, WORLD
from rejshand_ros.nodes.joint_conversions import COMMAND_TYPES
from rejshand_ros.nodes.launch_arguments import Values
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.robot_hand import load_robot_hand

PACKAGE = "rejshand_ros"


class ManagedNode(Node):
    """A managed node of ours.

    Attributes:
        managed_name: Its name, from the root on.
    """

    managed_name: str


def surroundings() -> list[LaunchDescriptionEntity]:
    """Environment of every process: room for camera images, no threads that fight for cores."""
    defaults = {"FASTDDS_DEFAULT_PROFILES_FILE": str(resource_path("config/fastdds.xml"))}
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        defaults[f"{library}_NUM_THREADS"] = "1"
    return [
        SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=value))
        for name, value in defaults.items()
    ]


def camera(values: Values) -> list[LaunchDescriptionEntity]:
    """The project's own camera node, unless another driver publishes the images."""
    source = values.text("camera")
    if source == "none":
        return []
    parameters = {
        "input": source,
        "flip": values.on("mirror"),
        "loop": values.on("loop"),
        # Compressed ones are for the recorder: the network gets raw ones in any case.
        "transport": "raw" if values.text("image_transport") == "raw" else "both",
        "camera_info_url": values.text("camera_info_url"),
        # An image before they listen would be lost.
        "wait_for_subscribers": 1 + (values.text("record") != "false"),
    }
    return [_node(values, "camera", parameters, remappings=_image_remappings(values))]


def hand_pose(values: Values) -> list[LaunchDescriptionEntity]:
    """The node that finds hands."""
    transport = values.text("image_transport")
    parameters = {
        "side": values.text("side"),
        "image_topic": values.text("image_topic"),
        "image_transport": transport if values.text("camera") == "none" else "raw",
        "camera_info_topic": values.text("camera_info_topic"),
        "weights": values.text("weights"),
        "device": values.text("device"),
    }
    return [_node(values, "hand_pose", parameters)]


def follower(values: Values, side: str) -> list[LaunchDescriptionEntity]:
    """Retargeting and command of one hand."""
    which = {"hand": values.text("hand"), "side": side}
    wanted = values.text("auto_engage")
    simulated = values.text("simulator") != "none"
    engage = simulated if wanted == "auto" else wanted == "true"
    command = {
        **which,
        "auto_engage": engage,
        "output": values.text("command_form"),
        "publish_description": not _has_state_publisher(values),
        "joint_naming": _joint_naming(values),
    }
    if values.text("controller"):
        command["controller"] = values.for_side("controller", side)
    return [
        _node(values, "retargeting", which, side),
        _node(values, "command", command, side, _joint_remappings(values, side)),
    ]


def simulation(values: Values) -> list[LaunchDescriptionEntity]:
    """The simulated hands, both in one scene, unless real ones listen."""
    simulator = values.text("simulator")
    if simulator == "none":
        if values.on("publish_clock"):
            raise ConfigError("publish_clock needs a simulated hand; simulator is none")
        return []
    parameters = {
        "hand": values.text("hand"),
        "side": values.text("side"),
        "backend": simulator,
        "scene": values.text("scene"),
        "command_form": values.text("command_form"),
        "publish_clock": values.on("publish_clock"),
    }
    sides = values.sides()
    if len(sides) == 1:
        remappings = _joint_remappings(values, sides[0])
        return [_node(values, "simulation", parameters, sides[0], remappings)]
    # Of a pair the node stands above both sides.
    return [_node(values, "simulation", parameters, remappings=_joints_from_above(values))]


def recorder(values: Values) -> list[LaunchDescriptionEntity]:
    """The node that writes episodes."""
    wanted = values.text("record")
    if wanted == "false":
        return []
    parameters = {
        "folder": values.text("episodes"),
        "episode": time.strftime("episode_%Y%m%d_%H%M%S") if wanted == "true" else "",
        "side": values.text("side"),
        "transport": values.text("image_transport"),
        "command_type": COMMAND_TYPES[values.text("command_form")],
        "reliable_images": values.text("camera") != "none",
        "hand": values.text("hand"),
        "weights": values.text("weights"),
        "calibration": values.text("camera_info_url"),
    }
    remappings = [*_image_remappings(values), *_joints_from_above(values)]
    return [_node(values, "recorder", parameters, remappings=remappings)]


def frames(values: Values) -> list[LaunchDescriptionEntity]:
    """Frames of the robot hands, and a world for them and the camera to stand in."""
    if not _has_state_publisher(values):
        return []
    tell = {"hand": values.text("hand"), "side": values.text("side"), "robot": False}
    actions: list[LaunchDescriptionEntity] = [_node(values, "frames", tell)]
    if camera_frame := values.text("camera_frame"):
        actions.append(_fixed(values, "camera", camera_frame, CAMERA_M, CAMERA_RPY))
    for side in values.sides():
        robot = load_robot_hand(values.text("hand"), Side(side))
        description = robot.urdf_path.read_text(encoding="utf-8")
        actions += [
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                namespace=_namespace(values, side),
                parameters=[
                    {
                        "robot_description": ParameterValue(description, value_type=str),
                        "frame_prefix": f"{side}/",
                        "use_sim_time": values.simulated_time(),
                    }
                ],
                remappings=[("joint_states", values.for_side("joint_states_topic", side))],
            ),
            _fixed(values, side, f"{side}/{robot.root_link}", (0.0, BESIDE_M[side], 0.0)),
        ]
    return actions


def viewer(values: Values) -> list[LaunchDescriptionEntity]:
    """The browser view; what it shows goes on where it ends."""
    if not values.on("view"):
        return []
    parameters = {
        "hand": values.text("hand"),
        "side": values.text("side"),
        "host": values.text("view_host"),
        "port": values.whole_number("view_port"),
        "image_topic": values.text("image_topic"),
        "image_transport": values.text("image_transport"),
        "joint_naming": _joint_naming(values),
    }
    remappings = _joints_from_above(values)
    return [_node(values, "viewer", parameters, remappings=remappings, essential=False)]


def manager(
    values: Values, actions: list[LaunchDescriptionEntity]
) -> list[LaunchDescriptionEntity]:
    """What brings up the nodes among some actions, in their order, unless another does."""
    names = [action.managed_name for action in actions if isinstance(action, ManagedNode)]
    if values.text("lifecycle") != "managed" or not names:
        return []
    # Not managed itself, but everything rests on it until the chain is up.
    return [_node(values, "manager", {"nodes": names}, managed=False)]


def rviz(values: Values, *, images: bool = True) -> list[LaunchDescriptionEntity]:
    """RViz and what it shows; closing its window ends the launch.

    Args:
        values: The launch's arguments.
        images: Whether there is a camera, whose image_topic RViz is to show.
    """
    if not values.on("rviz"):
        return []
    return [
        _node(values, "markers", {"side": values.text("side")}),
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=_namespace(values),
            arguments=["-d", str(resource_path("config/teleop.rviz"))],
            parameters=[{"use_sim_time": values.simulated_time()}],
            remappings=_image_remappings(values) if images else [],
            on_exit=Shutdown(reason="RViz was closed"),
        ),
    ]


def _node(
    values: Values,
    name: str,
    parameters: dict[str, Any],
    side: str = "",
    remappings: list[tuple[str, str]] | None = None,
    essential: bool = True,
    managed: bool = True,
) -> Node:
    """One node of ours; where an essential one ends, so does the launch: half a chain is none.

    One that is not essential starts itself, so that nothing waits for it.
    """
    managed = managed and essential
    itself = not managed or values.text("lifecycle") == "self"
    node = (ManagedNode if managed else Node)(
        package=PACKAGE,
        executable=name,
        name=name,
        namespace=_namespace(values, side),
        parameters=[
            values.file("params_file"),
            {**parameters, "autostart": itself, "use_sim_time": values.simulated_time()},
        ],
        remappings=remappings or [],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason=f"{side + '/' if side else ''}{name} has ended")
        if essential
        else None,
    )
    if isinstance(node, ManagedNode):
        node.managed_name = "/" + "/".join(
            part for part in (_namespace(values, side), name) if part
        )
    return node


def _fixed(
    values: Values,
    name: str,
    child: str,
    position_m: tuple[float, float, float],
    turn_rpy: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Node:
    """A frame that stands still in the world (x forward, z up).

    Args:
        values: The launch's arguments.
        name: What it belongs to.
        child: The frame.
        position_m: Its origin in the world, metres.
        turn_rpy: Roll, pitch and yaw, radians.
    """
    labels = ("--x", "--y", "--z", "--roll", "--pitch", "--yaw")
    arguments = [
        text
        for label, number in zip(labels, (*position_m, *turn_rpy), strict=True)
        for text in (label, f"{number:.9g}")
    ]
    return Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name=f"{name}_in_world",
        namespace=_namespace(values),
        arguments=[*arguments, "--frame-id", WORLD, "--child-frame-id", child],
    )


def _has_state_publisher(values: Values) -> bool:
    return values.on("robot_state_publisher") or values.on("rviz")


def _joint_naming(values: Values) -> str:
    naming = values.text("joint_naming")
    if naming != "auto":
        return naming
    return "chain" if values.text("simulator") != "none" else "driver"


def _namespace(values: Values, side: str = "") -> str:
    return "/".join(part for part in (values.text("namespace").strip("/"), side) if part)


def _joint_remappings(values: Values, side: str) -> list[tuple[str, str]]:
    return [
        (topic, values.for_side(f"{topic}_topic", side))
        for topic in ("joint_command", "joint_states")
    ]


def _joints_from_above(values: Values) -> list[tuple[str, str]]:
    """The same for a node that stands above the sides: its topics name them, relative ones anew."""
    return [
        (f"{side}/{ours}", theirs if theirs.startswith("/") else f"{side}/{theirs}")
        for side in values.sides()
        for ours, theirs in _joint_remappings(values, side)
        if ours != theirs
    ]


def _image_remappings(values: Values) -> list[tuple[str, str]]:
    image = values.text("image_topic")
    return [
        ("image_raw", image),
        ("image_raw/compressed", f"{image}/compressed"),
        ("camera_info", values.text("camera_info_topic")),
    ]
