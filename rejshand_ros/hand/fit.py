"""Fitting the articulated template to keypoints marked in an image.

A single view leaves the depth of each bone open up to a flip, and the hand's size open
altogether: size comes from the template, flips are settled by a teacher's rough 3D where there is
one, by the joint limits and by a weak prior on the joints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, rotation_between, rotation_from_vector
from rejshand_ros.hand.fit_solver import NEAREST_M, FitConfig, FitState, FitTarget, solve
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, PARENTS, Side
from rejshand_ros.hand.kinematics import (
    BONE_COUNT,
    DOF_COUNT,
    DOFS,
    HandParameters,
    pose_hand,
    pose_skeleton,
)
from rejshand_ros.hand.template import HandTemplate, load_template

__all__ = ["FitConfig", "HandFit", "fit_hands"]

_CHUNK = 256


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


def _join(parts: list[FitState]) -> FitState:
    if not parts:
        shapes = ((DOF_COUNT,), (BONE_COUNT,), (3, 3), (3,))
        return FitState(*(np.zeros((0, *shape)) for shape in shapes))
    return FitState(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("angles", "log_scales", "rotation", "translation")
        )
    )


def _fit_chunk(
    template: HandTemplate, config: FitConfig, rays: Array, ray_weight: Array, hint: Array | None
) -> FitState:
    n = len(rays)
    relaxed = np.zeros((n, DOF_COUNT))
    relaxed[:, [dof.kind == "flexion" and dof.finger > 0 for dof in DOFS]] = 0.25
    if hint is None:
        # Eight ways to hold the hand to the camera: palm or back, four directions. The best stays.
        starts = []
        for turn in range(8):
            about_view = rotation_from_vector([0.0, 0.0, np.pi / 2 * (turn % 4)])
            palm = 1.0 if turn < 4 else -1.0
            towards = np.array([[0, -palm, 0], [0, 0, -1], [palm, 0, 0]], float)
            starts.append(about_view @ towards)
        best: FitState | None = None
        best_cost = np.full(n, np.inf)
        for rotation in starts:
            pose = template.rest_keypoints @ rotation.T
            rotations = np.repeat(rotation[None], n, axis=0)
            target = FitTarget(rays, ray_weight, np.zeros((n, KEYPOINT_COUNT, 3)), np.zeros(3))
            first = FitState(
                relaxed,
                np.zeros((n, BONE_COUNT)),
                rotations,
                _place(np.repeat(pose[None], n, axis=0), rays),
            )
            state, cost = solve(
                template, config, target, first, config.start_iterations + config.iterations
            )
            best = state if best is None else state.where(cost < best_cost, best)
            best_cost = np.minimum(cost, best_cost)
        assert best is not None
        return best
    hint = _prepare_hint(template, rays, hint)
    rotations = np.stack([wrist_frame(points, Side.RIGHT).rotation for points in hint])
    state = FitState(relaxed, np.zeros((n, BONE_COUNT)), rotations, _place(hint, rays))
    near = np.full(3, 1.0 / config.hint_sigma_m)
    loose = replace(config, bone_sigma=0.25 * config.bone_sigma)
    target = FitTarget(rays, 0.4 * ray_weight, hint, near)
    state, _ = solve(template, loose, target, state, config.start_iterations)
    depth_only = np.array([0.0, 0.0, 1.0 / config.depth_sigma_m])
    target = FitTarget(rays, ray_weight, hint, depth_only)
    return solve(template, config, target, state, config.iterations)[0]


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
    place[:, 2] = np.maximum(place[:, 2], NEAREST_M + 0.1)
    return np.asarray(place)
