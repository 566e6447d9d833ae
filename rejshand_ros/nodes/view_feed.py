"""The newest messages of the chain as they came, and what the browser view shows of them."""

from __future__ import annotations

import io
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from rejshand_msgs.msg import HandPoseArray
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.conversions import hand_from_message
from rejshand_ros.nodes.images import jpeg_message, to_bgr
from rejshand_ros.nodes.serialised import mesh_from_cdr
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState
from rejshand_ros.viewing.live import LiveHand, LiveNode, LivePicture

_KEPT = 30
"""Images and wrists that wait for what belongs to them: a second."""
_JPEG_QUALITY = 80


def serialised_stamp_ns(data: bytes) -> int:
    """Stamp of a serialised message that begins with a header.

    Raises:
        InputError: It is too short to have one.
    """
    if len(data) < 12:
        raise InputError(f"message of {len(data)} bytes has no stamp")
    seconds, nanos = struct.unpack_from("<iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanos)


class ViewFeed:
    """Keeps serialised messages, and takes them apart when they are to be shown."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._newest: dict[str, bytes] = {}
        self._images: OrderedDict[int, bytes] = OrderedDict()
        self._hands: OrderedDict[int, bytes] = OrderedDict()
        self._wrists: OrderedDict[tuple[Side, int], Array] = OrderedDict()

    def keeper(self, key: str) -> Callable[[bytes], None]:
        """A callback that keeps the newest message of a topic under a key."""

        def keep(data: bytes) -> None:
            self._newest[key] = data

        return keep

    def keep_image(self, data: bytes) -> None:
        """Keep an image until the hands in it are known."""
        self._images[serialised_stamp_ns(data)] = data
        _trim(self._images)

    def keep_hands(self, data: bytes) -> None:
        """Keep hands until their image is there, which is compressed after they are found."""
        self._hands[serialised_stamp_ns(data)] = data
        _trim(self._hands)

    def take(self, key: str) -> bytes | None:
        """The newest message under a key that has not been taken yet."""
        return self._newest.pop(key, None)

    def take_image(self) -> bytes | None:
        """The newest image, whatever is in it, once."""
        return self._images.popitem()[1] if self._images else None

    def picture_with_hands(self) -> tuple[bytes, tuple[LiveHand, ...]] | None:
        """The newest image whose hands are known, once; None where there is none.

        Raises:
            InputError: The hands' message makes no sense.
        """
        stamp_ns = next((stamp for stamp in reversed(self._hands) if stamp in self._images), None)
        if stamp_ns is None:
            return None
        data = self._hands[stamp_ns]
        while self._hands.popitem(last=False)[0] != stamp_ns:
            pass
        return self._images[stamp_ns], live_hands(self._read_hands(data))

    def _read_hands(self, data: bytes) -> list[TrackedHand]:
        """Hands of a message; their wrists are remembered."""
        message = deserialize_message(data, HandPoseArray)
        hands = [hand for pose in message.hands if (hand := hand_from_message(pose)) is not None]
        for hand in hands:
            self._wrists[hand.side, hand.stamp_ns] = hand.camera_from_wrist.rotation
        _trim(self._wrists)
        return hands

    def surface(self, side: Side) -> Array | None:
        """The newest mesh whose hand is known, once; None where there is none.

        Returns:
            (778, 3) metres in the wrist frame.

        Raises:
            InputError: The mesh's message makes no sense.
        """
        data = self.take(f"{side}/mesh")
        if data is None:
            return None
        stamp_ns, vertices = mesh_from_cdr(data)
        # The image that the mesh belongs to may still be on its way.
        if (side, stamp_ns) not in self._wrists and stamp_ns in self._hands:
            self._read_hands(self._hands[stamp_ns])
        rotation = self._wrists.get((side, stamp_ns))
        return None if rotation is None else vertices @ rotation


def live_hands(hands: Sequence[TrackedHand]) -> tuple[LiveHand, ...]:
    """What a view shows of followed hands."""
    return tuple(
        LiveHand(
            hand.side,
            hand.state is not TrackState.TRACKING,
            hand.keypoints_2d,
            hand.keypoints_3d @ hand.camera_from_wrist.rotation,
        )
        for hand in hands
    )


def live_picture(data: bytes, kind: type[Any]) -> LivePicture:
    """A serialised image as a browser takes it.

    Args:
        data: CompressedImage, passed on as it is, or Image, compressed here.
        kind: Which of the two.

    Raises:
        InputError: The picture cannot be read.
    """
    message = deserialize_message(data, kind)
    if kind is Image:
        message = jpeg_message(to_bgr(message), _JPEG_QUALITY)
    assert isinstance(message, CompressedImage)
    compressed = bytes(message.data)
    try:
        with PillowImage.open(io.BytesIO(compressed)) as picture:  # reads no more than its header
            (width, height), media = picture.size, str(picture.format).lower()
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"compressed image cannot be read: {error}") from error
    if media not in ("jpeg", "png"):
        raise InputError(f"compressed image of kind {media}; valid: jpeg, png")
    return LivePicture(compressed, media, width, height)


def live_node(status: DiagnosticStatus) -> LiveNode:
    """What a view shows of a node's report."""
    values = {item.key: item.value for item in status.values}
    age = values.get("age_ms_median", "")
    level = status.level if isinstance(status.level, bytes) else bytes([status.level])
    try:
        return LiveNode(
            rate_hz=float(values.get("rate_hz", 0.0)),
            age_ms=float(age) if age else None,
            dropped=int(values.get("dropped", 0)),
            trouble="" if level == DiagnosticStatus.OK else status.message,
        )
    except ValueError as error:
        raise InputError(f"report of {status.name}: {error}") from error


def _trim(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
