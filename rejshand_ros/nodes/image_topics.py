"""A camera's topics: images, raw for the network and compressed for the disk, and CameraInfo."""

from __future__ import annotations

from typing import Any

from rclpy.duration import Duration
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.conversions import camera_to_message
from rejshand_ros.nodes.images import BgrImage, jpeg_message
from rejshand_ros.nodes.serialised import image_to_cdr
from rejshand_ros.nodes.stamps import header

TRANSPORTS = ("raw", "compressed", "both")
_DELIVERY = Duration(seconds=1.0)
"""Longest wait for the last images to arrive."""


class ImageTopics:
    """Publishes images as ``<prefix>image_raw``, ``<prefix>image_raw/compressed`` or both."""

    def __init__(self, node: ChainNode[Any], transport: str, prefix: str = "") -> None:
        """Open the topics.

        Args:
            node: Whose they are.
            transport: One of `TRANSPORTS`.
            prefix: What their names begin with.
        """
        self._raw = self._compressed = None
        if transport != "compressed":
            self._raw = node.advertise(Image, f"{prefix}image_raw", qos.stream())
        if transport != "raw":
            topic = f"{prefix}image_raw/compressed"
            self._compressed = node.advertise(CompressedImage, topic, qos.stream())
        self._info = node.advertise(CameraInfo, f"{prefix}camera_info", qos.stream())
        self._camera: PinholeCamera | None = None

    @property
    def subscribers(self) -> int:
        """How many listen to the images."""
        return sum(p.get_subscription_count() for p in (self._raw, self._compressed) if p)

    @property
    def for_the_disk(self) -> bool:
        """Whether somebody listens to raw images and somebody to compressed ones."""
        both = (self._raw, self._compressed)
        return all(p is not None and p.get_subscription_count() for p in both)

    def publish(self, image: BgrImage, camera: PinholeCamera, stamp_ns: int, frame: str) -> None:
        """Publish an image and its CameraInfo, but for the compressed one.

        Args:
            image: (H, W, 3) uint8, BGR.
            camera: What took it.
            stamp_ns: When.
            frame: Its optical frame.
        """
        # Whoever gets the first image of a camera is to know what took it; later it can wait.
        introduced, self._camera = self._camera is camera, camera
        if not introduced:
            self._info.publish(camera_to_message(camera, stamp_ns, frame))
        # What the network waits for goes first; compressing would hold it up.
        if self._raw is not None:
            self._raw.publish(image_to_cdr(image, stamp_ns, frame))
        if introduced:
            self._info.publish(camera_to_message(camera, stamp_ns, frame))

    def publish_compressed(
        self, image: BgrImage, stamp_ns: int, frame: str, quality: int = 90
    ) -> None:
        """Publish the compressed image, if anybody wants it, after `publish`.

        Args:
            image: (H, W, 3) uint8, BGR.
            stamp_ns: When it was taken.
            frame: Its optical frame.
            quality: Of the JPEG, 1 to 100.

        Raises:
            InputError: The image cannot be compressed.
        """
        if self._compressed is not None and self._compressed.get_subscription_count():
            compressed = jpeg_message(image, quality)
            compressed.header = header(stamp_ns, frame)
            self._compressed.publish(compressed)

    def deliver(self) -> None:
        """Wait until whoever listens has the last images."""
        for publisher in (self._raw, self._compressed, self._info):
            if publisher is not None:
                publisher.wait_for_all_acked(_DELIVERY)
