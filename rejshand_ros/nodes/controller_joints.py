"""What a running ros2_control controller says its joints are, asked once at the start."""

from __future__ import annotations

import time
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from rejshand_ros.errors import ConfigError, ProcessError

_PARAMETER = "joints"


def controller_joints(node: Node, controller: str, wait_s: float) -> tuple[str, ...]:
    """The parameter `joints` of a controller: its joints in the order in which it reads them.

    Asked through a node of its own, since `node` may be in the middle of a transition and cannot
    be spun.

    Args:
        node: Who asks: gives context and namespace.
        controller: Name of the controller's node, e.g. ``/allegro_hand_position_controller``.
        wait_s: Longest wait for it.

    Raises:
        ProcessError: It is not there.
        ConfigError: It has no such parameter.
    """
    asking = asking_node(node)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(asking)
    try:
        return _asked(asking, executor, controller, wait_s)
    finally:
        executor.shutdown()
        asking.destroy_node()


def asking_node(node: Node) -> Node:
    """A node beside another, for one question: it offers nothing that a policy would have to allow.

    Args:
        node: Gives context, namespace and part of the name.
    """
    return rclpy.create_node(
        f"{node.get_name()}_asks",
        context=node.context,
        namespace=node.get_namespace(),
        enable_rosout=False,
        start_parameter_services=False,
        parameter_overrides=[Parameter("start_type_description_service", value=False)],
    )


def _asked(
    asking: Node, executor: SingleThreadedExecutor, controller: str, wait_s: float
) -> tuple[str, ...]:
    end_s = time.monotonic() + wait_s
    client: Any = asking.create_client(GetParameters, f"{controller}/get_parameters")
    answer: Any | None = None
    while answer is None or not answer.done():
        if time.monotonic() > end_s:
            raise ProcessError(
                f"controller {controller} did not answer within {wait_s:g} s; start the hand's "
                "driver first, or leave the parameter controller empty"
            )
        if answer is None and client.service_is_ready():
            answer = client.call_async(GetParameters.Request(names=[_PARAMETER]))
        executor.spin_once(timeout_sec=0.05)
    values = answer.result().values
    if not values or values[0].type != ParameterType.PARAMETER_STRING_ARRAY:
        raise ConfigError(f"controller {controller} has no list of names as parameter {_PARAMETER}")
    return tuple(values[0].string_array_value)
