"""Human motions to retarget: the recorded one, noisy and holed, and a script of pinches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import FINGERS, finger_keypoints
from rejshand_ros.hand.kinematics import HandParameters, joint_limits, pose_skeleton
from rejshand_ros.hand.template import load_template

RATE_HZ = 30.0
PERIOD_NS = round(1e9 / RATE_HZ)
_RECORDED = Path(__file__).parents[1] / "../shared/data/hand_video/dex_retargeting_keypoints.npy"
_SKIN_M = 0.008
"""Distance of two fingertip keypoints whose skins touch."""
_CLOSE_S, _HOLD_S = 0.6, 0.4


def recorded() -> Array:
    """The recorded right hand (621, 21, 3), metres, operator frame.

    Raises:
        ModelFileError: The recording is not there.
    """
    if not _RECORDED.is_file():
        raise ModelFileError(f"the recorded motion {_RECORDED} is missing")
    return np.asarray(np.load(_RECORDED), float)


def noisy(motion: Array, sigma_m: float, seed: int = 0) -> Array:
    """The motion with noise of a standard deviation a coordinate; the wrist stays the origin."""
    noise = np.random.default_rng(seed).normal(scale=sigma_m, size=motion.shape)
    noise[:, 0] = 0
    return motion + noise


def dropouts(count: int, share: float = 0.15, seed: int = 0) -> Array:
    """Frames (count,) that are lost, in bursts of one to ten."""
    rng = np.random.default_rng(seed)
    lost = np.zeros(count, bool)
    while lost.mean() < share:
        begin = int(rng.integers(10, count - 10))
        lost[begin : begin + int(rng.integers(1, 11))] = True
    return lost


def pinch_angles(finger: str) -> Array:
    """Joint angles (22,) of a hand whose thumb and finger touch at their tips.

    Found by damped least squares on the anatomical model, within its limits.
    """
    template = load_template()
    limits = joint_limits()
    thumb, tip = finger_keypoints("thumb")[-1], finger_keypoints(finger)[-1]
    # Begin half bent: from the flat hand the way to a pinch is not straight.
    angles = np.clip(np.full(len(limits), 0.35), *limits.T)

    def gap(batch: Array) -> Array:
        keypoints = pose_skeleton(template, HandParameters.of(batch)).keypoints
        return np.asarray(keypoints[:, tip] - keypoints[:, thumb])

    for _ in range(200):
        offset = gap(angles[None])[0]
        distance = float(np.linalg.norm(offset))
        error = offset * (1.0 - _SKIN_M / max(distance, 1e-6))
        steps = angles + 1e-5 * np.eye(len(angles))
        jacobian = (gap(steps) - offset).T / 1e-5
        move = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-4 * np.eye(3), error)
        angles = np.clip(angles - 0.3 * move, *limits.T)
    return angles


def scripted_pinches(fingers: tuple[str, ...] = FINGERS[1:]) -> tuple[Array, list[str]]:
    """A hand that closes and opens each finger against the thumb.

    Returns:
        Keypoints (n, 21, 3), metres, operator frame, and the finger whose turn it is in each.
    """
    template = load_template()
    close, hold = round(_CLOSE_S * RATE_HZ), round(_HOLD_S * RATE_HZ)
    ease = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, close))
    shares = np.concatenate([np.zeros(hold), ease, np.ones(hold), ease[::-1]])
    motion, turns = [], []
    for finger in fingers:
        goal = pinch_angles(finger)
        angles = shares[:, None] * goal
        motion.append(pose_skeleton(template, HandParameters.of(angles)).keypoints)
        turns += [finger] * len(shares)
    return np.concatenate(motion), turns
