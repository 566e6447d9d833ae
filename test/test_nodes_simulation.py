"""The simulation node in a real graph: commands, contacts, a pair of hands, the wrist, time."""

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_srvs.srv import Trigger

from rejshand_msgs.msg import HandCommand, TeleopState
from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.images import to_bgr
from rejshand_ros.nodes.simulation import SimulationNode
from rejshand_ros.nodes.stamps import header, nanoseconds
from rejshand_ros.retargeting.robot_hand import load_robot_hand

pytestmark = pytest.mark.ros


@pytest.fixture
def robot():
    return load_robot_hand("allegro", Side.RIGHT)


def command(robot, positions):
    return JointState(name=list(robot.joint_names), position=[float(v) for v in positions])


def test_simulation_follows_commands_in_real_time(graph, robot):
    graph.add(SimulationNode, backend="scripted")
    states = graph.collect(JointState, "joint_states", 1000)
    commands = graph.publisher(JointState, "joint_command")
    wanted = robot.rest + 0.1
    graph.until(lambda: len(states) > 0)
    commands.publish(
        JointState(name=list(robot.joint_names)[::-1], position=[float(v) for v in wanted[::-1]])
    )
    graph.until(lambda: np.allclose(states[-1].position, wanted, atol=0.02))
    assert tuple(states[-1].name) == robot.joint_names


def test_simulation_tells_contacts_and_starts_anew_by_service(graph, robot):
    graph.add(SimulationNode, backend="scripted", scene="cube", contacts=True)
    states = graph.collect(JointState, "joint_states", 1000)
    cubes = graph.collect(PoseStamped, "objects/cube", 1000)
    forces = graph.collect(WrenchStamped, "fingertip_force/thumb", 1000)
    commands = graph.publisher(JointState, "joint_command")
    graph.until(lambda: states and cubes and forces)
    assert cubes[0].pose.position.z == pytest.approx(0.025)
    start = list(states[0].position)
    moved = [float(v) + 0.2 for v in robot.rest]
    commands.publish(JointState(name=list(robot.joint_names), position=moved))
    graph.until(lambda: abs(states[-1].position[1] - start[1]) > 0.1)
    answer = graph.call(Trigger, "reset_simulation")
    assert answer.success, answer.message
    graph.until(lambda: np.allclose(states[-1].position, start, atol=1e-3))


class Operator:
    """Sends what a command node and a hand pose node send while a person moves a hand."""

    def __init__(self, graph, node, robot):
        self.graph, self.node, self.robot = graph, node, robot
        self.wrists = graph.publisher(PoseStamped, "wrist_pose")
        self.states = graph.publisher(TeleopState, "teleop_state", qos.latched())
        self.commands = graph.publisher(JointState, "joint_command")
        self.wrist = PoseStamped()
        self.wrist.pose.orientation.w = 1.0
        self.wrist.pose.position.z = 0.6

    def state(self, value):
        self.states.publish(TeleopState(state=value))

    def base(self):
        return self.node._backend.hands[0].state().world_from_base.translation

    def send(self, commanding=True, age_ns=0):
        self.wrist.header = header(self.node.now_ns() - age_ns)
        self.wrists.publish(self.wrist)
        if commanding:
            self.commands.publish(command(self.robot, self.robot.rest))

    def spin(self, seconds, **how):
        """Send at 50 Hz for a time of the node; the height of the base all the while."""
        heights, end, next_ns = [], self.node.now_ns() + int(seconds * 1e9), 0

        def over():
            nonlocal next_ns
            if self.node.now_ns() >= next_ns:
                next_ns = self.node.now_ns() + 20_000_000
                self.send(**how)
            heights.append(self.base()[2])
            return self.node.now_ns() >= end

        self.graph.until(over)
        return np.array(heights)


def test_the_base_follows_the_wrist_and_never_jumps_when_engaged_again(graph, robot):
    node = graph.add(
        SimulationNode,
        backend="scripted",
        scene="cube",
        follow_wrist=True,
        # Not the computer's speed is tested here.
        follow_hold_after_s=5.0,
    )
    operator = Operator(graph, node, robot)
    start = operator.base()[2]
    operator.state(TeleopState.TRACKING)
    operator.spin(0.3)
    operator.wrist.pose.position.y -= 0.05
    graph.until(lambda: (operator.send(), operator.base()[2] > start + 0.045)[1])
    # Let go, move the wrist far, take hold again: the base stays where it is.
    operator.state(TeleopState.HOLDING)
    operator.spin(0.3)
    held = operator.base()[2]
    operator.wrist.pose.position.y += 0.4
    operator.spin(0.2)
    operator.state(TeleopState.RAMPING)
    assert np.abs(operator.spin(0.3) - held).max() < 1e-6
    # From there on it follows once more.
    operator.wrist.pose.position.y += 0.02
    graph.until(lambda: (operator.send(), operator.base()[2] < held - 0.015)[1])
    with pytest.raises(InputError, match="fixed base"):
        graph.add(SimulationNode, backend="scripted", follow_wrist=True)


