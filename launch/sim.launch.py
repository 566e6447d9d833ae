"""The simulated robot hand alone, waiting for joint_command: to try a driver or another source.

``ros2 launch rejshand_ros sim.launch.py --show-args`` lists what can be chosen.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction

from rejshand_ros.nodes import launch_parts as parts
from rejshand_ros.nodes.launch_arguments import Values, hand_arguments


def simulated_hands(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    values = Values(context)
    actions = [*parts.surroundings(), *parts.frames(values)]
    for side in values.sides():
        actions += parts.simulation(values, side)
    return [*actions, *parts.rviz(values)]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*hand_arguments(), OpaqueFunction(function=simulated_hands)])
