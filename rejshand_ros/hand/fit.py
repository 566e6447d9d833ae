"""Fitting the articulated template to keypoints marked in an image.

Levenberg-Marquardt on many hands at once. A single view leaves the depth of each bone open up to
a flip, and the hand's size open altogether: size comes from the template, flips are settled by a
teacher's rough 3D where there is one, by the joint limits and by a weak prior on the joints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, rotation_between, rotation_from_vector
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.jacobian import skeleton_jacobian
from rejshand_ros.hand.keypoints import BONES, KEYPOINT_COUNT, PARENTS, Side
from rejshand_ros.hand.kinematics import (
    BONE_COUNT,
    DOF_COUNT,
    DOFS,
    HandParameters,
    joint_limits,
    pose_hand,
    pose_skeleton,
)
from rejshand_ros.hand.template import HandTemplate, load_template

_ANGLES = slice(6, 6 + DOF_COUNT)
_SCALES = slice(6 + DOF_COUNT, 6 + DOF_COUNT + BONE_COUNT)
_SIZE = 6 + DOF_COUNT + BONE_COUNT
_CHUNK = 256
_NEAREST_M = 0.05


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
class HandFit:
    """n fitted hands.

    Attributes:
        parameters: Articulation and shape, as right hands.
        rotation: (n, 3, 3) from the right hand's wrist frame to the camera's axes; holds a
            reflection (determinant -1) where the hand is a left one.
        translation: (n, 3) wrist in the camera frame, metres.
        keypoints: (n, 21, 3) camera frame, metres.
        reprojection_error: (n,) mean distance to the marked keypoints, pixels.
        mirrored: (n,) whether the hand is a left one.
    """

    parameters: HandParameters
    rotation: Array
    translation: Array
    keypoints: Array
    reprojection_error: Array
    mirrored: NDArray[np.bool_]

    def vertices(self, template: HandTemplate | None = None) -> Array:
        """Skin (n, 778, 3) in the camera frame, metres."""
        posed = pose_hand(template or load_template(), self.parameters).vertices
        return np.asarray(posed @ np.swapaxes(self.rotation, 1, 2) + self.translation[:, None])


@dataclass(frozen=True)
class _State:
    angles: Array
    log_scales: Array
    rotation: Array
    translation: Array

    def parameters(self) -> HandParameters:
        return HandParameters.of(self.angles, np.exp(self.log_scales))

    def moved(self, step: Array, limits: Array) -> _State:
        return _State(
            np.clip(self.angles + step[:, _ANGLES], limits[:, 0], limits[:, 1]),
            np.clip(self.log_scales + step[:, _SCALES], -0.4, 0.4),
            rotation_from_vector(step[:, :3]) @ self.rotation,
            self.translation + step[:, 3:6],
        )

    def where(self, keep: NDArray[np.bool_], other: _State) -> _State:
        def pick(a: Array, b: Array) -> Array:
            return np.where(keep.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        return _State(
            pick(self.angles, other.angles),
            pick(self.log_scales, other.log_scales),
            pick(self.rotation, other.rotation),
            pick(self.translation, other.translation),
        )


@dataclass(frozen=True)
class _Target:
    """What a chunk of hands is fitted to; rays have z = 1, weights 0 where nothing is known."""

    rays: Array
    ray_weight: Array
    hint: Array
    hint_weight: Array


def fit_hands(
    uv: ArrayLike,
    camera_matrix: ArrayLike,
    *,
    hint: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    mirrored: ArrayLike = False,
    template: HandTemplate | None = None,
    config: FitConfig | None = None,
) -> HandFit:
    """Fit n hands, each seen in one image.

    Args:
        uv: (n, 21, 2) marked keypoints, pixels.
        camera_matrix: (3, 3) or (n, 3, 3) intrinsics without distortion, pixels.
        hint: (n, 21, 3) rough 3D keypoints in camera axes as a teacher gives them for a close-up
            of the hand (any origin and scale), or None.
        confidence: (n, 21) weight of each marked keypoint, 0..1; 1 where left out.
        mirrored: (n,) True for left hands, which are fitted in a mirror.
        template: The hand; the project's own by default.
        config: Trust in the sources.

    Returns:
        The fits in the original camera's axes.

    Raises:
        InputError: Wrong shapes, values that are not finite or a hand without extent.
    """
    template, config = template or load_template(), config or FitConfig()
    pixels = np.asarray(uv, float)
    if pixels.ndim != 3 or pixels.shape[1:] != (KEYPOINT_COUNT, 2):
        raise InputError(f"uv has shape {pixels.shape}; valid: (n, {KEYPOINT_COUNT}, 2)")
    n = len(pixels)
    matrix = np.broadcast_to(np.asarray(camera_matrix, float), (n, 3, 3))
    mirror = np.broadcast_to(np.asarray(mirrored, bool), (n,))
    weight = np.ones((n, KEYPOINT_COUNT)) if confidence is None else np.asarray(confidence, float)
    hints = np.zeros((n, KEYPOINT_COUNT, 3)) if hint is None else np.asarray(hint, float)
    if hints.shape != (n, KEYPOINT_COUNT, 3) or weight.shape != (n, KEYPOINT_COUNT):
        raise InputError(
            f"hint {hints.shape} and confidence {weight.shape} do not fit {n} hands; "
            f"valid: ({n}, {KEYPOINT_COUNT}, 3) and ({n}, {KEYPOINT_COUNT})"
        )
    if not all(np.isfinite(a).all() for a in (pixels, matrix, hints, weight)):
        raise InputError("uv, camera matrix, hint and confidence must be finite")
    side = np.ptp(pixels, axis=1).max(axis=1)
    if n and side.min() <= 0:
        raise InputError("a hand's keypoints all lie on one pixel; nothing can be fitted")
    flip = np.where(mirror[:, None], np.array([-1.0, 1.0, 1.0]), 1.0)
    rays = _rays(pixels, matrix) * flip[:, None]
    focal_share = matrix[:, 0, 0] / (config.pixel_sigma * 1.25 * side)
    parts = []
    for start in range(0, n, _CHUNK):
        at = slice(start, start + _CHUNK)
        parts.append(
            _fit_chunk(
                template,
                config,
                rays[at],
                focal_share[at, None] * np.sqrt(weight[at]),
                None if hint is None else hints[at] * flip[at, None],
            )
        )
    state = _join(parts)
    parameters = state.parameters()
    local = pose_skeleton(template, parameters).keypoints
    rotation = flip[:, :, None] * state.rotation
    translation = flip * state.translation
    keypoints = local @ np.swapaxes(rotation, 1, 2) + translation[:, None]
    projected = keypoints @ np.swapaxes(matrix, 1, 2)
    error = np.linalg.norm(projected[..., :2] / projected[..., 2:] - pixels, axis=-1).mean(axis=-1)
    return HandFit(parameters, rotation, translation, keypoints, error, mirror.copy())


def _rays(pixels: Array, matrix: Array) -> Array:
    ones = np.ones((*pixels.shape[:-1], 1))
    homogeneous = np.concatenate([pixels, ones], axis=-1)
    return np.asarray(homogeneous @ np.swapaxes(np.linalg.inv(matrix), 1, 2))


def _join(parts: list[_State]) -> _State:
    if not parts:
        shapes = ((DOF_COUNT,), (BONE_COUNT,), (3, 3), (3,))
        return _State(*(np.zeros((0, *shape)) for shape in shapes))
    return _State(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("angles", "log_scales", "rotation", "translation")
        )
    )


def _fit_chunk(
    template: HandTemplate, config: FitConfig, rays: Array, ray_weight: Array, hint: Array | None
) -> _State:
    n = len(rays)
    relaxed = np.zeros((n, DOF_COUNT))
    relaxed[:, [dof.kind == "flexion" and dof.finger > 0 for dof in DOFS]] = 0.25
    if hint is None:
        # Four ways to hold the hand to the camera; the best one stays.
        starts = []
        for turn in range(8):
            about_view = rotation_from_vector([0.0, 0.0, np.pi / 2 * (turn % 4)])
            palm = 1.0 if turn < 4 else -1.0
            towards = np.array([[0, -palm, 0], [0, 0, -1], [palm, 0, 0]], float)
            starts.append(about_view @ towards)
        best: _State | None = None
        best_cost = np.full(n, np.inf)
        for rotation in starts:
            pose = template.rest_keypoints @ rotation.T
            rotations = np.repeat(rotation[None], n, axis=0)
            target = _Target(rays, ray_weight, np.zeros((n, KEYPOINT_COUNT, 3)), np.zeros(3))
            first = _State(
                relaxed,
                np.zeros((n, BONE_COUNT)),
                rotations,
                _place(np.repeat(pose[None], n, axis=0), rays),
            )
            state, cost = _solve(
                template, config, target, first, config.start_iterations + config.iterations
            )
            best = state if best is None else state.where(cost < best_cost, best)
            best_cost = np.minimum(cost, best_cost)
        assert best is not None
        return best
    hint = _prepare_hint(template, rays, hint)
    rotations = np.stack([wrist_frame(points, Side.RIGHT).rotation for points in hint])
    state = _State(relaxed, np.zeros((n, BONE_COUNT)), rotations, _place(hint, rays))
    near = np.full(3, 1.0 / config.hint_sigma_m)
    loose = replace(config, bone_sigma=0.25 * config.bone_sigma)
    target = _Target(rays, 0.4 * ray_weight, hint, near)
    state, _ = _solve(template, loose, target, state, config.start_iterations)
    depth_only = np.array([0.0, 0.0, 1.0 / config.depth_sigma_m])
    target = _Target(rays, ray_weight, hint, depth_only)
    return _solve(template, config, target, state, config.iterations)[0]


def _prepare_hint(template: HandTemplate, rays: Array, hint: Array) -> Array:
    """Turn a close-up's 3D to the direction of the hand, and scale it to the template's bones."""
    centre = rays.mean(axis=1)
    turn = np.stack([rotation_between([0, 0, 1.0], ray) for ray in centre])
    turned = hint @ np.swapaxes(turn, 1, 2)
    lengths = np.linalg.norm(turned[:, 1:] - turned[:, PARENTS[1:]], axis=-1)
    rest = template.rest_keypoints
    wanted = np.linalg.norm(rest[1:] - rest[PARENTS[1:]], axis=-1)
    if (lengths.sum(axis=1) <= 0).any():
        raise InputError("a 3D hint has no extent; leave hints out or give finite hands")
    scaled = turned * (wanted.sum() / lengths.sum(axis=1))[:, None, None]
    return np.asarray(scaled - scaled.mean(axis=1, keepdims=True))


def _place(points: Array, rays: Array) -> Array:
    """Where (n, 3) to put the origin so that points (n, 21, 3) project onto the rays (linear)."""
    rows = np.zeros((*rays.shape[:2], 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -rays[..., :2]
    wanted = rays[..., :2] * points[..., 2:] - points[..., :2]
    a, b = rows.reshape(len(rays), -1, 3), wanted.reshape(len(rays), -1, 1)
    at = np.swapaxes(a, 1, 2)
    place = np.linalg.solve(at @ a + 1e-9 * np.eye(3), at @ b)[..., 0]
    place[:, 2] = np.maximum(place[:, 2], _NEAREST_M + 0.1)
    return np.asarray(place)


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
    template: HandTemplate, target: _Target, state: _State, *, jacobian: bool
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
    depth = np.maximum(points[..., 2:], _NEAREST_M)
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


def _solve(
    template: HandTemplate, config: FitConfig, target: _Target, state: _State, iterations: int
) -> tuple[_State, Array]:
    """Levenberg-Marquardt with the joint limits as an active set; returns state and cost (n,)."""
    limits = joint_limits()
    prior, wanted = _prior_rows(config)
    prior_normal = prior.T @ prior

    def prior_error(at: _State) -> Array:
        x = np.zeros((len(at.angles), _SIZE))
        x[:, _ANGLES], x[:, _SCALES] = at.angles, at.log_scales
        return np.asarray(x @ prior.T - wanted)

    def cost_of(at: _State) -> Array:
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
        step = -np.linalg.solve(normal, (gradient * free)[..., None])[..., 0]
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
