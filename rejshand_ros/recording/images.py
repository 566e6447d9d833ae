"""The camera images of an episode."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.encoded_image import check_claimed_size
from rejshand_ros.errors import InputError, RecordingError, reason_of
from rejshand_ros.recording.reader import EpisodeReader

IMAGE_TYPES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")


def image_topic(reader: EpisodeReader) -> str:
    """The camera image topic of an episode.

    Raises:
        RecordingError: It holds none.
    """
    for wanted in IMAGE_TYPES:
        found = sorted(t for t, kind in reader.topics.items() if kind == wanted)
        if found:
            return found[0]
    raise RecordingError(f"{reader.folder} holds no images; it has {', '.join(reader.topics)}")


def decode_image(message: Any, msgtype: str) -> NDArray[np.uint8]:
    """(H, W, 3) BGR image of a recorded Image or CompressedImage.

    Raises:
        RecordingError: It cannot be decoded.
    """
    if msgtype == IMAGE_TYPES[0]:
        try:
            check_claimed_size(memoryview(message.data))
        except InputError as error:
            raise RecordingError(f"a {message.format} image in the episode: {error}") from error
        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise RecordingError(f"a {message.format} image in the episode cannot be decoded")
        return np.asarray(image, np.uint8)
    from rosbags.image import message_to_cvimage

    try:
        return np.asarray(message_to_cvimage(message, "bgr8"), np.uint8)
    # Sizes and encodings that do not fit the data: the library has several errors for them.
    except Exception as error:
        reason = reason_of(error)
        raise RecordingError(f"an image in the episode cannot be read: {reason}") from error
