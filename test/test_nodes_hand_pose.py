"""The hand pose node, its networks included, given what no camera should send."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ros_graph import ros_graph
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from rejshand_msgs.msg import HandPose
from rejshand_ros.demo.clip import default_clip
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.conversions import camera_to_message
from rejshand_ros.nodes.hand_pose import HandPoseNode
from rejshand_ros.nodes.images import jpeg_message, raw_message
from rejshand_ros.nodes.stamps import header, nanoseconds
from rejshand_ros.tracking.capture_order import LATE_S, CaptureOrder

pytestmark = pytest.mark.ros
SECOND, FRAME_NS = 1_000_000_000, 33_333_333
START_NS = 1_700_000_000 * SECOND


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """The first images of the demo's clip; each shows a right hand."""
    capture = cv2.VideoCapture(str(default_clip(Side.RIGHT).video))
    found = [capture.read()[1] for _ in range(12)]
    capture.release()
    return found


class Watched:
    """A hand pose node in a graph of its own, fed one image at a time."""

    def __init__(self, graph, transport: str) -> None:
        self.graph = graph
        self.poses = graph.collect(HandPose, "right/hand_pose")
        self.node = graph.add(HandPoseNode, side="right", image_transport=transport, threads=1)
        kind, topic = {
            "raw": (Image, "image_raw"),
            "compressed": (CompressedImage, "image_raw/compressed"),
        }[transport]
        self._images = graph.publisher(kind, topic)
        self._infos = graph.publisher(CameraInfo, "camera_info")
        graph.until(lambda: self.node.count_subscribers("right/hand_pose") > 0)

    def send(self, message, stamp_ns: int) -> HandPose | None:
        """Send an image; the pose it led to, or None where it was refused."""
        poses, refused = len(self.poses), self.node.monitor.refused
        message.header = header(stamp_ns, "lens")
        self._images.publish(message)
        self.graph.until(lambda: len(self.poses) > poses or self.node.monitor.refused > refused)
        return self.poses[-1] if len(self.poses) > poses else None

    def send_camera(self, message: CameraInfo) -> None:
        """Send a CameraInfo and wait until it was taken in, or refused."""
        refused, before = self.node.monitor.refused, self.node._camera
        self._infos.publish(message)
        self.graph.until(
            lambda: self.node.monitor.refused > refused or self.node._camera is not before
        )

    def follow(self, messages, start_ns: int = START_NS) -> HandPose:
        """Send images of a hand in their order until it is followed."""
        for index, message in enumerate(messages):
            pose = self.send(message, start_ns + index * FRAME_NS)
            if pose is not None and pose.state == HandPose.STATE_TRACKING:
                return pose
        raise AssertionError("the hand was not found")


@pytest.fixture
def watched():
    """Makes the node for a transport."""
    with ros_graph() as graph:
        yield lambda transport: Watched(graph, transport)


@pytest.fixture
def warnings(capfd):
    """Warnings with these words that were said since the last call."""

    def said(words: str) -> int:
        lines = capfd.readouterr().err.splitlines()
        return sum("[WARN]" in line and words in line for line in lines)

    return said


