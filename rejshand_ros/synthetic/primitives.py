"""Boxes, cylinders, spheres, capsules and tubes as closed meshes, outward faces.

Cylinders and capsules lie along z, as in URDF. All are centred on their own origin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.synthetic.mesh import Indices

Shape = tuple[Array, Indices]
"""Vertices (N, 3) in metres and faces (F, 3)."""


def box(size: ArrayLike) -> Shape:
    """A box with edges of size (3,) metres; faces share no vertices, so that edges are sharp."""
    size = _positive("box size", size, 3)
    vertices: list[Array] = []
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = np.zeros((4, 3))
            corners[:, axis] = sign
            corners[:, (axis + 1) % 3] = [-1, 1, 1, -1]
            corners[:, (axis + 2) % 3] = [-1, -1, 1, 1]
            quad = [(0, 1, 2), (0, 2, 3)] if sign > 0 else [(0, 2, 1), (0, 3, 2)]
            faces += [tuple(4 * len(vertices) + i for i in triangle) for triangle in quad]
            vertices.append(corners)
    return np.concatenate(vertices) * size / 2, np.array(faces, np.int32)


def sphere(radius_m: float, segments: int = 20) -> Shape:
    """A sphere of latitude rings."""
    radius = float(_positive("sphere radius", radius_m, 1)[0])
    angle = np.linspace(0, np.pi, max(segments // 2, 3) + 1)
    return _lathe(radius * np.sin(angle), -radius * np.cos(angle), segments)


def cylinder(radius_m: float, length_m: float, segments: int = 20) -> Shape:
    """A cylinder along z with flat, sharp ends."""
    radius, length = _positive("cylinder radius and length", [radius_m, length_m], 2)
    half = length / 2
    # Doubled rings keep the rim sharp: cap and wall have normals of their own.
    return _join(
        _lathe(np.array([0.0, radius]), np.array([-half, -half]), segments),
        _lathe(np.array([radius, radius]), np.array([-half, half]), segments),
        _lathe(np.array([radius, 0.0]), np.array([half, half]), segments),
    )


def capsule(radius_m: float, length_m: float, segments: int = 20) -> Shape:
    """A cylinder of length_m along z with half spheres added at both ends."""
    radius, length = _positive("capsule radius and length", [radius_m, length_m], 2)
    angle = np.linspace(0, np.pi / 2, max(segments // 4, 2) + 1)
    lower = (radius * np.sin(angle), -length / 2 - radius * np.cos(angle))
    rings = np.concatenate([lower[0], lower[0][::-1]]), np.concatenate([lower[1], -lower[1][::-1]])
    return _lathe(rings[0], rings[1], segments)


def tube(centres: ArrayLike, radii: ArrayLike, side: ArrayLike, segments: int = 18) -> Shape:
    """A closed tube with elliptic cross-sections along a path, for forearms and sleeves.

    Args:
        centres: (n, 3) metres, the path.
        radii: (n, 2) metres: along `side`, and across both it and the path.
        side: (3,) direction of the first radius; made square to the path at each point.
        segments: Corners of each cross-section.
    """
    centres, radii = np.asarray(centres, float), np.asarray(radii, float)
    if centres.ndim != 2 or len(centres) < 2 or radii.shape != (len(centres), 2):
        raise InputError(f"tube centres {centres.shape}, radii {radii.shape}; (n, 3), (n, 2) valid")
    forward = np.gradient(centres, axis=0)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    side = np.asarray(side, float)
    first = side - (forward @ side)[:, None] * forward
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(forward, first)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = (
        centres[:, None]
        + np.cos(angle)[None, :, None] * (radii[:, :1] * first)[:, None]
        + np.sin(angle)[None, :, None] * (radii[:, 1:] * second)[:, None]
    )
    vertices = np.concatenate([rings.reshape(-1, 3), centres[:1], centres[-1:]])
    faces = [_walls(len(centres), segments)]
    k = np.arange(segments)
    last = (len(centres) - 1) * segments
    start, end = np.full_like(k, len(vertices) - 2), np.full_like(k, len(vertices) - 1)
    faces.append(np.stack([start, (k + 1) % segments, k], 1))
    faces.append(np.stack([end, last + k, last + (k + 1) % segments], 1))
    return vertices, np.concatenate(faces).astype(np.int32)


def _lathe(radii: Array, heights: Array, segments: int) -> Shape:
    """Rings of the given radii at the given heights, joined; a ring of radius 0 closes an end."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
    vertices = (radii[:, None, None] * ring) + heights[:, None, None] * np.array([0, 0, 1.0])
    return vertices.reshape(-1, 3), _walls(len(radii), segments)


def _walls(rings: int, segments: int) -> Indices:
    """Faces between neighbouring rings of vertices."""
    k = np.arange(segments)
    here, there = k, (k + 1) % segments
    faces = []
    for ring in range(rings - 1):
        low, high = ring * segments, (ring + 1) * segments
        faces.append(np.stack([low + here, low + there, high + there], 1))
        faces.append(np.stack([low + here, high + there, high + here], 1))
    return np.concatenate(faces).astype(np.int32)


def _join(*shapes: Shape) -> Shape:
    """Several shapes as one."""
    counts = np.cumsum([0, *(len(vertices) for vertices, _ in shapes)])
    faces = [part + start for (_, part), start in zip(shapes, counts, strict=False)]
    return np.concatenate([v for v, _ in shapes]), np.concatenate(faces).astype(np.int32)


def _positive(name: str, given: ArrayLike, count: int) -> Array:
    values = np.atleast_1d(np.asarray(given, float))
    if values.shape != (count,) or not np.all(values > 0) or not np.all(np.isfinite(values)):
        raise InputError(f"{name} {np.asarray(given).tolist()}; {count} positive metres valid")
    return values
