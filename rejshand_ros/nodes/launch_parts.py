"""What the launch files start, part by part; each is left out where it is switched off."""

from __future__ import annotations

import time

from launch import LaunchDescriptionEntity
from launch.actions import SetEnvironmentVariable, Shutdown
from launch.substitutions import EnvironmentVariable
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.frames import BESIDE_M, CAMERA_M, CAMERA_RPY
from rejshand_ros.nodes.joint_conversions import COMMAND_TYPES
from rejshand_ros.nodes.launch_arguments import Values
from rejshand_ros.nodes.launch_nodes import (
    ManagedNode,
    chain_node,
    fixed_frame,
    has_state_publisher,
    image_remappings,
    joint_naming,
    joint_remappings,
    joints_from_above,
    namespace,
)
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.robot_hand import load_robot_hand


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
    return [chain_node(values, "camera", parameters, remappings=image_remappings(values))]


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
    return [chain_node(values, "hand_pose", parameters)]


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
        "publish_description": not has_state_publisher(values),
        "joint_naming": joint_naming(values),
    }
    if values.text("controller"):
        command["controller"] = values.for_side("controller", side)
    return [
        chain_node(values, "retargeting", which, side),
        chain_node(values, "command", command, side, joint_remappings(values, side)),
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
        remappings = joint_remappings(values, sides[0])
        return [chain_node(values, "simulation", parameters, sides[0], remappings)]
    # Of a pair the node stands above both sides.
    return [chain_node(values, "simulation", parameters, remappings=joints_from_above(values))]


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
    remappings = [*image_remappings(values), *joints_from_above(values)]
    return [chain_node(values, "recorder", parameters, remappings=remappings)]


def frames(values: Values) -> list[LaunchDescriptionEntity]:
    """Frames of the robot hands, and a world for them and the camera to stand in."""
    if not has_state_publisher(values):
        return []
    tell = {"hand": values.text("hand"), "side": values.text("side"), "robot": False}
    actions: list[LaunchDescriptionEntity] = [chain_node(values, "frames", tell)]
    if camera_frame := values.text("camera_frame"):
        actions.append(fixed_frame(values, "camera", camera_frame, CAMERA_M, CAMERA_RPY))
    for side in values.sides():
        robot = load_robot_hand(values.text("hand"), Side(side))
        description = robot.urdf_path.read_text(encoding="utf-8")
        actions += [
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                namespace=namespace(values, side),
                parameters=[
                    {
                        "robot_description": ParameterValue(description, value_type=str),
                        "frame_prefix": f"{side}/",
                        "use_sim_time": values.simulated_time(),
                    }
                ],
                remappings=[("joint_states", values.for_side("joint_states_topic", side))],
            ),
            fixed_frame(values, side, f"{side}/{robot.root_link}", (0.0, BESIDE_M[side], 0.0)),
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
        "joint_naming": joint_naming(values),
    }
    remappings = joints_from_above(values)
    return [chain_node(values, "viewer", parameters, remappings=remappings, essential=False)]


def manager(
    values: Values, actions: list[LaunchDescriptionEntity]
) -> list[LaunchDescriptionEntity]:
    """What brings up the nodes among some actions, in their order, unless another does."""
    names = [action.managed_name for action in actions if isinstance(action, ManagedNode)]
    if values.text("lifecycle") != "managed" or not names:
        return []
    # Not managed itself, but everything rests on it until the chain is up.
    return [chain_node(values, "manager", {"nodes": names}, managed=False)]


def rviz(values: Values, *, images: bool = True) -> list[LaunchDescriptionEntity]:
    """RViz and what it shows; closing its window ends the launch.

    Args:
        values: The launch's arguments.
        images: Whether there is a camera, whose image_topic RViz is to show.
    """
    if not values.on("rviz"):
        return []
    return [
        chain_node(values, "markers", {"side": values.text("side")}),
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=namespace(values),
            arguments=["-d", str(resource_path("config/teleop.rviz"))],
            parameters=[{"use_sim_time": values.simulated_time()}],
            remappings=image_remappings(values) if images else [],
            on_exit=Shutdown(reason="RViz was closed"),
        ),
    ]
