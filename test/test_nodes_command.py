"""The command node in a real graph: who may move the hand, who may stop it, and what is said."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState, Joy
from std_srvs.srv import Trigger

from rejshand_msgs.msg import HandCommand, HandPose, JointTarget, TeleopState
from rejshand_ros.errors import ConfigError, ProcessError
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.kinematics import HandParameters, pose_skeleton
from rejshand_ros.hand.sampling import synergy
from rejshand_ros.hand.template import load_template
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.controller_joints import asking_node
from rejshand_ros.nodes.conversions import hand_to_message
from rejshand_ros.nodes.joint_conversions import target_to_message
from rejshand_ros.nodes.stamps import nanoseconds
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

pytestmark = pytest.mark.ros


@pytest.fixture
def robot():
    return load_robot_hand("allegro", Side.RIGHT)


def target(robot, share, stamp_ns, hand="allegro", side=Side.RIGHT):
    positions = robot.lower + share * (robot.upper - robot.lower)
    result = RetargetResult(
        robot.joint_names, positions, SolveOutcome.CONVERGED, "", 1, 0.001, {}, ()
    )
    return target_to_message(result, stamp_ns, hand, side)


def measured(robot, positions=None):
    values = robot.rest if positions is None else positions
    return JointState(name=list(robot.joint_names), position=[float(v) for v in values])


def change(graph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    assert graph.call(ChangeState, "command/change_state", request).success


@pytest.mark.parametrize(("hand", "side"), [("allegro", Side.LEFT), ("shadow", Side.RIGHT)])
def test_the_target_of_another_hand_is_refused(graph, robot, hand, side):
    """Both Allegro hands call their joints alike: a topic remapped wrongly must not move one."""
    node = graph.add(CommandNode, auto_engage=True, start_without_measured=True)
    targets = graph.publisher(JointTarget, "joint_target")
    targets.publish(target(robot, 0.4, node.now_ns(), hand, side))
    graph.until(lambda: node.monitor.refused == 1)
    assert f"{hand} {side}" in node.monitor.last_refusal
    assert "allegro right" in node.monitor.last_refusal
    assert node._controller.phase.name == "DISENGAGED"


def test_a_stop_before_the_node_works_latches(graph, robot):
    node = graph.add(CommandNode, start=False, autostart=False, auto_engage=True)
    states = graph.collect(TeleopState, "teleop_state", qos.latched())
    change(graph, Transition.TRANSITION_CONFIGURE)
    assert not graph.call(Trigger, "engage").success
    assert graph.call(Trigger, "emergency_stop").success
    change(graph, Transition.TRANSITION_ACTIVATE)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")

    def fed():
        joints.publish(measured(robot))
        targets.publish(target(robot, 0.5, node.now_ns()))
        return len(states) > 0

    graph.until(fed)
    assert states[-1].name == "stopped"


def test_a_short_press_of_the_stop_is_not_overrun(graph):
    """Press and release come while the node is busy: the stop counts all the same."""
    node = graph.add(CommandNode, joy_engage_button=0, joy_stop_button=1)
    joy = graph.publisher(Joy, "joy", 10)
    for buttons in ([0, 1], [0, 0], [0, 0]):
        joy.publish(Joy(buttons=buttons))
    graph.until(lambda: node._controller.phase.name == "STOPPED")


def test_a_button_held_down_from_the_start_does_not_engage(graph):
    node = graph.add(CommandNode, joy_engage_button=0, joy_stop_button=1)
    joy = graph.publisher(Joy, "joy", 10)
    joy.publish(Joy(buttons=[1, 0]))
    joy.publish(Joy(buttons=[1, 0]))
    joy.publish(Joy(buttons=[1, 1]))
    graph.until(lambda: node._controller.phase.name == "STOPPED")
    assert graph.call(Trigger, "release_stop").success
    joy.publish(Joy(buttons=[0, 0]))
    joy.publish(Joy(buttons=[1, 0]))
    graph.until(lambda: node._controller.phase.name == "HOLDING")


def test_out_of_service_it_says_so_and_comes_back_where_the_hand_is(graph, robot):
    node = graph.add(CommandNode, auto_engage=True)
    states = graph.collect(TeleopState, "teleop_state", 20)
    commands = graph.collect(HandCommand, "hand_command", 1000)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")

    def following():
        joints.publish(measured(robot))
        targets.publish(target(robot, 0.5, node.now_ns()))
        return bool(states) and states[-1].name in ("ramping", "tracking")

    graph.until(following)
    change(graph, Transition.TRANSITION_DEACTIVATE)
    graph.until(lambda: states[-1].name == "disengaged")
    assert "lifecycle" in states[-1].reason
    again_ns = node.now_ns()
    change(graph, Transition.TRANSITION_ACTIVATE)
    # Meanwhile somebody has moved the hand.
    elsewhere = robot.rest + 0.2

    def issued():
        joints.publish(measured(robot, elsewhere))
        return [c for c in commands if nanoseconds(c.header.stamp) > again_ns]

    graph.until(issued)
    np.testing.assert_allclose(issued()[0].positions, elsewhere)


def test_a_stop_outlasts_a_manager_that_configures_the_node_anew(graph, robot):
    node = graph.add(CommandNode, auto_engage=True)
    assert graph.call(Trigger, "emergency_stop").success
    for transition in ("DEACTIVATE", "CLEANUP", "CONFIGURE", "ACTIVATE"):
        change(graph, getattr(Transition, f"TRANSITION_{transition}"))
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")
    commands = graph.collect(HandCommand, "hand_command", 1000)

    def fed():
        joints.publish(measured(robot))
        targets.publish(target(robot, 0.5, node.now_ns()))
        return len(commands) > 5

    graph.until(fed)
    assert {command.state.name for command in commands} == {"stopped"}
    assert graph.call(Trigger, "release_stop").success


def test_taken_out_of_service_in_motion_it_brakes(graph, robot):
    """A last command with a speed would leave the driver to stop the hand as it can."""
    node = graph.add(CommandNode, auto_engage=True)
    commands = graph.collect(HandCommand, "hand_command", 1000)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")

    def moving():
        joints.publish(measured(robot))
        targets.publish(target(robot, 0.9, node.now_ns()))
        return commands and max(abs(v) for v in commands[-1].velocities) > 0.5

    graph.until(moving)
    change(graph, Transition.TRANSITION_DEACTIVATE)
    graph.until(lambda: not any(commands[-1].velocities))
    for before, after in pairwise(commands):
        passed_s = (nanoseconds(after.header.stamp) - nanoseconds(before.header.stamp)) * 1e-9
        change_of_velocity = np.abs(np.subtract(after.velocities, before.velocities))
        assert np.all(change_of_velocity <= robot.acceleration * passed_s + 1e-6)


def test_a_second_commander_is_told_of(graph, robot):
    node = graph.add(CommandNode)
    assert node.diagnostics()["rivals"] == ""
    graph.publisher(JointTarget, "joint_target")
    assert node.diagnostics()["rivals"] == ""
    other = graph.probe.create_publisher(JointState, "joint_command", 10)
    graph.until(lambda: node.diagnostics()["rivals"] == "joint_command: /probe")
    graph.probe.destroy_publisher(other)
    graph.until(lambda: node.diagnostics()["rivals"] == "")
    graph.publisher(JointTarget, "joint_target")
    graph.until(lambda: node.diagnostics()["rivals"] == "joint_target: /probe, /probe")


@contextlib.contextmanager
def controller(graph, joints):
    """A stand-in for ros2_control's controller, which has its joints as a parameter."""
    node = rclpy.create_node("controller", context=graph.context)
    node.declare_parameter("joints", joints)
    executor = SingleThreadedExecutor(context=graph.context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()


@pytest.mark.parametrize("form", ["float64_multi_array", "joint_trajectory"])
def test_a_controller_with_another_joint_order_is_refused_at_the_start(graph, robot, form):
    options = {"output": form, "joint_naming": "driver", "controller": "/controller"}
    names = list(robot.driver_joint_names)
    with controller(graph, names):
        graph.add(CommandNode, **options)
    swapped = [names[1], names[0], *names[2:]]
    with controller(graph, swapped):
        if form == "joint_trajectory":
            # Names travel with the numbers, so their order is no matter.
            graph.add(CommandNode, **options)
        else:
            with pytest.raises(ConfigError, match=rf"{names[0]} \| {names[1]}; {names[1]}"):
                graph.add(CommandNode, **options)
    with (
        controller(graph, ["elbow", *names[1:]]),
        pytest.raises(ConfigError, match=rf"{names[0]} \| elbow"),
    ):
        graph.add(CommandNode, **options)


def test_a_controller_that_is_not_there_is_named(graph):
    with pytest.raises(ProcessError, match=r"/nobody did not answer within 0\.2 s"):
        graph.add(CommandNode, controller="/nobody", controller_wait_s=0.2)
    with controller(graph, 5), pytest.raises(ConfigError, match="no list of names"):
        graph.add(CommandNode, controller="/controller")


def test_who_asks_a_controller_offers_nothing_itself(graph):
    asking = asking_node(graph.probe)
    name, namespace = "probe_asks", asking.get_namespace()
    try:
        graph.until(lambda: name in graph.probe.get_node_names())
        assert asking.get_service_names_and_types_by_node(name, namespace) == []
        published = asking.get_publisher_names_and_types_by_node(name, namespace)
        assert [topic for topic, _ in published] == ["/parameter_events"]
    finally:
        asking.destroy_node()


@lru_cache
def open_hand():
    parameters = HandParameters.of(synergy("flat"))
    return pose_skeleton(load_template(), parameters).keypoints[0]


def hand_pose(stamp_ns):
    """An open hand, as the hand pose node would tell it."""
    hand = TrackedHand(
        stamp_ns, Side.RIGHT, TrackState.TRACKING, 0.9, np.zeros((21, 2)), open_hand(),
        np.zeros((778, 3)), RigidTransform(), 0.19, True,
    )  # fmt: skip
    return hand_to_message(hand, "lens")


def test_a_retargeting_process_that_stops_or_dies_is_held(graph, robot):
    """A real process, stopped, resumed and killed by signal."""
    node = graph.add(CommandNode, auto_engage=True)
    states = graph.collect(TeleopState, "teleop_state", 50)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    process = subprocess.Popen(
        [sys.executable, "-m", "rejshand_ros.nodes.retargeting"],
        env={**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())},
    )
    try:
        hands = graph.publisher(HandPose, "hand_pose", timeout_s=30.0)
        fed_ns = 0

        def becomes(*wanted):
            """Feed both nodes as a camera would until the state is one of these."""
            nonlocal fed_ns
            if node.now_ns() - fed_ns > 25_000_000:
                fed_ns = node.now_ns()
                joints.publish(measured(robot))
                hands.publish(hand_pose(fed_ns))
            return bool(states) and states[-1].name in wanted

        graph.until(lambda: becomes("ramping", "tracking"), timeout_s=30.0)
        process.send_signal(signal.SIGSTOP)
        graph.until(lambda: becomes("holding"))
        assert "the last target arrived" in states[-1].reason
        process.send_signal(signal.SIGCONT)
        graph.until(lambda: becomes("ramping", "tracking"))
        process.kill()
        process.wait(timeout=10)
        graph.until(lambda: becomes("holding"))
        assert "the last target arrived" in states[-1].reason
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(timeout=10)
