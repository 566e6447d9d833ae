"""How a launch file's nodes are made: name, namespace, parameters, remappings, and their end."""

from __future__ import annotations

from typing import Any

from launch.actions import Shutdown
from launch_ros.actions import Node

from rejshand_ros.nodes.frames import WORLD
from rejshand_ros.nodes.launch_arguments import Values

PACKAGE = "rejshand_ros"


class ManagedNode(Node):
    """A managed node of ours.

    Attributes:
        managed_name: Its name, from the root on.
    """

    managed_name: str


def chain_node(
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
        namespace=namespace(values, side),
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
        node.managed_name = "/" + "/".join(part for part in (namespace(values, side), name) if part)
    return node


def fixed_frame(
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
        namespace=namespace(values),
        arguments=[*arguments, "--frame-id", WORLD, "--child-frame-id", child],
    )


def has_state_publisher(values: Values) -> bool:
    """Whether a robot_state_publisher runs for each hand: RViz needs one."""
    return values.on("robot_state_publisher") or values.on("rviz")


def joint_naming(values: Values) -> str:
    """How joints are called: as the chain does, or as the real hand's driver does."""
    naming = values.text("joint_naming")
    if naming != "auto":
        return naming
    return "chain" if values.text("simulator") != "none" else "driver"


def namespace(values: Values, side: str = "") -> str:
    """The launch's namespace, and a side's below it."""
    return "/".join(part for part in (values.text("namespace").strip("/"), side) if part)


def joint_remappings(values: Values, side: str) -> list[tuple[str, str]]:
    """One side's joint topics under the names that the launch gives them."""
    return [
        (topic, values.for_side(f"{topic}_topic", side))
        for topic in ("joint_command", "joint_states")
    ]


def joints_from_above(values: Values) -> list[tuple[str, str]]:
    """The same for a node that stands above the sides: its topics name them, relative ones anew."""
    return [
        (f"{side}/{ours}", theirs if theirs.startswith("/") else f"{side}/{theirs}")
        for side in values.sides()
        for ours, theirs in joint_remappings(values, side)
        if ours != theirs
    ]


def image_remappings(values: Values) -> list[tuple[str, str]]:
    """The camera's topics under the names that the launch gives them."""
    image = values.text("image_topic")
    return [
        ("image_raw", image),
        ("image_raw/compressed", f"{image}/compressed"),
        ("camera_info", values.text("camera_info_topic")),
    ]
