"""Triangle meshes of hands: normals, measures, checks and the mirrored hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.frame import mirror_points

Faces = NDArray[np.int32]


@dataclass(frozen=True)
class MeshReport:
    """What `check_mesh` found.

    Attributes:
        watertight: Every edge belongs to exactly two triangles that run along it in opposite
            directions.
        euler_characteristic: Vertices - edges + faces; 2 for one closed surface without handles.
        volume_m3: Enclosed volume, positive where triangles are wound outwards.
        area_m2: Surface.
        smallest_angle_rad: Of all triangles.
        intersecting_pairs: (p, 2) faces that cut through one another.
    """

    watertight: bool
    euler_characteristic: int
    volume_m3: float
    area_m2: float
    smallest_angle_rad: float
    intersecting_pairs: Faces


def _checked(vertices: ArrayLike, faces: ArrayLike) -> tuple[Array, Faces]:
    points = np.asarray(vertices, float)
    triangles = np.asarray(faces, np.int32)
    if points.ndim < 2 or points.shape[-1] != 3:
        raise InputError(f"vertices have shape {points.shape}; valid: (..., n, 3)")
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise InputError(f"faces have shape {triangles.shape}; valid: (f, 3)")
    if triangles.size and (triangles.min() < 0 or triangles.max() >= points.shape[-2]):
        raise InputError(
            f"faces name vertices {triangles.min()}..{triangles.max()}; "
            f"valid: 0..{points.shape[-2] - 1}"
        )
    return points, triangles


def face_normals(vertices: ArrayLike, faces: ArrayLike) -> Array:
    """Outward normals (..., f, 3) whose length is twice the triangle's area."""
    points, triangles = _checked(vertices, faces)
    a, b, c = (points[..., triangles[:, k], :] for k in range(3))
    return np.asarray(np.cross(b - a, c - a))


def vertex_normals(vertices: ArrayLike, faces: ArrayLike) -> Array:
    """Unit normals (..., n, 3) of vertices (..., n, 3), averaged over triangles by their area.

    A vertex without any triangle gets a zero normal.
    """
    points, triangles = _checked(vertices, faces)
    of_faces = face_normals(points, triangles)
    flat = of_faces.reshape(-1, len(triangles), 3)
    total = np.zeros((points.shape[-2], len(flat), 3))
    for k in range(3):
        np.add.at(total, triangles[:, k], np.swapaxes(flat, 0, 1))
    total = np.swapaxes(total, 0, 1)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    unit = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    return np.asarray(unit.reshape(points.shape))


def mesh_volume(vertices: ArrayLike, faces: ArrayLike) -> float:
    """Volume inside a closed mesh, m^3; negative where the triangles are wound inwards."""
    points, triangles = _checked(vertices, faces)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def mirror_mesh(vertices: ArrayLike, faces: ArrayLike) -> tuple[Array, Faces]:
    """The other hand: vertices in its own wrist frame, triangles still wound outwards."""
    points, triangles = _checked(vertices, faces)
    return mirror_points(points), mirror_faces(triangles)


def mirror_faces(faces: ArrayLike) -> Faces:
    """Triangles (f, 3) wound the other way, as a mirrored mesh needs them."""
    return np.ascontiguousarray(np.asarray(faces, np.int32)[:, ::-1])


def is_watertight(faces: ArrayLike) -> bool:
    """Whether every edge is shared by two triangles, once in each direction."""
    triangles = np.asarray(faces, np.int32)
    edges = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    if (edges[:, 0] == edges[:, 1]).any():
        return False
    directed = {tuple(edge) for edge in edges.tolist()}
    return len(directed) == len(edges) and all((b, a) in directed for a, b in directed)


def _smallest_angle(points: Array, triangles: Faces) -> float:
    smallest = np.pi
    for k in range(3):
        apex, a, b = (points[triangles[:, (k + step) % 3]] for step in range(3))
        u, v = a - apex, b - apex
        angle = np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.sum(u * v, axis=1))
        smallest = min(smallest, float(angle.min()))
    return smallest


