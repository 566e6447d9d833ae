"""The simulated hand's base led by the operator's wrist, clutched so that it never jumps."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import RigidTransform, rotation_from_vector, rotation_vector

WORLD_FROM_CAMERA = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""The operator faces camera and robot: towards the camera is forward (x), up stays up (z)."""


@dataclass(frozen=True)
class FollowerConfig:
    """How a base follows a wrist.

    Attributes:
        scale: Metres of the base for a metre of the wrist.
        speed_m_s: The base moves no faster.
        turn_rad_s: Nor turns faster.
        hold_after_s: A wrist pose that came longer ago is not followed.
        max_capture_age_s: Nor is one whose image was older than this when it came.
    """

    scale: float = 1.0
    speed_m_s: float = 0.5
    turn_rad_s: float = 2.0
    hold_after_s: float = 0.1
    max_capture_age_s: float = 0.5

    def __post_init__(self) -> None:
        for label in (setting.name for setting in fields(self)):
            if not 0 < getattr(self, label) < float("inf"):
                raise ConfigError(f"{label} {getattr(self, label)} must be finite and above zero")


class BaseFollower:
    """Moves a base as far as the wrist has moved since the operator took hold of it.

    Each time the operator takes hold, wrist and base are where they are: only what the wrist does
    afterwards moves the base, so that engaging again never jumps.
    """

    def __init__(
        self, world_from_base: RigidTransform, config: FollowerConfig | None = None
    ) -> None:
        self._config = config or FollowerConfig()
        self._base = world_from_base
        self._wrist: RigidTransform | None = None
        self._wrist_ns = 0
        self._start: tuple[RigidTransform, RigidTransform] | None = None
        self._last_ns: int | None = None

    def reset(self, world_from_base: RigidTransform) -> None:
        """Put the base elsewhere; the operator has to take hold anew."""
        self._base, self._start = world_from_base, None

    def on_wrist(
        self, camera_from_wrist: RigidTransform, now_ns: int, captured_ns: int | None = None
    ) -> None:
        """Take a pose of the operator's wrist.

        One that is not finite (no hand), or of an old image, is passed over.

        Args:
            camera_from_wrist: The pose.
            now_ns: Time of its arrival.
            captured_ns: Capture stamp of the image behind it; None where it is not known.
        """
        values = np.append(camera_from_wrist.rotation, camera_from_wrist.translation)
        age_s = 0.0 if captured_ns is None else (now_ns - captured_ns) * 1e-9
        if np.all(np.isfinite(values)) and age_s <= self._config.max_capture_age_s:
            self._wrist, self._wrist_ns = camera_from_wrist, now_ns

    def update(self, following: bool, now_ns: int) -> RigidTransform:
        """Where the base shall be now.

        Args:
            following: Whether the operator has hold of the hand (it ramps or tracks).
            now_ns: Time.
        """
        period_s = 0.0 if self._last_ns is None else (now_ns - self._last_ns) * 1e-9
        self._last_ns = now_ns
        age_s = (now_ns - self._wrist_ns) * 1e-9
        fresh = self._wrist is not None and 0.0 <= age_s <= self._config.hold_after_s
        if not following or not fresh or self._wrist is None:
            self._start = None
            return self._base
        if self._start is None:
            self._start = (self._wrist, self._base)
        wrist, base = self._start
        moved = WORLD_FROM_CAMERA @ (self._wrist.translation - wrist.translation)
        turned = WORLD_FROM_CAMERA @ self._wrist.rotation @ wrist.rotation.T @ WORLD_FROM_CAMERA.T
        goal = RigidTransform(turned @ base.rotation, base.translation + self._config.scale * moved)
        # A pause is no licence to catch up in one go.
        self._base = self._towards(goal, float(np.clip(period_s, 0.0, 0.05)))
        return self._base

    def _towards(self, goal: RigidTransform, period_s: float) -> RigidTransform:
        """As far towards the goal as speed and turn allow in this period."""
        step = goal.translation - self._base.translation
        length = float(np.linalg.norm(step))
        longest = self._config.speed_m_s * period_s
        if length > longest:
            step = step * (longest / length)
        vector = rotation_vector(goal.rotation @ self._base.rotation.T)
        angle = float(np.linalg.norm(vector))
        widest = self._config.turn_rad_s * period_s
        if angle > widest:
            vector = vector * (widest / angle)
        return RigidTransform(
            rotation_from_vector(vector) @ self._base.rotation, self._base.translation + step
        )
