"""Images in messages: one function in, two out.

The distribution's cv_bridge converts where it is installed, rosbags-image where it is not; both
give the same array. What a message claims is checked before either sees it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from rejshand_ros.encoded_image import check_claimed_size
from rejshand_ros.errors import InputError, MissingDependencyError

BgrImage = NDArray[np.uint8]
Convert = Callable[[Any], Any]

_CHANNELS = {
    "bgr8": 3, "rgb8": 3, "8UC3": 3,
    "bgra8": 4, "rgba8": 4, "8UC4": 4,
    "mono8": 1, "8UC1": 1,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
}  # fmt: skip
_UNTYPED = {"8UC3": "bgr8", "8UC4": "bgra8", "8UC1": "mono8"}
MAX_SIDE = 16_384
_MAX_COMPRESSED = 64 << 20


def cv_bridge_converter() -> Convert:
    """Conversion by the distribution's cv_bridge.

    Raises:
        ImportError: It is not installed, or is ROS 1's.
    """
    bridge = importlib.import_module("cv_bridge").CvBridge()

    def convert(message: Any) -> Any:
        if isinstance(message, CompressedImage):
            return bridge.compressed_imgmsg_to_cv2(message, desired_encoding="bgr8")
        return bridge.imgmsg_to_cv2(message, desired_encoding="bgr8")

    return convert


def rosbags_converter() -> Convert:
    """Conversion by rosbags-image.

    Raises:
        ImportError: It is not installed.
    """
    to_cv = importlib.import_module("rosbags.image").message_to_cvimage

    def convert(message: Any) -> Any:
        return to_cv(message, "bgr8")

    return convert


@cache
def converter() -> Convert:
    """The conversion of this installation.

    Raises:
        MissingDependencyError: Neither library is installed.
    """
    for candidate in (cv_bridge_converter, rosbags_converter):
        try:
            return candidate()
        except (ImportError, AttributeError):
            continue
    raise MissingDependencyError(
        "neither cv_bridge nor rosbags-image is installed; install ros-<distro>-cv-bridge, "
        "or 'pip install rosbags-image'"
    )


def to_bgr(message: Image | CompressedImage, convert: Convert | None = None) -> BgrImage:
    """The picture in a message.

    Args:
        message: sensor_msgs Image (8 bits a channel) or CompressedImage (JPEG or PNG).
        convert: One of the converters; the installation's by default.

    Returns:
        (H, W, 3) uint8, BGR. It may share memory with the message and be read-only.

    Raises:
        InputError: Size, step, encoding or data do not fit together, or the data is damaged.
    """
    if isinstance(message, Image):
        message = _checked(message)
    elif not 0 < len(message.data) <= _MAX_COMPRESSED:
        raise InputError(f"compressed image of {len(message.data)} bytes; 1 to {_MAX_COMPRESSED}")
    else:
        check_claimed_size(memoryview(message.data))
    try:
        image = np.asarray((convert or converter())(message))
    except Exception as error:  # each library has exceptions of its own, and bare cv2.error
        what = getattr(message, "encoding", "") or getattr(message, "format", "")
        raise InputError(f"{what or 'compressed'} image cannot be read: {_short(error)}") from error
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"image became {image.shape} {image.dtype}; (H, W, 3) uint8 is needed")
    return image


def _checked(message: Image) -> Image:
    """The message, with an untyped encoding read as a colour one."""
    encoding, height, width = message.encoding, message.height, message.width
    if encoding not in _CHANNELS:
        raise InputError(f"image encoding {encoding!r}; valid: {', '.join(sorted(_CHANNELS))}")
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise InputError(f"image of {width} x {height} pixels; 1 to {MAX_SIDE} a side")
    row = width * _CHANNELS[encoding]
    if message.step < row:
        raise InputError(f"image step {message.step} is under {row} bytes for {width} {encoding}")
    if len(message.data) != message.step * height:
        raise InputError(
            f"image data of {len(message.data)} bytes; step {message.step} x height {height} "
            f"needs {message.step * height}"
        )
    if message.step == row and encoding not in _UNTYPED:
        return message
    # Padded rows are cut here once: the libraries disagree about them.
    data = message.data
    if message.step != row:
        rows = np.frombuffer(data, np.uint8).reshape(height, message.step)[:, :row]
        data = rows.tobytes()
    plain = Image(header=message.header, height=height, width=width, step=row)
    plain.encoding = _UNTYPED.get(encoding, encoding)
    plain.data.frombytes(bytes(data))
    return plain


def raw_message(image: BgrImage) -> Image:
    """An Image (bgr8) without a header."""
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding="bgr8", step=3 * width, is_bigendian=0)
    # Assigning a list or bytes would be checked byte by byte; the message's own array is not.
    message.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return message


def jpeg_message(image: BgrImage, quality: int = 90) -> CompressedImage:
    """A CompressedImage (JPEG) without a header.

    Raises:
        InputError: The image cannot be compressed.
    """
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise InputError(f"image of shape {image.shape} cannot be compressed as JPEG")
    message = CompressedImage(format="bgr8; jpeg compressed bgr8")
    message.data.frombytes(data.data)
    return message


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
