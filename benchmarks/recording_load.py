"""A camera and a robot hand that publish numbered messages, for the benchmark of the recorder.

Each message carries its number where a receiver finds it: in the frame id of its header.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, JointState

from rejshand_msgs.msg import HandCommand

CAMERA_HZ = 30
JOINT_HZ = 100
JOINTS = [f"joint_{index}" for index in range(16)]


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
    pictures = jpegs()
    begin = time.monotonic()
    ticks = round(options.seconds * JOINT_HZ)
    sent_images = 0
    for tick in range(ticks):
        due = begin + tick / JOINT_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        stamp = node.get_clock().now().to_msg()
        positions = (0.5 * np.sin(tick / JOINT_HZ + np.arange(len(JOINTS)))).tolist()
        state = JointState(name=JOINTS, position=positions)
        state.header.stamp, state.header.frame_id = stamp, str(tick)
        states.publish(state)
        command = HandCommand(names=JOINTS, positions=positions, velocities=[0.0] * len(JOINTS))
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