def self_intersections(vertices: ArrayLike, faces: ArrayLike) -> Faces:
    """Pairs (p, 2) of triangles without a common vertex that cut one another.

    Two triangles cut where an edge of one passes through the other; edges are tested against
    triangles as in Moeller and Trumbore 1997, after a test of bounding boxes.
    """
    points, triangles = _checked(vertices, faces)
    corners = points[triangles]
    low, high = corners.min(axis=1), corners.max(axis=1)
    # Sweep along the fingers: only boxes that overlap there are compared in full.
    order = np.argsort(low[:, 2])
    ends = np.searchsorted(low[order, 2], high[order, 2], side="right")
    counts = ends - np.arange(len(order)) - 1
    first = np.repeat(np.arange(len(order)), counts)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    i, j = order[first], order[first + 1 + offset]
    near = ((low[i] <= high[j]) & (low[j] <= high[i])).all(axis=1)
    i, j = i[near], j[near]
    apart = ~(triangles[i][:, :, None] == triangles[j][:, None, :]).any(axis=(1, 2))
    i, j = i[apart], j[apart]
    cut = np.zeros(len(i), bool)
    for k in range(3):
        step = (k + 1) % 3
        cut |= _segment_cuts(corners[i, k], corners[i, step], corners[j])
        cut |= _segment_cuts(corners[j, k], corners[j, step], corners[i])
    return np.stack([i[cut], j[cut]], axis=1).astype(np.int32)


def _segment_cuts(start: Array, end: Array, triangle: Array) -> NDArray[np.bool_]:
    """Whether segments (p, 3) pass through triangles (p, 3, 3)."""
    direction = end - start
    edge1, edge2 = triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]
    across = np.cross(direction, edge2)
    determinant = np.sum(edge1 * across, axis=1)
    # Parallel ones never pass through; the guard only keeps the division quiet.
    parallel = np.abs(determinant) < 1e-18
    inverse = 1.0 / np.where(parallel, 1.0, determinant)
    away = start - triangle[:, 0]
    u = inverse * np.sum(away * across, axis=1)
    q = np.cross(away, edge1)
    v = inverse * np.sum(direction * q, axis=1)
    t = inverse * np.sum(edge2 * q, axis=1)
    return np.asarray(~parallel & (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1))


def check_mesh(vertices: ArrayLike, faces: ArrayLike) -> MeshReport:
    """Measure a mesh (n, 3), (f, 3) and find its faults."""
    points, triangles = _checked(vertices, faces)
    if points.ndim != 2:
        raise InputError(f"vertices have shape {points.shape}; valid: one mesh (n, 3)")
    edges = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    edge_count = len(np.unique(np.sort(edges, axis=1), axis=0))
    used = len(np.unique(triangles))
    return MeshReport(
        watertight=is_watertight(triangles) and used == len(points),
        euler_characteristic=len(points) - edge_count + len(triangles),
        volume_m3=mesh_volume(points, triangles),
        area_m2=0.5 * float(np.linalg.norm(face_normals(points, triangles), axis=1).sum()),
        smallest_angle_rad=_smallest_angle(points, triangles),
        intersecting_pairs=self_intersections(points, triangles),
    )


@dataclass(frozen=True)
class HandMeasures:
    """Outer measures of an open hand, metres.

    Attributes:
        length: Wrist to the end of the middle finger, along the hand.
        breadth: Across the knuckles of index to little finger.
        thickness: Of the palm at the knuckles' height.
    """

    length: float
    breadth: float
    thickness: float


def measure_hand(vertices: ArrayLike, keypoints: ArrayLike) -> HandMeasures:
    """Measure an open hand (n, 3) with keypoints (21, 3), both in its wrist frame."""
    points, joints = np.asarray(vertices, float), np.asarray(keypoints, float)
    index, middle, little = joints[5], joints[9], joints[17]
    # The breadth is taken between the outer knuckles; the thumb's own width lies lower down.
    level = 0.5 * (index[2] + little[2])
    reach = 0.5 * abs(index[1] - little[1]) + 0.022
    centre = 0.5 * (index[1] + little[1])
    slab = np.abs(points[:, 2] - level) < 0.012
    slab &= (np.abs(points[:, 1] - centre) < reach) & (np.abs(points[:, 0] - middle[0]) < 0.025)
    if not slab.any():
        raise InputError("no skin lies at the height of the knuckles; is this an open hand?")
    return HandMeasures(
        length=float(points[:, 2].max() - joints[0, 2]),
        breadth=float(np.ptp(points[slab, 1])),
        thickness=float(np.ptp(points[slab, 0])),
    )
