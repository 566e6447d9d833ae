"""Messages as a stranger's node may send them: of the right type, with anything in them."""

from __future__ import annotations

import array
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from benchmarks.fuzz_mutations import damaged_bytes
from benchmarks.fuzz_run import Attempt
from rejshand_msgs.msg import FingertipError, HandCommand, HandPose, JointTarget, TeleopState
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.conversions import camera_from_message, hand_from_message, pose_from_message
from rejshand_ros.nodes.images import raw_message, to_bgr
from rejshand_ros.nodes.joint_conversions import (
    command_from_message,
    positions_from_form,
    target_from_message,
)
from rejshand_ros.nodes.serialised import (
    hand_from_cdr,
    hand_to_cdr,
    image_from_cdr,
    image_to_cdr,
    mesh_from_cdr,
    mesh_to_cdr,
)
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

_JOINTS = ("joint_0", "joint_1")
_ENCODINGS = (
    "bgr8", "rgb8", "bgra8", "rgba8", "mono8", "8UC1", "8UC3", "bayer_rggb8", "mono16", "32FC1", "",
    "yuv422", "\x01",
)  # fmt: skip
_ODD_NUMBERS = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1e-30, 3e38)
_TEXTS = ("", "x", "left", "right", "joint_0", "joint_1", "\u00e9\u4e2d", "plumb_bob", "a" * 300)


class _Maker:
    """Makes the parts of messages; the same number gives the same ones."""

    def __init__(self, number: int) -> None:
        self.rng = random.Random(number)
        # Of many numbers, mostly none or a single one is odd: harder to see than all of them.
        self._odd = self.rng.choice((0.0, 0.0, 0.02, 0.5))

    def number(self) -> float:
        odd = self.rng.random() < self._odd
        return self.rng.choice(_ODD_NUMBERS) if odd else self.rng.uniform(-2.0, 2.0)

    def single(self) -> float:
        """What a float32 holds."""
        value = self.number()
        return value if not math.isfinite(value) or abs(value) < 3.3e38 else 3.3e38

    def size(self, usual: int) -> int:
        return usual if self.rng.random() < 0.8 else self.rng.randrange(3 * usual + 2)

    def numbers(self, usual: int) -> list[float]:
        return [self.number() for _ in range(self.size(usual))]

    def text(self) -> str:
        return self.rng.choice(_TEXTS)

    def side(self) -> str:
        return self.rng.choice(("left", "right", "right", self.text()))

    def names(self) -> list[str]:
        if self.rng.random() < 0.7:
            return list(_JOINTS)
        return [self.text() for _ in range(self.size(2))]

    def byte(self, usual: int) -> int:
        return self.rng.randrange(usual if self.rng.random() < 0.8 else 256)

    def point(self) -> Point:
        return Point(x=self.number(), y=self.number(), z=self.number())

    def pose(self) -> Pose:
        x, y, z, w = (self.number() for _ in range(4))
        return Pose(position=self.point(), orientation=Quaternion(x=x, y=y, z=z, w=w))

    def hand(self) -> HandPose:
        return HandPose(
            side=self.side(),
            state=self.byte(3),
            score=self.single(),
            keypoints_2d=[self.single() for _ in range(self.size(42))],
            keypoints_3d=[self.point() for _ in range(self.size(21))],
            wrist=self.pose(),
            hand_length=self.single(),
        )

    def target(self) -> JointTarget:
        return JointTarget(
            hand=self.text(),
            side=self.side(),
            names=self.names(),
            positions=self.numbers(2),
            outcome=self.byte(5),
            reason=self.text(),
            solve_time=self.single(),
            fingertip_errors=[
                FingertipError(finger=self.text(), error=self.single()) for _ in range(self.size(4))
            ],
            active_limits=[self.text() for _ in range(self.size(1))],
        )

    def command(self) -> HandCommand:
        return HandCommand(
            state=TeleopState(state=self.byte(5), name=self.text(), reason=self.text()),
            names=self.names(),
            positions=self.numbers(2),
            velocities=self.numbers(2),
        )

    def camera(self) -> CameraInfo:
        big = self.rng.choice((0, 1, 640, 480, 2**32 - 1))
        return CameraInfo(
            width=big,
            height=self.rng.choice((0, 480, big)),
            distortion_model=self.text(),
            d=self.numbers(5),
            k=[self.number() for _ in range(9)],
        )

    def joint_state(self) -> JointState:
        return JointState(name=self.names(), position=self.numbers(2))

    def multi_array(self) -> Float64MultiArray:
        return Float64MultiArray(data=self.numbers(2))

    def trajectory(self) -> JointTrajectory:
        points = [JointTrajectoryPoint(positions=self.numbers(2)) for _ in range(self.size(1))]
        return JointTrajectory(joint_names=self.names(), points=points)

    def raw_image(self) -> Image:
        """With sizes that fit its bytes, or with any."""
        height, width = self.rng.randrange(41), self.rng.randrange(41)
        step = width * self.rng.randrange(1, 5) + self.rng.choice((0, 0, 3))
        message = Image(height=height, width=width, step=step, is_bigendian=self.byte(2))
        message.encoding = self.rng.choice(_ENCODINGS)
        message.data = array.array("B", self.rng.randbytes(height * step))
        if self.rng.random() < 0.4:
            field = self.rng.choice(("height", "width", "step"))
            setattr(message, field, self.rng.choice((0, 1, 39, 2**31, 2**32 - 1)))
        return message


