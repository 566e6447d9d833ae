"""A node of the chain is ready once the recorder hears it, so that an episode lacks nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import CompressedImage, Image, JointState

from rejshand_msgs.msg import JointTarget
from rejshand_ros.demo.chain import ChainConfig, chain_processes
from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.demo.processes import ProcessGroup, ProcessSpec
from rejshand_ros.errors import ProcessError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.camera import CameraNode
from rejshand_ros.nodes.recorder import RecorderNode
from rejshand_ros.nodes.retargeting import RetargetingNode
from rejshand_ros.resources import resource_path

pytestmark = pytest.mark.ros


class BlindRetargeting(RetargetingNode):
    """Needs no solver where no hand comes."""

    def build_retargeter(self):
        return None

    def build_calibration(self):
        return None


def test_a_node_waits_for_the_recorder_and_for_nobody_else(graph) -> None:
    node = graph.add(BlindRetargeting, start=False, namespace="right", await_recorder="recorder")
    node.transition(node.trigger_configure)
    # A command node listens too; that is not enough.
    graph.probe.create_subscription(JointTarget, "/right/joint_target", print, qos.newest_only())
    graph.until(lambda: graph.probe.count_publishers("/right/joint_target") == 1)
    lacking = ["recorder does not listen to /right/joint_target"]
    assert lacking[0] in node.unconnected()
    other = rclpy.create_node("recorder", context=graph.context)
    graph.executor.add_node(other)
    # Volatile publishers never connect to one who asks for what was latched.
    other.create_subscription(JointTarget, "/right/joint_target", print, qos.latched())
    graph.until(lambda: graph.probe.count_subscribers("/right/joint_target") == 2)
    assert lacking[0] in node.unconnected()
    other.create_subscription(JointTarget, "/right/joint_target", print, 10)
    graph.until(lambda: lacking[0] not in node.unconnected())
    other.destroy_node()


@pytest.mark.parametrize("form", ["image_raw", "image_raw/compressed"])
def test_a_camera_of_both_forms_waits_for_one_of_them_to_be_recorded(
    graph, tmp_path: Path, form: str
) -> None:
    """The network gets raw images while the recorder takes compressed ones."""
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((64, 96, 3), np.uint8))
    node = graph.add(
        CameraNode,
        start=False,
        input=str(tmp_path),
        transport="both",
        await_recorder="recorder",
    )
    node.transition(node.trigger_configure)
    lacking = "recorder does not listen to /image_raw"
    assert any(phrase.startswith(lacking) for phrase in node.unconnected())
    other = rclpy.create_node("recorder", context=graph.context)
    graph.executor.add_node(other)
    kind = CompressedImage if form.endswith("compressed") else Image
    other.create_subscription(kind, form, print, 10)
    graph.until(lambda: not any(phrase.startswith(lacking) for phrase in node.unconnected()))
    other.destroy_node()


def test_a_recorder_waits_for_all_that_is_published(graph, tmp_path: Path) -> None:
    node = graph.add(
        RecorderNode,
        start=False,
        folder=str(tmp_path),
        await_inputs=True,
        extra_topics=("/elsewhere:std_msgs/msg/String",),
    )
    node.transition(node.trigger_configure)
    waiting = node.unconnected()
    assert "nobody publishes /right/joint_states" in waiting
    assert "nobody publishes /image_raw/compressed" in waiting
    # A joystick and what else a user asks for may come or not.
    assert not [line for line in waiting if "/joy" in line or "/elsewhere" in line]
    graph.publisher(JointState, "/right/joint_states")
    graph.until(lambda: "nobody publishes /right/joint_states" not in node.unconnected())
    assert len(node.unconnected()) == len(waiting) - 1


def test_a_process_says_ready_once_the_recorder_listens(graph, tmp_path: Path) -> None:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())}
    alone = ProcessSpec(
        "right/retargeting",
        "rejshand_ros.nodes.retargeting",
        {"await_recorder": "recorder"},
        "right",
    )
    with ProcessGroup(environment, tmp_path / "logs") as group:
        group.start([alone])
        log = tmp_path / "logs/right_retargeting.log"
        graph.until(lambda: "waiting: recorder does not" in log.read_text(), timeout_s=60.0)
        with pytest.raises(ProcessError, match=r"waiting: recorder .*/right/joint_target"):
            group.wait_ready(0.1)
        graph.add(RecorderNode, folder=str(tmp_path))
        begun = time.monotonic()
        group.wait_ready(30.0)
        assert time.monotonic() - begun < 30.0
        group.stop()


def test_every_process_of_the_chain_waits_for_the_recorder() -> None:
    for backend, inputs in (("mujoco", True), ("none", False)):
        specs = chain_processes(ChainConfig(input="clip.mp4", backend=backend))
        assert {spec.parameters["await_recorder"] for spec in specs} == {"recorder"}
        assert {spec.parameters["await_inputs"] for spec in specs} == {inputs}
    alone = chain_processes(ChainConfig(input="clip.mp4", record=False))
    assert {spec.parameters["await_recorder"] for spec in alone} == {""}
    # One that was killed comes back at once, also where the recorder lies down.
    assert not {"await_recorder", "await_inputs"} & set(specs[0].on_its_own().parameters)
    assert specs[0].on_its_own().parameters["folder"] == specs[0].parameters["folder"]


def test_the_middleware_takes_the_settings_and_a_node_tells_of_itself_often(tmp_path):
    settings = resource_path("config/fastdds.xml")
    wrong = tmp_path / "wrong.xml"
    wrong.write_text(settings.read_text().replace("leaseAnnouncement", "leaseNews"))
    make_a_node = "import rclpy; rclpy.init(); rclpy.create_node('x').destroy_node()"
    said = {}
    with reserved_domain() as domain:
        for path in (settings, wrong):
            environment = {
                **os.environ,
                "ROS_DOMAIN_ID": str(domain),
                "FASTDDS_DEFAULT_PROFILES_FILE": str(path),
            }
            command = [sys.executable, "-c", make_a_node]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            said[path] = done.stdout + done.stderr
    assert "XMLPARSER" in said[wrong]
    assert said[settings] == ""
    # Missed once by a peer, a node must not stay unseen for most of the 5 s that recovery may take.
    period = ElementTree.parse(settings).find(".//{*}participant//{*}leaseAnnouncement")
    assert period is not None
    seconds, nanoseconds = (int(period.findtext(f"{{*}}{name}")) for name in ("sec", "nanosec"))
    assert 0.1 <= seconds + nanoseconds * 1e-9 <= 1.0


def test_no_thread_of_the_middleware_looks_up_types() -> None:
    # Fast DDS 3.2 crashed there (general protection fault in dds.tls.replies) as nodes found each
    # other; ROS 2 knows its types and needs no such service.
    name_threads = (
        "import os, rclpy; rclpy.init(); node = rclpy.create_node('x');"
        "print(*(open(f'/proc/self/task/{t}/comm').read() for t in os.listdir('/proc/self/task')))"
    )
    with reserved_domain() as domain:
        environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(domain),
            "FASTDDS_DEFAULT_PROFILES_FILE": str(resource_path("config/fastdds.xml")),
        }
        command = [sys.executable, "-c", name_threads]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "dds.shm" in done.stdout
    assert "dds.tls" not in done.stdout
