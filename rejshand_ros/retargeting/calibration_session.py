"""Measuring an open hand for some seconds, and fitting it to a robot hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import Side, finger_keypoints
from rejshand_ros.retargeting.calibration import Calibration, FingerFit, check_person
from rejshand_ros.retargeting.robot_model import RobotModel

DURATION_S = 5.0
_NANO = 1e-9
# A finger whose tip is this share of its bones' length away from its base counts as straight.
_STRAIGHT = 0.9
_LEAST_FRAMES = 15
_STEADY_M = 0.004
_SKIN_REACH_M = 0.015
_SAME_PLACE_M = 1e-3


class CalibrationSession:
    """Watches an open hand and ends in a `Calibration`.

    Bones are measured in every frame and their medians taken, so that a few bad frames weigh
    nothing. A finger ends at its skin as soon as some frames bring the hand's mesh.
    """

    def __init__(self, model: RobotModel, duration_s: float = DURATION_S) -> None:
        """Begin with the next frame.

        Args:
            model: The robot hand to fit to.
            duration_s: How long to watch, seconds.

        Raises:
            InputError: No positive duration.
        """
        if not 0 < duration_s < 600:
            raise InputError(f"duration {duration_s} s; valid: above 0, up to 600")
        self._model = model
        self._duration_s = duration_s
        self._side = Side(model.config.side)
        self._fingers = tuple(model.config.fingers)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._seen = 0
        self._lengths: list[Array] = []
        self._flesh: list[Array] = []
        self._bases: list[Array] = []

    @property
    def progress(self) -> float:
        """Share 0..1 of the time that is over."""
        if self._first_ns is None:
            return 0.0
        return min((self._last_ns - self._first_ns) * _NANO / self._duration_s, 1.0)

    def add(self, keypoints: ArrayLike, stamp_ns: int, vertices: ArrayLike | None = None) -> bool:
        """Take in a frame.

        Args:
            keypoints: (21, 3) metres, any fixed axes.
            stamp_ns: Capture time, nanoseconds.
            vertices: (778, 3) of the hand's mesh, metres, in the same axes, or None.

        Returns:
            Whether the time is over.

        Raises:
            InputError: The keypoints are no hand, or the vertices no mesh.
        """
        points = np.asarray(keypoints, float)
        if vertices is not None and not np.isfinite(vertices).all():
            raise InputError("vertices are not finite")
        frame = wrist_frame(points, self._side)
        if not np.isfinite(points).all():
            raise InputError("keypoints are not finite")
        if self._first_ns is None:
            self._first_ns = stamp_ns
        self._last_ns = max(self._last_ns, stamp_ns)
        self._seen += 1
        local = frame.inverse().apply(points)
        skin = None if vertices is None else frame.inverse().apply(vertices)
        chains = np.array([local[list(finger_keypoints(finger))] for finger in self._fingers])
        bones = np.linalg.norm(np.diff(chains, axis=1), axis=2)
        reach = np.linalg.norm(chains[:, -1] - chains[:, 0], axis=1)
        if (reach >= _STRAIGHT * bones.sum(1)).all():
            self._lengths.append(bones.sum(1))
            self._bases.append(chains[:, 0])
            if skin is not None:
                self._flesh.append(np.array([_flesh(chain, skin) for chain in chains]))
        return self.progress >= 1.0

    def finish(self, person: str) -> Calibration:
        """The person's fit.

        Raises:
            InputError: The name cannot be used, or too few frames showed an open hand.
        """
        check_person(person)
        if len(self._lengths) < _LEAST_FRAMES:
            raise InputError(
                f"{len(self._lengths)} of {self._seen} frames showed an open hand; "
                f"{_LEAST_FRAMES} are needed: spread the fingers and keep them straight"
            )
        lengths, bases = np.array(self._lengths), np.array(self._bases)
        length, base = np.median(lengths, axis=0), np.median(bases, axis=0)
        spread = np.median(np.abs(lengths - length), axis=0).mean()
        if self._flesh:
            length = length + np.median(self._flesh, axis=0)
        quality = len(lengths) / self._seen * float(np.exp(-spread / _STEADY_M))
        fingers = {}
        for k, finger in enumerate(self._fingers):
            robot_base, robot_length = robot_finger(self._model, finger)
            scale = float(robot_length / length[k])
            offset = robot_base - scale * base[k]
            fingers[finger] = FingerFit(float(length[k]), scale, offset)
        robot = self._model.config
        return Calibration(person, robot.hand, self._side, quality, fingers)


def finger_base(places: Array) -> Array:
    """Where a robot finger begins (3,), from its joints' places (k, 3) down the chain.

    It begins at the third last place (several joints may share one), as a human finger does at
    its third last joint.
    """
    return _distinct(places)[0]


def robot_finger(model: RobotModel, finger: str) -> tuple[Array, float]:
    """Base (3,) of a robot finger in the operator frame, hand at rest, and its length, metres."""
    robot = model.config
    poses = model.link_poses(robot.rest)
    frame = (poses[robot.operator_link] @ robot.operator_link_from_frame).inverse()
    tip = robot.fingers[finger].tip_link
    chain = np.array([*_distinct(model.joint_places(robot.rest, tip)), poses[tip].translation])
    length = float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())
    return frame.apply(chain[0]), length


def _distinct(places: Array) -> list[Array]:
    found: list[Array] = []
    for place in places:
        if not found or np.linalg.norm(place - found[-1]) > _SAME_PLACE_M:
            found.append(place)
    return found[-3:]


def _flesh(chain: Array, skin: Array) -> float:
    """How far the skin (778, 3) reaches beyond a finger's last keypoint along its last bone."""
    bone = chain[-1] - chain[-2]
    offsets = skin - chain[-1]
    near = np.linalg.norm(offsets, axis=1) < _SKIN_REACH_M
    if not near.any():
        return 0.0
    return max(float((offsets[near] @ bone).max() / np.linalg.norm(bone)), 0.0)
