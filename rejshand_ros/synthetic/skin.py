"""Marks of a hand's skin as a volume around the resting template: creases, redness, nails, palm.

The template has a vertex every few millimetres, too coarse for a nail. So marks are looked up in
space, at the point of the resting hand that a pixel shows.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, FINGERS, PARENTS, finger_keypoints
from rejshand_ros.hand.template import HandTemplate, load_template
from rejshand_ros.synthetic.mesh import Floats, SolidTexture

_VOXEL_M = 0.0016
_MARGIN_M = 0.006
_PLAIN_REDNESS = 0.25
"""Of skin without marks, the forearm's too."""


@cache
def skin_marks() -> SolidTexture:
    """The solid texture of the shipped template; made once a process."""
    return make_skin_marks(load_template())


def make_skin_marks(template: HandTemplate) -> SolidTexture:
    """Evaluate the marks on a grid around a template."""
    low = template.vertices.min(0) - _MARGIN_M
    high = template.vertices.max(0) + _MARGIN_M
    counts = np.ceil((high - low) / _VOXEL_M).astype(int) + 1
    axes = [low[a] + _VOXEL_M * np.arange(counts[a]) for a in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    # Only voxels near the skin are ever looked up; the rest stay empty.
    near = _near(template, counts, low)
    marks = np.tile(np.array([0, _PLAIN_REDNESS, 0, 0], np.float32), (len(points), 1))
    marks[near] = _marks(template, points[near])
    volume = np.clip(marks * 255, 0, 255).astype(np.uint8).reshape(*counts, 4)
    return SolidTexture(volume, low.astype(np.float32), _VOXEL_M)


def _near(template: HandTemplate, counts: NDArray[np.int64], low: Array) -> NDArray[np.bool_]:
    """Voxels within a few of a face's corners, edges or centre."""
    corners = template.vertices[template.faces]
    weights = np.array([[i, j, 4 - i - j] for i in range(5) for j in range(5 - i)]) / 4
    samples = np.einsum("sk,fkc->fsc", weights, corners).reshape(-1, 3)
    cells = np.rint((samples - low) / _VOXEL_M).astype(int)
    grid = np.zeros(counts, bool)
    grid[tuple(cells.T)] = True
    for axis in range(3):
        for _ in range(2):
            grid |= np.roll(grid, 1, axis) | np.roll(grid, -1, axis)
    return grid.reshape(-1)


def _marks(template: HandTemplate, points: Floats) -> Floats:
    """(n, 4) crease, redness, nail, palm in 0..1 at points of the resting hand."""
    rest = template.rest_keypoints
    crease = np.zeros(len(points), np.float32)
    red = np.full(len(points), _PLAIN_REDNESS, np.float32)
    nail = np.zeros(len(points), np.float32)
    bone, palm_of_bone = _nearest_bone(template, points)
    palm = _smooth(palm_of_bone, -0.004, 0.006)
    for number, finger in enumerate(FINGERS):
        keypoints = finger_keypoints(finger)
        for order, joint in enumerate(keypoints[:3]):
            if number == 0 and order == 0:
                continue
            own = (bone == joint - 1) | (bone == joint)
            along, across, inward = _local(template, number, joint, points[own])
            reach = float(template.keypoint_radii[joint])
            line = np.zeros(len(along), np.float32)
            inner = _smooth(inward, 0.0, 0.4 * reach)
            bone_m = float(np.linalg.norm(rest[joint + 1] - rest[joint]))
            shift = (
                0.55 * bone_m if order == 0 and number else 0.0
            )  # The web lies beyond the knuckle.
            for offset in (-0.0011, 0.0013) if order == 1 else (0.0,):
                line += 0.6 * inner * _bump(along - shift - offset, 0.0007)
            if order:
                outer = _smooth(-inward, 0.1 * reach, 0.6 * reach)
                wave = 0.0006 * np.sin(across * np.float32(900))
                for offset in (-0.0042, -0.0021, 0.0, 0.0021, 0.0042):
                    fade = 0.6 if offset else 0.9
                    line += 0.45 * fade * outer * _bump(along - offset + wave, 0.0006)
            crease[own] += line
            outer = _smooth(-inward, 0.0, 0.6 * reach)
            red[own] += 0.55 * outer * _bump(along, 0.006) * _bump(across, 0.7 * reach)
        tip = keypoints[3]
        own = bone == tip - 1
        along, across, inward = _local(template, number, tip, points[own])
        reach = float(template.keypoint_radii[tip])
        length = float(np.linalg.norm(rest[tip] - rest[tip - 1]))
        red[own] += 0.5 * _bump(along, 0.007) * _smooth(inward, -0.002, 0.003)
        half_width = max(0.72 * reach, 0.0045)
        middle = -0.27 * length
        half_length = 0.24 * length
        radius = ((along - middle) / half_length) ** 4 + (across / half_width) ** 4
        radius = np.asarray(radius, np.float32)
        plate = _smooth(-inward, 0.05 * reach, 0.45 * reach)
        nail[own] = plate * _smooth(-radius, -1.25, -0.8)
        crease[own] += 0.35 * plate * _bump(radius - np.float32(1.25), 0.2)
    crease += _palm_lines(rest, points)
    crease += 0.4 * (_bump(points[:, 2] + 0.002, 0.0008) + _bump(points[:, 2] + 0.007, 0.0008))
    red += 0.2 * palm * _smooth(points[:, 2], 0.02, 0.05)
    return np.clip(np.stack([crease, red, nail, palm], 1), 0, 1)


def _nearest_bone(template: HandTemplate, points: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Number of the nearest bone, and how far palmwards of it each point lies, metres."""
    best = np.full(len(points), np.inf, np.float32)
    bone = np.zeros(len(points), np.int64)
    palmwards = np.zeros(len(points), np.float32)
    rest = template.rest_keypoints.astype(np.float32)
    for number, (parent, child) in enumerate(BONES):
        start, axis = rest[parent], rest[child] - rest[parent]
        share = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
        gap = points - start - share[:, None] * axis
        distance = np.einsum("nc,nc->n", gap, gap)
        closer = distance < best
        best[closer], bone[closer] = distance[closer], number
        inward = _palmwards(template, number // 4, child)
        palmwards[closer] = gap[closer] @ inward
    return bone, palmwards


def _palmwards(template: HandTemplate, finger: int, keypoint: int) -> Floats:
    """Unit direction in which the bone that ends at a keypoint moves when its finger closes."""
    rest = template.rest_keypoints
    parent = int(PARENTS[keypoint])
    if keypoint in (5, 9, 13, 17):
        return np.array([1, 0, 0], np.float32)
    inward = np.cross(template.flexion_axes[finger], rest[keypoint] - rest[parent])
    return np.asarray(inward / np.linalg.norm(inward), np.float32)


def _local(
    template: HandTemplate, finger: int, joint: int, points: Floats
) -> tuple[Floats, Floats, Floats]:
    """Coordinates about a keypoint: along its finger, across it, and palmwards, metres."""
    rest = template.rest_keypoints
    last = 4 * finger + 4
    along = rest[min(joint + 1, last)] - rest[PARENTS[joint]]
    along = along / np.linalg.norm(along)
    inward = _palmwards(template, finger, min(joint + 1, last)).astype(float)
    across = np.cross(inward, along)
    across /= np.linalg.norm(across)
    inward = np.cross(along, across)
    offset = points - rest[joint].astype(np.float32)
    frame = np.stack([along, across, inward], 1).astype(np.float32)
    local = offset @ frame
    return local[:, 0], local[:, 1], local[:, 2]


def _palm_lines(rest: Array, points: Floats) -> Floats:
    """The three great lines of the palm."""
    knuckle = {name: rest[i][1:] for name, i in (("i", 5), ("m", 9), ("r", 13), ("l", 17))}
    wrist = rest[0][1:]
    across = knuckle["i"] - knuckle["l"]

    def at(base: Array, along: float, side: float) -> Array:
        return wrist + along * (base - wrist) + side * across

    lines = (
        [at(knuckle["l"], 0.86, -0.12), at(knuckle["r"], 0.84, 0.0), at(knuckle["m"], 0.92, 0.1)],
        [at(knuckle["i"], 0.82, 0.2), at(knuckle["m"], 0.70, 0.05), at(knuckle["l"], 0.60, -0.05)],
        [at(knuckle["i"], 0.80, 0.2), at(knuckle["m"], 0.58, 0.12), at(knuckle["m"], 0.12, 0.12)],
    )
    total = np.zeros(len(points), np.float32)
    plane = points[:, 1:]
    for corners in lines:
        # A quadratic curve through its three corners' hull, as short straight pieces.
        t = np.linspace(0, 1, 9)[:, None]
        a, b, c = corners
        curve = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c).astype(np.float32)
        nearest = np.full(len(points), np.inf, np.float32)
        for start, end in pairwise(curve):
            axis = end - start
            share = np.clip((plane - start) @ axis / (axis @ axis), 0, 1)
            gap = plane - start - share[:, None] * axis
            nearest = np.minimum(nearest, np.einsum("nc,nc->n", gap, gap))
        total += 0.6 * np.exp(-0.5 * nearest / 0.0008**2)
    inside = (points[:, 2] > 0.005) & (points[:, 2] < 0.09)
    return np.asarray(total * _smooth(points[:, 0], 0.002, 0.006) * inside, np.float32)


def _smooth(value: Floats, low: float, high: float) -> Floats:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _bump(value: Floats, width: float) -> Floats:
    """A Gaussian bell of height 1."""
    return np.asarray(np.exp(-0.5 * (value / width) ** 2), np.float32)
