"""The simulated robot hand, or a pair of them in one scene, waiting for joint_command.

``ros2 launch rejshand_ros sim.launch.py --show-args`` lists what can be chosen.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction

from rejshand_ros.nodes import launch_parts as parts
from rejshand_ros.nodes.launch_arguments import Values, hand_arguments


def simulated_hands(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    values = Values(context)
    values.apart("joint_command_topic")
    actions = [*parts.surroundings(), *parts.frames(values), *parts.simulation(values)]
    actions += parts.rviz(values, images=False)
    return [*actions, *parts.manager(values, actions)]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*hand_arguments(), OpaqueFunction(function=simulated_hands)])
