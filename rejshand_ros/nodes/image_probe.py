"""How many camera images get lost between two processes: one sends, this one counts."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

from rejshand_ros.nodes import qos
from rejshand_ros.nodes.images import jpeg_message, raw_message
from rejshand_ros.nodes.stamps import header

WIDTH, HEIGHT, RATE_HZ = 1280, 720, 30.0
_TOPIC = "image_probe"
_DISCOVERY_S, _LAST_S = 15.0, 0.5


def picture() -> Any:
    """A picture of a camera's size that compresses about as badly as a camera's."""
    random = np.random.default_rng(0)
    small = random.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def send(transport: str, count: int) -> None:
    """Send numbered images at a camera's rate, once somebody listens."""
    rclpy.init()
    node = rclpy.create_node("image_probe_sender")
    image = picture()
    message = raw_message(image) if transport == "raw" else jpeg_message(image)
    publisher = node.create_publisher(type(message), _TOPIC, qos.stream())
    deadline = time.monotonic() + _DISCOVERY_S
    while not publisher.get_subscription_count() and time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin + number / RATE_HZ - time.monotonic()))
        message.header = header(number)
        publisher.publish(message)
    time.sleep(_LAST_S)
    node.destroy_node()
    rclpy.shutdown()


def count(transport: str, wanted: int) -> int:
    """Start a sender, and count what arrives, best effort, as the chain takes it."""
    rclpy.init()
    node = rclpy.create_node("image_probe_counter")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    arrived: set[bytes] = set()
    kind = Image if transport == "raw" else CompressedImage
    profile = qos.recording(reliable=False, transient=False)
    # The stamp, which is the number, follows the four bytes of every serialised message.
    node.create_subscription(kind, _TOPIC, lambda d: arrived.add(d[4:12]), profile, raw=True)
    command = [
        sys.executable,
        "-m",
        "rejshand_ros.nodes.image_probe",
        "send",
        transport,
        str(wanted),
    ]
    sender = subprocess.Popen(command)
    try:
        while sender.poll() is None:
            executor.spin_once(timeout_sec=0.05)
    finally:
        sender.kill()
        sender.wait()
    node.destroy_node()
    rclpy.shutdown()
    return len(arrived)


if __name__ == "__main__":
    job, form, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if job == "send":
        send(form, number)
    else:
        print(count(form, number))
