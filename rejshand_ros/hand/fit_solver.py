"""The solver behind `hand.fit`: Levenberg-Marquardt on many hands at once, joint limits kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, rotation_from_vector
from rejshand_ros.hand.jacobian import skeleton_jacobian
from rejshand_ros.hand.keypoints import BONES, KEYPOINT_COUNT
from rejshand_ros.hand.kinematics import (
    BONE_COUNT,
    DOF_COUNT,
    DOFS,
    HandParameters,
    joint_limits,
    pose_skeleton,
)
from rejshand_ros.hand.template import HandTemplate

NEAREST_M = 0.05
"""No hand is nearer to the camera than this."""

# The unknowns of one hand: turn 3, shift 3, angles, logarithms of the bones' scales.
_ANGLES = slice(6, 6 + DOF_COUNT)
_SCALES = slice(6 + DOF_COUNT, 6 + DOF_COUNT + BONE_COUNT)
_SIZE = 6 + DOF_COUNT + BONE_COUNT


@dataclass(frozen=True)
class FitConfig:
    """How much each source is trusted.

    Attributes:
        pixel_sigma: Error of the marked keypoints, as a share of the hand's box side.
        hint_sigma_m: Error of the teacher's 3D across each ray's direction while starting, metres.
        depth_sigma_m: Error of the teacher's relative depth in the end, metres.
        bone_sigma: Spread of the logarithm of a bone's scale between people.
        flexion_sigma: Spread of bending about a slightly bent hand, radians.
        abduction_sigma: Spread of abduction and twist, radians.
        coupling_sigma: How closely the last joint follows the middle one, radians.
        start_iterations: Steps with the teacher's whole 3D.
        iterations: Steps with its depth only.
    """

    pixel_sigma: float = 0.012
    hint_sigma_m: float = 0.012
    depth_sigma_m: float = 0.012
    bone_sigma: float = 0.06
    flexion_sigma: float = 0.7
    abduction_sigma: float = 0.30
    coupling_sigma: float = 0.35
    start_iterations: int = 15
    iterations: int = 25

    def __post_init__(self) -> None:
        for name in (n for n in self.__dataclass_fields__ if "sigma" in n):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be positive")
        if min(self.start_iterations, self.iterations) < 0:
            raise InputError("iterations must not be negative")


@dataclass(frozen=True)
class FitState:
    """The unknowns of n hands: angles (n, 22), log bone scales (n, 20), pose in the camera."""

    angles: Array
    log_scales: Array
    rotation: Array
    translation: Array

    def parameters(self) -> HandParameters:
        """The hands without their pose."""
        return HandParameters.of(self.angles, np.exp(self.log_scales))

    def moved(self, step: Array, limits: Array) -> FitState:
        """One step (n, 48) on, stopped at the limits (22, 2)."""
        return FitState(
            np.clip(self.angles + step[:, _ANGLES], limits[:, 0], limits[:, 1]),
            np.clip(self.log_scales + step[:, _SCALES], -0.4, 0.4),
            rotation_from_vector(step[:, :3]) @ self.rotation,
            self.translation + step[:, 3:6],
        )

    def where(self, keep: NDArray[np.bool_], other: FitState) -> FitState:
        """These hands where `keep` (n,), the other ones elsewhere."""

        def pick(a: Array, b: Array) -> Array:
            return np.where(keep.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        return FitState(
            pick(self.angles, other.angles),
            pick(self.log_scales, other.log_scales),
            pick(self.rotation, other.rotation),
            pick(self.translation, other.translation),
        )


@dataclass(frozen=True)
class FitTarget:
    """What n hands are fitted to.

    Attributes:
        rays: (n, 21, 3) directions with z = 1.
        ray_weight: (n, 21) inverse of each ray's error, 0 where nothing is known.
        hint: (n, 21, 3) rough keypoints about their mean, camera axes, metres.
        hint_weight: (3,) inverse of the hint's error along each axis, 1/m.
    """

    rays: Array
    ray_weight: Array
    hint: Array
    hint_weight: Array


def _prior_rows(config: FitConfig) -> tuple[Array, Array]:
    """Linear residuals A (r, 48) x - b (r,) of the prior on angles and bone scales."""
    rows, wanted = [], []
    for number, dof in enumerate(DOFS):
        row = np.zeros(_SIZE)
        sigma = config.flexion_sigma if dof.kind == "flexion" else config.abduction_sigma
        row[_ANGLES.start + number] = 1.0 / sigma
        rows.append(row)
        wanted.append((0.1 if dof.kind == "flexion" and dof.finger > 0 else 0.0) / sigma)
        if dof.name.endswith("dip_flexion"):
            # The two last joints share a tendon: DIP bends about two thirds as far as PIP.
            row = np.zeros(_SIZE)
            row[_ANGLES.start + number] = 1.0 / config.coupling_sigma
            row[_ANGLES.start + number - 1] = -0.65 / config.coupling_sigma
            rows.append(row)
            wanted.append(0.0)
    for bone in range(len(BONES)):
        row = np.zeros(_SIZE)
        row[_SCALES.start + bone] = 1.0 / config.bone_sigma
        rows.append(row)
        wanted.append(0.0)
    # Bone by bone people differ, hand by hand one view says nothing of size: hold it at one.
    row = np.zeros(_SIZE)
    row[_SCALES] = 1.0 / (0.02 * BONE_COUNT)
    return np.array([*rows, row]), np.array([*wanted, 0.0])


def _residuals(
    template: HandTemplate, target: FitTarget, state: FitState, *, jacobian: bool
) -> tuple[Array, Array | None]:
    """Weighted residuals (n, 105) of rays and hints, and their Jacobian (n, 105, 48)."""
    n = len(state.angles)
    if jacobian:
        derivative = skeleton_jacobian(template, state.parameters())
        local = derivative.skeleton.keypoints
    else:
        local = pose_skeleton(template, state.parameters()).keypoints
    turned = local @ np.swapaxes(state.rotation, 1, 2)
    points = turned + state.translation[:, None]
    depth = np.maximum(points[..., 2:], NEAREST_M)
    weight = target.ray_weight[..., None]
    ray_error = weight * (points[..., :2] / depth - target.rays[..., :2])
    hint_error = target.hint_weight * (turned - turned.mean(axis=1, keepdims=True) - target.hint)
    values = np.concatenate([ray_error.reshape(n, -1), hint_error.reshape(n, -1)], axis=1)
    if not jacobian:
        return values, None
    by_point = np.zeros((n, KEYPOINT_COUNT, 3, _SIZE))
    x, y, z = np.moveaxis(turned, -1, 0)
    zero = np.zeros_like(x)
    by_point[..., :3] = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).reshape(n, -1, 3, 3)
    by_point[..., _ANGLES] = state.rotation[:, None] @ derivative.by_angles
    by_point[..., _SCALES] = state.rotation[:, None] @ derivative.by_log_scales
    of_hint = by_point - by_point.mean(axis=1, keepdims=True)
    by_point[..., 3:6] = np.eye(3)
    projected = points[..., :2] / depth
    of_ray = (by_point[..., :2, :] - projected[..., None] * by_point[..., 2:, :]) / depth[..., None]
    rows = np.concatenate(
        [
            (weight[..., None] * of_ray).reshape(n, -1, _SIZE),
            (target.hint_weight[:, None] * of_hint).reshape(n, -1, _SIZE),
        ],
        axis=1,
    )
    return values, rows


def _robust(values: Array) -> tuple[Array, Array]:
    """Cost (n,) and weights (n, 105): pseudo-Huber per keypoint, so that outliers pull little."""
    n = len(values)
    split = 2 * KEYPOINT_COUNT
    rays = np.sum(values[:, :split].reshape(n, -1, 2) ** 2, axis=-1)
    hints = np.sum(values[:, split:].reshape(n, -1, 3) ** 2, axis=-1)
    width = 4.0
    ray_root, hint_root = np.sqrt(1 + rays / width), np.sqrt(1 + hints / width)
    cost = 2 * width * ((ray_root - 1).sum(axis=1) + (hint_root - 1).sum(axis=1))
    of_rays, of_hints = np.repeat(1 / ray_root, 2, axis=1), np.repeat(1 / hint_root, 3, axis=1)
    return cost, np.concatenate([of_rays, of_hints], axis=1)


def solve(
    template: HandTemplate, config: FitConfig, target: FitTarget, state: FitState, iterations: int
) -> tuple[FitState, Array]:
    """Levenberg-Marquardt with the joint limits as an active set; returns state and cost (n,)."""
    limits = joint_limits()
    prior, wanted = _prior_rows(config)
    prior_normal = prior.T @ prior

    def prior_error(at: FitState) -> Array:
        x = np.zeros((len(at.angles), _SIZE))
        x[:, _ANGLES], x[:, _SCALES] = at.angles, at.log_scales
        return np.asarray(x @ prior.T - wanted)

    def cost_of(at: FitState) -> Array:
        values, _ = _residuals(template, target, at, jacobian=False)
        return np.asarray(_robust(values)[0] + np.sum(prior_error(at) ** 2, axis=1))

    damping = np.full(len(state.angles), 1e-2)
    cost = cost_of(state)
    diagonal = np.arange(_SIZE)
    for _ in range(iterations):
        values, rows = _residuals(template, target, state, jacobian=True)
        assert rows is not None
        _, weights = _robust(values)
        transposed = np.swapaxes(rows * weights[..., None], 1, 2)
        normal = transposed @ rows + prior_normal
        gradient = (transposed @ values[..., None])[..., 0] + prior_error(state) @ prior
        angle_gradient = gradient[:, _ANGLES]
        stuck = ((state.angles <= limits[:, 0]) & (angle_gradient > 0)) | (
            (state.angles >= limits[:, 1]) & (angle_gradient < 0)
        )
        fixed = np.zeros((len(cost), _SIZE), bool)
        fixed[:, _ANGLES] = stuck
        free = ~fixed
        normal *= free[:, :, None] & free[:, None, :]
        normal[:, diagonal, diagonal] *= 1 + damping[:, None]
        normal[:, diagonal, diagonal] += np.where(fixed, 1.0, 1e-9)
        step = np.asarray(-np.linalg.solve(normal, (gradient * free)[..., None])[..., 0], float)
        # No step turns the hand by more than about 30 degrees: linearisation ends there.
        longest = np.maximum(np.abs(step[:, :3]).max(axis=1), np.abs(step[:, _ANGLES]).max(axis=1))
        step *= np.minimum(1.0, 0.5 / np.maximum(longest, 1e-12))[:, None]
        trial = state.moved(step, limits)
        trial_cost = cost_of(trial)
        better = trial_cost < cost
        state = trial.where(better, state)
        cost = np.where(better, trial_cost, cost)
        damping = np.clip(np.where(better, damping * 0.3, damping * 5.0), 1e-6, 1e6)
    return state, cost
