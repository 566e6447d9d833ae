"""The camera node in real graphs."""

import shutil
import time

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from rejshand_ros.errors import (
    MediaError,
    ProcessError,
)
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.camera import CameraNode
from rejshand_ros.nodes.conversions import nanoseconds
from rejshand_ros.nodes.images import to_bgr

pytestmark = pytest.mark.ros


@pytest.fixture
def folder_of_images(tmp_path):
    """Ten images; the left half of the n-th has grey value 20 n."""
    for index in range(10):
        image = np.zeros((64, 96, 3), np.uint8)
        image[:, :48] = 20 * index
        cv2.imwrite(str(tmp_path / f"{index:03d}.png"), image)
    return tmp_path


def test_camera_plays_a_folder_with_scheduled_stamps(graph, folder_of_images):
    images = graph.collect(CompressedImage, "image_raw/compressed", 20)
    infos = graph.collect(CameraInfo, "camera_info", 20)
    node = graph.add(
        CameraNode, input=str(folder_of_images), fps=50, wait_for_subscribers=1, jpeg_quality=95
    )
    graph.until(node.finished.is_set)
    graph.until(lambda: len(images) == len(infos) == 10)
    stamps = [nanoseconds(message.header.stamp) for message in images]
    assert np.diff(stamps).tolist() == [20_000_000] * 9
    assert [nanoseconds(message.header.stamp) for message in infos] == stamps
    assert {message.header.frame_id for message in images} == {"camera_optical_frame"}
    for index, message in enumerate(images):
        image = to_bgr(message)
        assert abs(int(image[32, 20, 0]) - 20 * index) < 4
        assert image[32, 80, 0] < 4
    assert infos[0].k[0] == 0.0


def test_the_disk_waits_until_the_network_has_had_its_image(graph, folder_of_images):
    raw = graph.collect(Image, "image_raw", 20)
    came = []
    graph.probe.create_subscription(
        CompressedImage,
        "image_raw/compressed",
        lambda message: came.append((nanoseconds(message.header.stamp), time.time_ns())),
        20,
    )
    graph.add(
        CameraNode, input=str(folder_of_images), fps=50, transport="both", wait_for_subscribers=2
    )
    graph.until(lambda: len(raw) == len(came) == 10)
    assert [nanoseconds(message.header.stamp) for message in raw] == [stamp for stamp, _ in came]
    assert min(now - stamp for stamp, now in came) >= 0.4 * 20_000_000


def test_the_cameras_compression_changes_while_it_plays(graph, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "000.png"), noise)
    images = graph.collect(CompressedImage, "image_raw/compressed", 20)
    node = graph.add(CameraNode, input=str(tmp_path), fps=100, loop=True)
    graph.until(lambda: images)
    large = len(images[-1].data)
    assert node.set_parameters([Parameter("jpeg_quality", value=5)])[0].successful
    graph.until(lambda: len(images[-1].data) < large / 2)
    fixed = node.set_parameters([Parameter("fps", value=5.0)])[0]
    assert not fixed.successful and fixed.reason


def test_camera_flips_image_and_calibration(graph, folder_of_images, tmp_path):
    calibration = tmp_path / "camera.yaml"
    calibration.write_text(
        "image_width: 192\nimage_height: 128\n"
        "camera_matrix: {rows: 3, cols: 3, data: [100, 0, 80, 0, 100, 64, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.2, 0.3, 0.4, 0.5]}\n"
    )
    images = graph.collect(Image, "image_raw", 20)
    infos = graph.collect(CameraInfo, "camera_info", 20)
    graph.add(
        CameraNode,
        input=str(folder_of_images),
        fps=50,
        flip=True,
        transport="raw",
        wait_for_subscribers=1,
        camera_info_url=f"file://{calibration}",
    )
    graph.until(lambda: len(images) == len(infos) == 10)
    image = to_bgr(images[9])
    assert image[32, 80].tolist() == [180] * 3
    assert image[32, 20].tolist() == [0] * 3
    k = np.array(infos[0].k).reshape(3, 3)
    # Half the size: a pixel centre u goes to (u + 0.5) / 2 - 0.5, then to 95 - u.
    np.testing.assert_allclose(k, [[50, 0, 95 - 39.75], [0, 50, 31.75], [0, 0, 1]])
    np.testing.assert_allclose(infos[0].d, [0.1, 0.2, 0.3, -0.4, 0.5])


def test_camera_tells_latecomers_that_its_clip_has_ended(graph, folder_of_images):
    node = graph.add(CameraNode, input=str(folder_of_images), fps=200, exit_at_end=False)
    graph.until(lambda: node.monitor.handled == 10)
    status = graph.collect(DiagnosticStatus, "clip_status", qos.latched())
    graph.until(lambda: bool(status))
    values = {item.key: item.value for item in status[-1].values}
    assert (values["ended"], values["sent"], values["fps"]) == ("true", "10", "200")


def test_camera_waits_for_subscribers_but_not_for_ever(graph, folder_of_images):
    node = graph.add(
        CameraNode, input=str(folder_of_images), wait_for_subscribers=3, wait_timeout_s=0.2
    )
    graph.until(node.finished.is_set)
    assert isinstance(node.fault, ProcessError)
    assert "0 of 3 image subscribers" in str(node.fault)


def test_camera_refuses_what_is_no_video(graph, tmp_path):
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(MediaError, match="cannot be read as a video"):
        graph.add(CameraNode, input=str(noise))
    with pytest.raises(MediaError, match="no video at"):
        graph.add(CameraNode, input=str(tmp_path / "none.mp4"))


def test_a_camera_that_is_pulled_out_comes_back(graph, folder_of_images):
    images = graph.collect(CompressedImage, "image_raw/compressed", 20)
    node = graph.add(
        CameraNode, input=str(folder_of_images), fps=100, loop=True, reopen_period_s=0.05
    )
    graph.until(lambda: len(images) > 5)
    away = folder_of_images.with_name("away")
    folder_of_images.rename(away)
    graph.until(lambda: "no video at" in node.monitor.fault)
    assert str(folder_of_images) in node.monitor.fault
    # What is put in its place is no camera.
    folder_of_images.mkdir()
    (folder_of_images / "000.png").write_bytes(b"no image")
    graph.until(lambda: "000.png" in node.monitor.fault)
    shutil.rmtree(folder_of_images)
    away.rename(folder_of_images)
    graph.until(lambda: node.monitor.fault == "")
    lost_at = len(images)
    graph.until(lambda: len(images) > lost_at + 3)
    assert not node.finished.is_set()
    assert node.diagnostics()["times_lost"] == "1"
