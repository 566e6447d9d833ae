"""The chain with a real hand's driver in place of the simulation.

``ros2 launch rejshand_ros driver.launch.py driver:=allegro_v4``; the driver itself is started by
its own launch file. The hand stays still until the service <side>/engage is called.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from rejshand_ros.command.driver import driver_names, load_drivers
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import launch_parts as parts
from rejshand_ros.nodes.launch_arguments import Values, camera_arguments, hand_arguments

# What the driver's own description decides.
_DECIDED = {"hand", "simulator", "scene", "publish_clock", "command_form", "joint_naming"}
_DECIDED |= {"joint_command_topic", "joint_states_topic", "controller"}


def chain(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    values = Values(context)
    actions = parts.surroundings()
    drivers = load_drivers(values.text("driver"), [Side(side) for side in values.sides()])
    for side, driver in drivers.items():
        context.launch_configurations.update(
            hand=driver.hand,
            simulator="none",
            scene="",
            publish_clock="false",
            command_form=driver.command_form.value,
            joint_naming="driver",
            controller=driver.controller,
        )
        values.decide(
            side.value,
            joint_command_topic=driver.command_topic,
            joint_states_topic=driver.joint_states_topic,
            controller=driver.controller,
        )
        actions += parts.follower(values, side.value)
    # Who receives comes before who sends.
    actions = [*parts.recorder(values), *parts.frames(values), *actions]
    actions += [*parts.viewer(values), *parts.rviz(values)]
    actions += [*parts.hand_pose(values), *parts.camera(values)]
    return [*actions, *parts.manager(values, actions)]


def generate_launch_description() -> LaunchDescription:
    driver = DeclareLaunchArgument(
        "driver",
        default_value="allegro_v4",
        description=f"driver of the hand: {', '.join(driver_names())}, or a YAML file of one's own",
    )
    arguments = [a for a in (*camera_arguments(), *hand_arguments()) if a.name not in _DECIDED]
    return LaunchDescription([driver, *arguments, OpaqueFunction(function=chain)])