def messages(folder: Path) -> Attempt:
    """Hands, targets, commands, cameras, poses and joint commands with anything in their fields."""
    del folder
    makers: tuple[tuple[Callable[[_Maker], Any], Callable[[Any], Any]], ...] = (
        (_Maker.hand, hand_from_message),
        (_Maker.target, target_from_message),
        (_Maker.command, command_from_message),
        (_Maker.camera, camera_from_message),
        (_Maker.pose, pose_from_message),
        (_Maker.joint_state, lambda message: positions_from_form(message, _JOINTS)),
        (_Maker.multi_array, lambda message: positions_from_form(message, _JOINTS)),
        (_Maker.trajectory, lambda message: positions_from_form(message, _JOINTS)),
    )

    def attempt(number: int) -> None:
        make, read = makers[number % len(makers)]
        read(make(_Maker(number)))

    return attempt


def images(folder: Path) -> Attempt:
    """Raw images of any size, step and encoding; compressed ones that are damaged."""
    del folder
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    forms = (".jpg", ".png", ".jpg", ".png", ".webp", ".tiff", ".bmp")
    pictures = [cv2.imencode(form, picture)[1].tobytes() for form in forms]

    def attempt(number: int) -> None:
        which, rest = number % (2 * len(pictures)), number // (2 * len(pictures))
        if which >= len(pictures):
            to_bgr(_Maker(rest).raw_image())
            return
        data = damaged_bytes(pictures[which], rest)
        to_bgr(CompressedImage(format="jpeg", data=array.array("B", data)))

    return attempt


def serialised(folder: Path) -> Attempt:
    """Damaged bytes to what reads messages without `rclpy`."""
    del folder
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    swapped = raw_message(picture)
    swapped.encoding = "rgb8"
    hand = TrackedHand(
        7, Side.RIGHT, TrackState.TRACKING, 1.0, np.zeros((21, 2)), np.zeros((21, 3)),
        np.zeros((778, 3)), RigidTransform(), 0.19, False,
    )  # fmt: skip
    wholes: tuple[tuple[Callable[[bytes], object], bytes], ...] = (
        (image_from_cdr, image_to_cdr(picture, 7, "camera")),
        (image_from_cdr, bytes(serialize_message(swapped))),
        (hand_from_cdr, hand_to_cdr(hand, "camera")),
        (mesh_from_cdr, mesh_to_cdr(hand, "camera")),
    )

    def attempt(number: int) -> None:
        read, whole = wholes[number % len(wholes)]
        read(damaged_bytes(whole, number // len(wholes)))

    return attempt
