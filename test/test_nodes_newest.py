"""The newest image and no other: what waits while the network works is replaced."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from ros_graph import ros_graph
from sensor_msgs.msg import CompressedImage, Image

from rejshand_ros.nodes import qos
from rejshand_ros.nodes.hand_pose import HandPoseNode
from rejshand_ros.nodes.images import jpeg_message, raw_message
from rejshand_ros.nodes.running import make_executor
from rejshand_ros.nodes.stamps import header, nanoseconds

pytestmark = pytest.mark.ros
_MEANWHILE = 7
"""Images that come while the network works on one."""


class SlowTracker:
    """Takes as long as the camera takes for seven images."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.meanwhile = lambda: None

    def update(self, image, stamp_ns, camera):
        self.stamps.append(stamp_ns)
        self.meanwhile()
        return ()

    def look_about(self) -> None: ...


class SlowNode(HandPoseNode):
    def build_tracker(self):
        return SlowTracker(), "slow"


def asking_everything(context):
    """The executor of distributions before Kilted."""
    return SingleThreadedExecutor(context=context)


@pytest.mark.parametrize("executor", [make_executor, asking_everything])
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_what_waits_is_replaced_by_what_is_newer(transport, executor):
    """Seven images of full size arrive during the work on one: the last is next, six are told."""
    picture = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    kind, make = (Image, raw_message) if transport == "raw" else (CompressedImage, jpeg_message)
    message = make(picture)
    with ros_graph(executor) as graph:
        node = graph.add(SlowNode, side="right", image_transport=transport)
        topic = "image_raw" if transport == "raw" else "image_raw/compressed"
        camera = graph.publisher(kind, topic, qos.stream())
        # A second listener tells when the middleware has delivered what was sent.
        seen = graph.collect(kind, topic, qos.recording(reliable=True, transient=False))
        graph.until(lambda: camera.get_subscription_count() == 2)
        sent = []

        def publish():
            sent.append(node.now_ns())
            message.header = header(sent[-1])
            camera.publish(message)

        def publish_several():
            if len(sent) < 4 * _MEANWHILE:
                for _ in range(_MEANWHILE):
                    publish()
                # Delivered by threads of the middleware, while this one is the busy network.
                time.sleep(0.2)

        node._tracker.meanwhile = publish_several
        publish()
        graph.until(lambda: len(seen) == len(sent) > 4 * _MEANWHILE)
        graph.until(lambda: node._tracker.stamps[-1:] == sent[-1:])
        # Only the first of each seven can have come before the network was free again.
        assert node._tracker.stamps == [sent[0], *sent[_MEANWHILE::_MEANWHILE]]
        assert node.monitor.dropped == len(sent) - len(node._tracker.stamps)
        assert [nanoseconds(m.header.stamp) for m in seen] == sent


def test_each_stage_tells_its_own_share_of_the_delay():
    with ros_graph() as graph:
        reports = graph.collect(DiagnosticArray, "/diagnostics", 10)
        node = graph.add(SlowNode, side="right", image_transport="raw", diagnostics_period_s=0.2)
        node._tracker.meanwhile = lambda: time.sleep(0.03)
        camera = graph.publisher(Image, "image_raw", qos.stream())
        message = raw_message(np.zeros((48, 64, 3), np.uint8))

        def told():
            message.header = header(node.now_ns() - 50_000_000)
            camera.publish(message)
            values = {v.key: v.value for r in reports for v in r.status[0].values}
            return values.get("work_ms_median") and values

        graph.until(lambda: bool(told()))
        values = told()
        work, age = float(values["work_ms_median"]), float(values["age_ms_median"])
        assert work >= 30.0
        assert age >= work + 49.0
