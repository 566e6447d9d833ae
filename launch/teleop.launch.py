"""The whole chain: camera, hand pose, retargeting, command and a robot hand, for one or both sides.

``ros2 launch rejshand_ros teleop.launch.py --show-args`` lists what can be chosen.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction

from rejshand_ros.nodes import launch_parts as parts
from rejshand_ros.nodes.launch_arguments import Values, camera_arguments, hand_arguments


def chain(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    values = Values(context)
    values.apart("joint_command_topic")
    # Who receives comes before who sends.
    actions = [*parts.surroundings(), *parts.recorder(values), *parts.frames(values)]
    actions += parts.simulation(values)
    for side in values.sides():
        actions += parts.follower(values, side)
    actions += [*parts.viewer(values), *parts.rviz(values)]
    actions += [*parts.hand_pose(values), *parts.camera(values)]
    return [*actions, *parts.manager(values, actions)]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [*camera_arguments(), *hand_arguments(), OpaqueFunction(function=chain)]
    )
