"""Skinning weights and joint regressor of the template hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hand_description import FINGERS, RADII, Array, Skeleton
from remeshing import Faces
from scipy.optimize import nnls

from rejshand_ros.hand.keypoints import BONES, FINGERTIPS, KEYPOINT_COUNT, PARENTS
from rejshand_ros.hand.kinematics import HandParameters, joint_limits, pose_hand
from rejshand_ros.hand.template import JOINTS, SKIN_BONE_COUNT, HandTemplate

_SEED = 20240611


def _segment_gap(points: Array, start: Array, end: Array) -> tuple[Array, Array]:
    """Distance (n,) to a segment, and the unclipped place along it (0 start, 1 end)."""
    axis = end - start
    place = (points - start) @ axis / (axis @ axis)
    gap = np.linalg.norm(points - start - np.clip(place, 0, 1)[:, None] * axis, axis=1)
    return gap, place


def _adjacency(count: int, faces: Faces) -> Array:
    matrix = np.zeros((count, count))
    for k in range(3):
        matrix[faces[:, k], faces[:, (k + 1) % 3]] = 1.0
        matrix[faces[:, (k + 1) % 3], faces[:, k]] = 1.0
    return matrix / matrix.sum(axis=1, keepdims=True)


def skinning_weights(skeleton: Skeleton, vertices: Array, faces: Faces) -> Array:
    """Weights (n, 35): a soft split over the fingers, then along each finger's bones."""
    share = _finger_share(skeleton, vertices, faces)
    weights = np.zeros((len(vertices), SKIN_BONE_COUNT))
    for number in range(5):
        weights += share[:, number : number + 1] * _along_chain(skeleton, vertices, number)
    weights = np.where(weights < 1e-3, 0.0, weights)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _finger_share(skeleton: Skeleton, vertices: Array, faces: Faces) -> Array:
    """How much (n, 5) each vertex belongs to each finger's chain, metacarpal included."""
    k = skeleton.keypoints
    cost = np.zeros((len(vertices), 5))
    for number, finger in enumerate(FINGERS):
        first = 1 + 4 * number
        gaps = [_segment_gap(vertices, k[PARENTS[j]], k[j])[0] for j in range(first, first + 4)]
        if finger == "thumb":
            gaps = gaps[1:]
        cost[:, number] = np.min(gaps, axis=0) / RADII[finger][1]
    hard = np.zeros_like(cost)
    hard[np.arange(len(vertices)), cost.argmin(1)] = 1.0
    # Over the surface, not through the air: neighbouring fingers never mix, while webs and palm
    # blend softly. Far out on a finger all neighbours agree and nothing changes.
    smooth = _adjacency(len(vertices), faces)
    soft = hard.copy()
    for _ in range(6):
        soft = 0.5 * soft + 0.5 * smooth @ soft
    return soft


def _along_chain(skeleton: Skeleton, vertices: Array, number: int) -> Array:
    """Weights (n, 35) as if every vertex belonged to one finger."""
    k = skeleton.keypoints
    finger = FINGERS[number]
    first = 1 + 4 * number
    weights = np.zeros((len(vertices), SKIN_BONE_COUNT))
    bone = np.ones(len(vertices))
    for step in range(3):
        joint = first + step
        before, after = k[joint] - k[PARENTS[joint]], k[joint + 1] - k[joint]
        normal = before / np.linalg.norm(before) + after / np.linalg.norm(after)
        normal /= np.linalg.norm(normal)
        width = RADII[finger][step] * (1.25 if step == 0 else 1.0)
        if finger == "thumb" and step == 0:
            # The ball of the thumb stretches over a wide patch.
            width = 0.022
        place = np.clip((vertices - k[joint]) @ normal / width, -1, 1)
        place = np.sign(place) * np.abs(place) ** 1.3
        helper = len(BONES) + JOINTS.index(joint)
        weights[:, joint - 1] += bone * np.maximum(-place, 0)
        weights[:, helper] += bone * (1 - np.abs(place))
        bone = bone * np.maximum(place, 0)
    weights[:, first + 2] += bone
    return weights


def regress_joints(template: HandTemplate, tips: dict[int, int], poses: int = 250) -> HandTemplate:
    """Add the regressor: sparse non-negative rows that follow the joints through random poses.

    Args:
        template: The template without a regressor.
        tips: Vertex of each fingertip keypoint.
        poses: How many random poses, shapes included, are fitted.
    """
    rng = np.random.default_rng(_SEED)
    limits = joint_limits()
    angles = rng.uniform(limits[:, 0], limits[:, 1], (poses, len(limits)))
    scales = rng.uniform(0.85, 1.15, (poses, 1)) * rng.uniform(0.95, 1.05, (poses, len(BONES)))
    posed = pose_hand(template, HandParameters.of(angles, scales))
    regressor = np.zeros((KEYPOINT_COUNT, len(template.vertices)))
    for keypoint in range(KEYPOINT_COUNT):
        if keypoint in FINGERTIPS:
            regressor[keypoint, tips[keypoint]] = 1.0
            continue
        rest = template.rest_keypoints[keypoint]
        gap = np.linalg.norm(template.vertices - rest, axis=1)
        near = np.argsort(gap)[: 90 if keypoint in (0, 1) else 48]
        moving = posed.vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))
        target = posed.keypoints[:, keypoint].reshape(-1)
        still, sums = 3e2 * template.vertices[near].T, np.full((1, len(near)), 1e2)
        rows = np.concatenate([moving, still, sums])
        wanted = np.concatenate([target, 3e2 * rest, [1e2]])
        weights, _ = nnls(rows, wanted)
        regressor[keypoint, near] = weights / weights.sum()
    return replace(template, joint_regressor=regressor)
