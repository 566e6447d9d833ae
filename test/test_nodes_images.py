import sys
import types
from typing import ClassVar

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from rejshand_ros.errors import InputError
from rejshand_ros.nodes import images


@pytest.fixture
def picture():
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 5 * y, 2 * (x + y)], -1).astype(np.uint8)


@pytest.fixture
def cv_bridge(monkeypatch):
    """A stand-in that converts as cv_bridge does, and notes what it is asked for."""

    class CvBridge:
        asked: ClassVar[list] = []

        def imgmsg_to_cv2(self, message, desired_encoding):
            self.asked.append(("raw", desired_encoding))
            image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, -1)
            return image[..., ::-1] if message.encoding == "rgb8" else image

        def compressed_imgmsg_to_cv2(self, message, desired_encoding):
            import cv2

            self.asked.append(("compressed", desired_encoding))
            return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)

    module = types.ModuleType("cv_bridge")
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    images.converter.cache_clear()
    yield CvBridge
    images.converter.cache_clear()


@pytest.fixture(params=["cv_bridge", "rosbags"])
def convert(request):
    if request.param == "cv_bridge":
        request.getfixturevalue("cv_bridge")
        return images.cv_bridge_converter()
    return images.rosbags_converter()


def test_a_raw_image_comes_back_exactly(picture, convert):
    np.testing.assert_array_equal(images.to_bgr(images.raw_message(picture), convert), picture)


def test_rgb_becomes_bgr(picture, convert):
    message = images.raw_message(picture[..., ::-1])
    message.encoding = "rgb8"
    np.testing.assert_array_equal(images.to_bgr(message, convert), picture)


def test_padded_rows_are_cut(picture, convert):
    padded = np.zeros((48, 200), np.uint8)
    padded[:, :192] = picture.reshape(48, 192)
    message = Image(height=48, width=64, encoding="bgr8", step=200)
    message.data.frombytes(padded.tobytes())
    np.testing.assert_array_equal(images.to_bgr(message, convert), picture)


def test_a_compressed_image_comes_back_nearly(picture, convert):
    back = images.to_bgr(images.jpeg_message(picture, 95), convert)
    assert np.abs(back.astype(int) - picture).mean() < 3


def test_grey_and_alpha_become_bgr(picture):
    grey = Image(height=48, width=64, encoding="mono8", step=64)
    grey.data.frombytes(picture[..., 0].tobytes())
    np.testing.assert_array_equal(images.to_bgr(grey), picture[..., :1].repeat(3, -1))
    alpha = Image(height=48, width=64, encoding="8UC4", step=256)
    alpha.data.frombytes(np.concatenate([picture, picture[..., :1]], -1).tobytes())
    np.testing.assert_array_equal(images.to_bgr(alpha), picture)


def test_cv_bridge_is_preferred(picture, cv_bridge):
    images.to_bgr(images.raw_message(picture))
    images.to_bgr(images.jpeg_message(picture))
    assert cv_bridge.asked[-2:] == [("raw", "bgr8"), ("compressed", "bgr8")]


def test_without_cv_bridge_rosbags_converts(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    images.converter.cache_clear()
    np.testing.assert_array_equal(images.to_bgr(images.raw_message(picture)), picture)
    images.converter.cache_clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "rgb9"}, "encoding 'rgb9'"),
        ({"encoding": ""}, "encoding ''"),
        ({"encoding": "16UC1"}, "16UC1"),
        ({"height": 0}, "64 x 0"),
        ({"height": 47}, "9216 bytes"),
        ({"width": 2**31}, "pixels"),
        ({"step": 100}, "step 100"),
        ({"step": 193}, "9216 bytes"),
    ],
)
def test_images_that_contradict_themselves_are_refused(picture, change, words):
    message = images.raw_message(picture)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(InputError, match=words):
        images.to_bgr(message)


@pytest.mark.parametrize("data", [b"", b"no picture at all", b"\xff\xd8\xff\xe0" + bytes(64)])
def test_damaged_compressed_images_are_refused(data, convert):
    message = CompressedImage(format="jpeg")
    message.data.frombytes(data)
    with pytest.raises(InputError):
        images.to_bgr(message, convert)


def test_a_cut_jpeg_is_refused_or_shown_in_part(picture):
    message = images.jpeg_message(picture)
    half = CompressedImage(format="jpeg")
    half.data.frombytes(bytes(message.data)[: len(message.data) // 2])
    try:
        shape = images.to_bgr(half).shape
    except InputError:
        shape = picture.shape
    assert shape == picture.shape