def mono(picture: np.ndarray, encoding: str = "mono8") -> Image:
    """A grey image, or one with the encoding of another kind."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if encoding in ("mono16", "16UC1"):
        grey = grey.astype(np.uint16) * 257
    height, width = grey.shape
    message = Image(height=height, width=width, encoding=encoding, step=width * grey.itemsize)
    message.data.frombytes(np.ascontiguousarray(grey).tobytes())
    return message


def bayer(picture: np.ndarray) -> Image:
    """What a sensor behind a colour filter (RG over GB) sees of a picture."""
    mosaic = picture[..., 2].copy()
    mosaic[0::2, 1::2] = picture[0::2, 1::2, 1]
    mosaic[1::2, 0::2] = picture[1::2, 0::2, 1]
    mosaic[1::2, 1::2] = picture[1::2, 1::2, 0]
    height, width = mosaic.shape
    message = Image(height=height, width=width, encoding="bayer_rggb8", step=width)
    message.data.frombytes(mosaic.tobytes())
    return message


def changed(picture: np.ndarray, **values) -> Image:
    """A raw image whose message contradicts itself."""
    message = raw_message(picture)
    for name, value in values.items():
        setattr(message, name, value)
    return message


def nothing(_: np.ndarray) -> Image:
    return Image(encoding="bgr8")


UNUSABLE = {
    "empty": nothing,
    "without data": lambda p: changed(p, data=[]),
    "one pixel": lambda p: raw_message(p[:1, :1]),
    "16 bits": lambda p: mono(p, "mono16"),
    "16 bits untyped": lambda p: mono(p, "16UC1"),
    "no encoding": lambda p: changed(p, encoding=""),
    "unknown encoding": lambda p: changed(p, encoding="rgb9"),
    "encoding of fewer bytes": lambda p: changed(p, encoding="bgra8"),
    "step too short": lambda p: changed(p, step=7),
    "step too long": lambda p: changed(p, step=3 * p.shape[1] + 1),
    "step of zero": lambda p: changed(p, step=0),
    "height too large": lambda p: changed(p, height=p.shape[0] + 1),
}


def test_unusable_images_are_refused_one_by_one_and_the_hand_is_followed_on(
    watched, warnings, pictures
):
    chain = watched("raw")
    chain.follow(raw_message(picture) for picture in pictures)
    at_ns = START_NS + SECOND // 2
    for number, (name, make) in enumerate(UNUSABLE.items(), 1):
        pose = chain.send(make(pictures[-1]), at_ns + number * 1_000_000)
        assert pose is None, name
        assert chain.node.monitor.refused == number, name
    # All within a moment: said seldom, counted each time.
    assert 1 <= warnings("refused: image") < len(UNUSABLE)
    pose = chain.send(raw_message(pictures[-1]), at_ns + FRAME_NS)
    assert pose is not None and pose.state == HandPose.STATE_TRACKING


@pytest.mark.parametrize("kind", ["grey", "bayer"])
def test_grey_and_bayer_images_show_the_same_hand(watched, pictures, kind):
    chain = watched("raw")
    seen = chain.follow(raw_message(picture) for picture in pictures)
    convert = {"grey": mono, "bayer": bayer}[kind]
    # Long after, so that nothing of the colour images is left.
    converted = chain.follow((convert(picture) for picture in pictures), START_NS + 60 * SECOND)
    apart = np.subtract(converted.keypoints_2d, seen.keypoints_2d).reshape(21, 2)
    assert np.linalg.norm(apart, axis=1).mean() < 15.0


def test_an_image_of_8k_shows_the_same_hand(watched, pictures):
    chain = watched("compressed")
    seen = chain.follow(jpeg_message(picture) for picture in pictures)
    large = [cv2.resize(picture, (7680, 5760)) for picture in pictures[:4]]
    same = chain.follow((jpeg_message(picture) for picture in large), START_NS + 60 * SECOND)
    scale = 7680 / pictures[0].shape[1]
    apart = np.subtract(np.divide(same.keypoints_2d, scale), seen.keypoints_2d).reshape(21, 2)
    assert np.linalg.norm(apart, axis=1).mean() < 15.0


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"\xff\xd8\xff\xe0" + bytes(64)], ids=["empty", "text", "cut"]
)
def test_what_cannot_be_decoded_is_refused(watched, warnings, pictures, data):
    chain = watched("compressed")
    chain.follow(jpeg_message(picture) for picture in pictures)
    broken = CompressedImage(format="jpeg")
    broken.data.frombytes(data)
    assert chain.send(broken, START_NS + SECOND // 2) is None
    assert warnings("refused: ") == 1


def test_a_camera_info_of_zeros_is_an_unknown_camera_and_said_with_every_pose(watched, pictures):
    chain = watched("raw")
    height, width = pictures[0].shape[:2]
    known = PinholeCamera(width, height, default_clip(Side.RIGHT).truth.camera_matrix)
    chain.send_camera(camera_to_message(known))
    assert not chain.follow(raw_message(picture) for picture in pictures).intrinsics_assumed
    chain.send_camera(CameraInfo())
    pose = chain.send(raw_message(pictures[-1]), START_NS + SECOND)
    assert pose is not None and pose.intrinsics_assumed
    assert chain.node.diagnostics()["calibrated"] == "false"


def test_a_camera_info_that_no_lens_has_is_refused_and_the_last_one_kept(
    watched, warnings, pictures
):
    chain = watched("raw")
    height, width = pictures[0].shape[:2]
    known = PinholeCamera(width, height, default_clip(Side.RIGHT).truth.camera_matrix)
    chain.send_camera(camera_to_message(known))
    broken = camera_to_message(known)
    broken.k[4] = 0.0
    chain.send_camera(broken)
    assert warnings("refused: camera_info") == 1
    pose = chain.follow(raw_message(picture) for picture in pictures)
    assert not pose.intrinsics_assumed


def test_stamps_that_stand_still_lead_to_no_pose(watched, warnings, pictures):
    """As those of a driver that sets none."""
    chain = watched("raw")
    assert chain.send(raw_message(pictures[0]), 0) is not None
    assert all(chain.send(raw_message(picture), 0) is None for picture in pictures[1:])
    assert 1 <= warnings("stamp again") < len(pictures) - 1
    assert all(pose.state != HandPose.STATE_TRACKING for pose in chain.poses)


def test_stamps_that_run_backwards_lead_to_no_pose(watched, warnings, pictures):
    chain = watched("raw")
    for index in range(60):
        chain.send(raw_message(pictures[index % len(pictures)]), START_NS - index * FRAME_NS)
    assert warnings("stamps went back") >= 1
    assert all(pose.state != HandPose.STATE_TRACKING for pose in chain.poses)


def test_a_late_image_is_refused_and_a_clock_that_was_set_back_is_not(watched, pictures):
    chain = watched("raw")
    pose = chain.follow(raw_message(picture) for picture in pictures)
    last_ns = nanoseconds(pose.header.stamp)
    assert chain.send(raw_message(pictures[0]), last_ns - FRAME_NS) is None
    again = chain.follow((raw_message(picture) for picture in pictures), last_ns - 60 * SECOND)
    assert nanoseconds(again.header.stamp) < last_ns


def test_no_image_is_from_before_time_began():
    with pytest.raises(InputError, match="1970"):
        CaptureOrder().begins_anew(-1)


def test_the_order_of_images_recovers_from_any_step_back():
    order = CaptureOrder()
    limit_ns = round(LATE_S * SECOND)
    assert not order.begins_anew(START_NS)
    with pytest.raises(InputError, match="again"):
        order.begins_anew(START_NS)
    with pytest.raises(InputError, match=r"1\.000 s older"):
        order.begins_anew(START_NS - limit_ns)
    assert order.begins_anew(START_NS - limit_ns - 1)
    assert not order.begins_anew(START_NS - limit_ns)