@pytest.mark.parametrize("how", [{"commanding": False}, {"age_ns": 900_000_000}])
def test_the_base_follows_neither_a_dead_command_node_nor_an_old_wrist(graph, robot, how):
    """The state is latched and says tracking for ever, though nobody commands any more."""
    node = graph.add(SimulationNode, backend="scripted", scene="cube", follow_wrist=True)
    operator = Operator(graph, node, robot)
    operator.state(TeleopState.TRACKING)
    operator.spin(0.3)
    operator.spin(0.2, **how)
    before = operator.base()[2]
    operator.wrist.pose.position.y -= 0.05
    assert np.abs(operator.spin(0.4, **how) - before).max() < 1e-6


def test_a_pair_of_hands_in_one_scene(graph, robot):
    graph.add(SimulationNode, backend="scripted", side="both", scene="cube", contacts=True)
    left_robot = load_robot_hand("allegro", Side.LEFT)
    states = {
        side: graph.collect(JointState, f"{side}/joint_states", 100) for side in ("right", "left")
    }
    bases = {
        side: graph.collect(PoseStamped, f"{side}/base_pose", 100) for side in ("right", "left")
    }
    cubes = graph.collect(PoseStamped, "objects/cube", 100)
    commands = graph.publisher(JointState, "left/joint_command")
    wanted = left_robot.rest + 0.1
    commands.publish(command(left_robot, wanted))
    graph.until(
        lambda: states["left"] and np.allclose(states["left"][-1].position, wanted, 0, 0.02)
    )
    graph.until(lambda: states["right"] and cubes and all(bases.values()))
    assert states["right"][-1].position == pytest.approx(robot.rest)
    sideways = {side: bases[side][-1].pose.position.y for side in bases}
    assert sideways["left"] == pytest.approx(-sideways["right"])
    assert sideways["left"] > 0


def test_the_scenes_camera_shows_what_moves(graph, robot):
    """Drawn in software from the states of a backend that knows no graphics."""
    images = graph.collect(Image, "scene_camera/image_raw", 10)
    infos = graph.collect(CameraInfo, "scene_camera/camera_info", 10)
    node = graph.add(
        SimulationNode,
        backend="scripted",
        scene="cube",
        camera_rate_hz=20.0,
        camera_width=160,
        camera_height=120,
        camera_transport="raw",
    )
    graph.until(lambda: images and infos)
    assert (images[0].width, images[0].height) == (infos[0].width, infos[0].height) == (160, 120)
    assert images[0].header.frame_id == "scene_camera_optical_frame"
    assert {nanoseconds(message.header.stamp) for message in images} & {
        nanoseconds(message.header.stamp) for message in infos
    }
    before = to_bgr(images[-1]).astype(int)
    commands = graph.publisher(JointState, "joint_command")
    commands.publish(command(robot, robot.rest + 0.6))
    graph.until(lambda: (np.abs(to_bgr(images[-1]).astype(int) - before).max(-1) > 60).sum() > 100)
    assert node.diagnostics()["images_drawn"] != "0"


# Simulated time.


def test_simulated_time_leads_a_node_that_follows_the_clock(graph, robot):
    """Ten times slower than the computer's: the command node ticks by the simulation's time."""
    clocks = graph.collect(Clock, "/clock", 1000)
    commands = graph.collect(HandCommand, "hand_command", 1000)
    node = graph.add(SimulationNode, backend="scripted", publish_clock=True, speed=0.1)
    graph.add(CommandNode, use_sim_time=True)
    graph.until(lambda: len(commands) >= 10)
    stamps = np.array([nanoseconds(message.header.stamp) for message in commands])
    assert set(np.diff(stamps)) == {10_000_000}
    assert np.array(commands[-1].positions) == pytest.approx(robot.rest, abs=1e-3)
    times = np.array([nanoseconds(message.clock) for message in clocks])
    assert set(np.diff(times)) == {10_000_000}
    assert times[-1] < 60e9
    # A reset puts the scene back to its start, but never the time.
    before = node.now_ns()
    assert graph.call(Trigger, "reset_simulation").success
    graph.until(lambda: nanoseconds(clocks[-1].clock) > before)
    assert (np.diff([nanoseconds(message.clock) for message in clocks]) > 0).all()


def test_the_clock_comes_from_the_simulation_whatever_it_is_told_to_follow(graph):
    clocks = graph.collect(Clock, "/clock", 1000)
    graph.add(SimulationNode, backend="scripted", publish_clock=True, use_sim_time=True)
    graph.until(lambda: len(clocks) >= 5)
    assert nanoseconds(clocks[-1].clock) > 0
