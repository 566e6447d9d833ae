"""A camera and a robot hand that publish numbered messages, for the benchmark of the recorder.

Each message carries its number where a receiver finds it: in the frame id of its header. The
joints' positions follow from its stamp, so that whoever reads them knows what they should be.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, JointState

from rejshand_msgs.msg import HandCommand
from rejshand_ros.geometry import Array

CAMERA_HZ = 30
JOINT_HZ = 100
GREETING = "-1"
"""In place of a number: the first message of each topic, which need not arrive."""
JOINTS = [f"joint_{index}" for index in range(16)]
MOTION_HZ = 2
"""Of every joint: as fast as a hand opens and closes in haste."""
AMPLITUDE_RAD = 0.5
COMMAND_LEAD_S = 0.04
"""The measured joints follow the commanded ones."""


def motion(times_ns: NDArray[np.int64]) -> tuple[Array, Array]:
    """Where the joints are, and how fast they move.

    Args:
        times_ns: (n,) nanoseconds since the epoch.

    Returns:
        Positions (n, 16) in radians and velocities (n, 16) in radians a second.
    """
    # A whole number of periods a second: the full seconds do not matter.
    seconds = (np.asarray(times_ns) % 1_000_000_000) * 1e-9
    rate = 2 * np.pi * MOTION_HZ
    phase = rate * seconds[:, None] + np.arange(len(JOINTS))
    return AMPLITUDE_RAD * np.sin(phase), AMPLITUDE_RAD * rate * np.cos(phase)


def jpegs(count: int = 30) -> list[bytes]:
    """Images of a moving, textured scene: 640 x 480, about 50 kB each."""
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 255, (90, 120, 3), np.uint8), (1280, 960))
    images = []
    for index in range(count):
        shift = round(300 + 250 * np.sin(2 * np.pi * index / count))
        crop = np.ascontiguousarray(scene[shift // 2 : shift // 2 + 480, shift : shift + 640])
        images.append(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return images


def main() -> None:
    """Publish for the given time and print how many messages of each topic went out."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--subscribers-within", type=float, default=20.0)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("recording_load")
    profile = QoSProfile(depth=100)
    images = node.create_publisher(CompressedImage, "image_raw/compressed", profile)
    states = node.create_publisher(JointState, "right/joint_states", profile)
    commands = node.create_publisher(HandCommand, "right/hand_command", profile)
    give_up = time.monotonic() + options.subscribers_within
    while not all(p.get_subscription_count() for p in (images, states, commands)):
        if time.monotonic() > give_up:
            raise SystemExit("recording_load: no recorder subscribed in time")
        rclpy.spin_once(node, timeout_sec=0.05)
    # A connection goes up in each direction for itself: the recorder's answer tells of both.
    greetings = (CompressedImage(), JointState(), HandCommand())
    for publisher, greeting in zip((images, states, commands), greetings, strict=True):
        greeting.header.frame_id = GREETING
        publisher.publish(greeting)
        publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=10))
    pictures = jpegs()
    begin = time.monotonic()
    ticks = round(options.seconds * JOINT_HZ)
    sent_images = 0
    for tick in range(ticks):
        due = begin + tick / JOINT_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        now = node.get_clock().now()
        stamp = now.to_msg()
        lead_ns = round(COMMAND_LEAD_S * 1e9)
        here, ahead = motion(np.array([now.nanoseconds, now.nanoseconds + lead_ns]))[0]
        state = JointState(name=JOINTS, position=here.tolist())
        state.header.stamp, state.header.frame_id = stamp, str(tick)
        states.publish(state)
        command = HandCommand(
            names=JOINTS, positions=ahead.tolist(), velocities=[0.0] * len(JOINTS)
        )
        command.header.stamp, command.header.frame_id = stamp, str(tick)
        commands.publish(command)
        if tick * CAMERA_HZ // JOINT_HZ >= sent_images:
            image = CompressedImage(format="jpeg")
            image.data = pictures[sent_images % len(pictures)]
            image.header.stamp, image.header.frame_id = stamp, str(sent_images)
            images.publish(image)
            sent_images += 1
    # Reliable messages still on their way need this process to be resent.
    for publisher in (images, states, commands):
        publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=10))
    print(f"{sent_images} {ticks} {ticks}", flush=True)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
