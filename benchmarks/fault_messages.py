"""A stranger on the chain's topics: floods them, and sends messages that nobody should send.

A process of its own, told what to do line by line on its standard input: ``malformed TOPIC`` or
``flood TOPIC SECONDS``; it answers each with the number of messages sent. The hash of everything
it sends goes to a file, so that a recording of it is not taken for a damaged message of ours.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState, Joy

from rejshand_msgs.msg import HandPose, JointTarget
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.images import jpeg_message
from rejshand_ros.retargeting.robot_hand import load_robot_hand

NAN, INF = float("nan"), float("inf")
KINDS: dict[str, type[Any]] = {
    "image_raw/compressed": CompressedImage,
    "camera_info": CameraInfo,
    "right/hand_pose": HandPose,
    "right/joint_target": JointTarget,
    "right/joint_states": JointState,
    "right/joint_command": JointState,
    "right/joy": Joy,
}
"""Topics that the stranger knows."""
_FLOOD_HZ = {"image_raw/compressed": 300.0}
_OTHER_FLOOD_HZ = 2000.0
_FIELDS: dict[str, dict[str, list[Any]]] = {
    "image_raw/compressed": {
        "data": [[], [0xFF], list(range(256)), [0xFF, 0xD8, 0xFF, 0xE0, 0, 16]],
        "format": ["", "png", "no such format"],
    },
    "camera_info": {
        "width": [0, 1, 4_000_000_000],
        "height": [0, 1],
        "k": [[0.0] * 9, [NAN] * 9, [-1.0] * 9, [INF] * 9],
        "d": [[NAN] * 5, [1e300] * 5, [0.1], [0.0] * 500],
        "distortion_model": ["", "no such model"],
    },
    "right/hand_pose": {
        "side": ["left", "", "middle"],
        "state": [0, 2, 77],
        "score": [NAN, -1.0, 1e30],
        "keypoints_2d": [[], [NAN] * 42, [1.0] * 41],
        "keypoints_3d": [[]],
        "hand_length": [NAN, 0.0, -1.0, 1e30],
    },
    "right/joint_target": {
        "hand": ["", "claw"],
        "side": ["left", ""],
        "names": [[], ["a"], ["a"] * 16],
        "positions": [[], [NAN] * 16, [INF] * 16, [1e300] * 16, [0.0] * 15, [0.0] * 5000],
        "outcome": [3, 4, 255],
        "solve_time": [NAN],
    },
    "right/joint_states": {
        "name": [[], ["a"] * 16, ["a"]],
        "position": [[], [NAN] * 16, [INF] * 16, [1e300] * 16, [0.0] * 15],
        "velocity": [[NAN]],
    },
    "right/joint_command": {
        "name": [[], ["a"] * 16, ["a"]],
        "position": [[], [NAN] * 16, [INF] * 16, [1e300] * 16, [0.0] * 15],
    },
    "right/joy": {"buttons": [[], [1] * 5000, [-1]], "axes": [[NAN]]},
}
"""Values that a field should never have, by topic."""
_STAMPS = [(0, 0), (-1, 0), (2**31 - 1, 999_999_999), (1, 4_294_967_295), (-(2**31), 7)]


def wholesome(topic: str, picture: np.ndarray) -> Any:
    """A message such as the chain itself sends."""
    robot = load_robot_hand("allegro", Side.RIGHT)
    rest = [float(value) for value in robot.rest]
    if topic == "image_raw/compressed":
        return jpeg_message(picture)
    if topic == "camera_info":
        height, width = picture.shape[:2]
        message = CameraInfo(width=width, height=height, distortion_model="plumb_bob")
        message.k = [500.0, 0.0, width / 2, 0.0, 500.0, height / 2, 0.0, 0.0, 1.0]
        message.d = [0.0] * 5
        return message
    if topic == "right/hand_pose":
        pose = HandPose(side="right", state=HandPose.STATE_TRACKING, score=0.9, hand_length=0.18)
        pose.keypoints_2d = [100.0 + index for index in range(42)]
        return pose
    if topic == "right/joint_target":
        names = list(robot.joint_names)
        return JointTarget(hand="allegro", side="right", names=names, positions=rest)
    if topic == "right/joy":
        return Joy(axes=[0.0, 0.0], buttons=[0, 0])
    return JointState(name=list(robot.joint_names), position=rest)


def malformed(topic: str, picture: np.ndarray, rng: random.Random) -> Iterator[bytes]:
    """Messages with fields, stamps, lengths and bytes that are wrong, serialised."""
    whole = wholesome(topic, picture)
    for sec, nanosec in _STAMPS:
        whole.header.stamp.sec, whole.header.stamp.nanosec = sec, nanosec
        yield serialize_message(whole)
    for field, values in _FIELDS[topic].items():
        for value in values:
            message = wholesome(topic, picture)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(
                time.time_ns(), 1_000_000_000
            )
            setattr(message, field, value)
            yield serialize_message(message)
    data = serialize_message(wholesome(topic, picture))
    # Whole words: the middleware pads others, and their hash would not be found again.
    yield from (
        b"",
        b"\0" * 4,
        data[:4],
        data[: len(data) // 2],
        b"\xff" * 64,
        rng.randbytes(2000),
    )
    for _ in range(12):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 3, 30))):
            damaged[rng.randrange(4, len(damaged))] = rng.randrange(256)
        yield bytes(damaged)


class Stranger:
    """Publishes what it is told to."""

    def __init__(self, node: Node, picture: np.ndarray, seed: int, hashes: Path) -> None:
        """Offer every topic of the chain."""
        self._publishers = {
            topic: node.create_publisher(kind, topic, qos.stream()) for topic, kind in KINDS.items()
        }
        self._picture = picture
        self._rng = random.Random(seed)
        self._hashes = hashes

    def malformed(self, topic: str) -> int:
        """Send each malformed message once, at a pace at which all are looked at."""
        return self._send(topic, self._prepared(topic), lambda number: 0.01 * number)

    def flood(self, topic: str, seconds: float) -> int:
        """Send malformed and wholesome ones as fast as a wild node would."""
        whole = _whole_words(serialize_message(wholesome(topic, self._picture)))
        pool = [*self._prepared(topic), whole]
        self._note(pool)
        rate = _FLOOD_HZ.get(topic, _OTHER_FLOOD_HZ)
        chosen = (self._rng.choice(pool) for _ in range(round(rate * seconds)))
        return self._send(topic, chosen, lambda number: number / rate)

    def _prepared(self, topic: str) -> list[bytes]:
        messages = [_whole_words(d) for d in malformed(topic, self._picture, self._rng)]
        self._note(messages)
        return messages

    def _note(self, messages: list[bytes]) -> None:
        with self._hashes.open("a") as stream:
            stream.writelines(hashlib.sha1(data).hexdigest() + "\n" for data in messages)

    def _send(self, topic: str, messages: Any, due_s: Callable[[int], float]) -> int:
        publisher, began, number = self._publishers[topic], time.monotonic(), 0
        for number, data in enumerate(messages, 1):
            time.sleep(max(0.0, began + due_s(number) - time.monotonic()))
            # Readers that cannot keep up make a writer wait, and in the end refuse: flood on.
            with suppress(RuntimeError):
                publisher.publish(data)
        return number


def _whole_words(data: bytes) -> bytes:
    """As the middleware pads it on its way, so that its hash is found again."""
    return data + bytes(-len(data) % 4)


def main() -> None:
    """Do what the lines of the standard input say."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hashes", type=Path, required=True)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("stranger")
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    stranger = Stranger(node, picture, options.seed, options.hashes)
    print("ready", flush=True)
    for line in sys.stdin:
        what, topic, *rest = line.split()
        sent = (
            stranger.malformed(topic)
            if what == "malformed"
            else stranger.flood(topic, float(rest[0]))
        )
        print(sent, flush=True)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
