"""Messages on the way from an image to a target, written and read without their Python objects.

Filling in and taking apart 21 points, 778 vertices or a picture by `rclpy`'s classes takes as long
as the work on them. What is written here is what `rclpy` would write; all others read it so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from rejshand_msgs.msg import HandPose
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, quaternion_from_rotation
from rejshand_ros.nodes.cdr import LITTLE_ENDIAN, CdrReader, CdrWriter
from rejshand_ros.nodes.conversions import VERTEX_COUNT, checked_hand, hand_from_message
from rejshand_ros.nodes.images import BgrImage, to_bgr
from rejshand_ros.nodes.stamps import NANOSECONDS, nanoseconds, time_message
from rejshand_ros.tracking.tracked_hand import TrackedHand


def image_to_cdr(image: BgrImage, stamp_ns: int, frame_id: str) -> bytes:
    """An Image (bgr8) of a picture (H, W, 3) uint8, BGR."""
    height, width = image.shape[:2]
    writer = _begun(stamp_ns, frame_id)
    writer.numbers("II", height, width)
    writer.text("bgr8")
    writer.numbers("B", 0)
    writer.numbers("II", 3 * width, 3 * width * height)
    return writer.message(np.ascontiguousarray(image).data.cast("B"))


def image_from_cdr(data: bytes) -> tuple[BgrImage, int, str]:
    """Picture, capture stamp (nanoseconds) and frame of an Image.

    Returns:
        The picture (H, W, 3) uint8, BGR; it may share memory with the message and be read-only.

    Raises:
        InputError: As `to_bgr`, or it is cut short.
    """
    if data[:2] == LITTLE_ENDIAN:
        reader = CdrReader(data, "image")
        seconds, rest = reader.numbers("iI")
        frame_id = reader.text()
        height, width = reader.numbers("II")
        encoding = reader.text()
        reader.numbers("B")
        (step,) = reader.numbers("I")
        if encoding == "bgr8" and step == 3 * width and height > 0 < width:
            pixels = reader.array(np.uint8)
            if len(pixels) == height * step:
                return pixels.reshape(height, width, 3), seconds * NANOSECONDS + rest, frame_id
    message = _message(data, Image)
    return to_bgr(message), nanoseconds(message.header.stamp), message.header.frame_id


def hand_to_cdr(hand: TrackedHand, frame_id: str) -> bytes:
    """A HandPose of a followed hand."""
    writer = _begun(hand.stamp_ns, frame_id)
    writer.text(str(hand.side))
    writer.numbers("B", hand.state.value)
    writer.numbers("f", hand.score)
    writer.array(hand.keypoints_2d.astype("<f4"))
    writer.array(hand.keypoints_3d.astype("<f8"), len(hand.keypoints_3d))
    wrist = hand.camera_from_wrist
    orientation = quaternion_from_rotation(wrist.rotation)
    writer.numbers("7d", *wrist.translation.tolist(), *orientation.tolist())
    writer.numbers("f", hand.hand_length_m)
    writer.numbers("?", hand.intrinsics_assumed)
    return writer.message()


def hand_from_cdr(data: bytes) -> TrackedHand | None:
    """The followed hand in a HandPose; None where it says that the hand is lost.

    Raises:
        InputError: As `hand_from_message`, or it is cut short.
    """
    if data[:2] != LITTLE_ENDIAN:
        return hand_from_message(_message(data, HandPose))
    reader = CdrReader(data, "hand pose")
    seconds, rest = reader.numbers("iI")
    reader.text()
    side = reader.text()
    (state,) = reader.numbers("B")
    (score,) = reader.numbers("f")
    pixels, points = reader.array("f4"), reader.array("f8", 3)
    wrist = reader.numbers("7d")
    (length,) = reader.numbers("f")
    (assumed,) = reader.numbers("?")
    return checked_hand(
        seconds * NANOSECONDS + rest, side, state, score, pixels, points, wrist, length, assumed
    )


def mesh_to_cdr(hand: TrackedHand, frame_id: str) -> bytes:
    """A HandMesh of a followed hand.

    Raises:
        InputError: It has no mesh of 778 vertices.
    """
    if hand.vertices.shape != (VERTEX_COUNT, 3):
        raise InputError(f"mesh of shape {hand.vertices.shape}; ({VERTEX_COUNT}, 3) is needed")
    writer = _begun(hand.stamp_ns, frame_id)
    writer.text(str(hand.side))
    writer.array(hand.vertices.astype("<f4"), VERTEX_COUNT)
    return writer.message()


def mesh_from_cdr(data: bytes) -> tuple[int, Array]:
    """Capture stamp (nanoseconds) and vertices (778, 3), metres, of a HandMesh.

    Raises:
        InputError: It is cut short, of the other byte order, holds another number of vertices, or
            one that is not finite.
    """
    reader = CdrReader(data, "hand mesh")
    seconds, rest = reader.numbers("iI")
    reader.text()
    reader.text()
    vertices = reader.array("f4", 3)
    if len(vertices) != VERTEX_COUNT:
        raise InputError(f"hand mesh of {len(vertices)} vertices; {VERTEX_COUNT} are needed")
    # Looked at before the cast: that of a signalling NaN warns.
    if not np.isfinite(vertices).all():
        raise InputError("hand mesh holds vertices that are not finite")
    return seconds * NANOSECONDS + rest, vertices.astype(float)


def _begun(stamp_ns: int, frame_id: str) -> CdrWriter:
    """A message with its header written."""
    stamp = time_message(stamp_ns)
    writer = CdrWriter()
    writer.numbers("iI", stamp.sec, stamp.nanosec)
    writer.text(frame_id)
    return writer


def _message(data: bytes, kind: type[Any]) -> Any:
    """A message as `rclpy` reads it."""
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:
        raise InputError(f"{kind.__name__} of {len(data)} bytes cannot be read") from error
