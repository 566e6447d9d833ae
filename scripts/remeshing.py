"""Closed triangle meshes brought to a given number of even triangles.

Plain edge collapse of the shortest edges, edge flips and tangential relaxation, as in isotropic
remeshing (Botsch and Kobbelt 2004), with a size field so that the fingers get finer triangles.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Faces = NDArray[np.int32]
Field = Callable[[Array], Array]


def collapse_to(vertices: Array, faces: Faces, count: int, size: Field) -> tuple[Array, Faces]:
    """Collapse the relatively shortest edges until `count` vertices are left.

    Args:
        vertices: (n, 3) of a closed manifold mesh.
        faces: (f, 3).
        count: Vertices wanted.
        size: Wanted edge length (n,) at points (n, 3).
    """
    points = vertices.copy()
    wanted = size(points)
    triangles: dict[int, tuple[int, int, int]] = {
        i: (int(a), int(b), int(c)) for i, (a, b, c) in enumerate(faces)
    }
    around: list[set[int]] = [set() for _ in points]
    for i, triangle in triangles.items():
        for corner in triangle:
            around[corner].add(i)
    stamp = np.zeros(len(points), int)

    def neighbours(v: int) -> set[int]:
        return {c for t in around[v] for c in triangles[t]} - {v}

    heap: list[tuple[float, int, int, int, int]] = []

    def push(a: int, b: int) -> None:
        a, b = min(a, b), max(a, b)
        length = float(np.linalg.norm(points[a] - points[b])) / (0.5 * (wanted[a] + wanted[b]))
        # Many-spoked vertices make bad triangles: leave them for later.
        spokes = len(around[a]) + len(around[b]) - 4
        length *= 1.0 + 0.15 * max(0, spokes - 6)
        heapq.heappush(heap, (length, a, b, int(stamp[a]), int(stamp[b])))

    for a, b in {
        (min(p, q), max(p, q)) for t in faces for p, q in zip(t, np.roll(t, 1), strict=True)
    }:
        push(int(a), int(b))

    def flips(v: int, other: int, target: Array) -> bool:
        for t in around[v]:
            corners = triangles[t]
            if other in corners:
                continue
            old = np.array([points[c] for c in corners])
            new = np.array([target if c == v else points[c] for c in corners])
            n_old = np.cross(old[1] - old[0], old[2] - old[0])
            n_new = np.cross(new[1] - new[0], new[2] - new[0])
            if n_old @ n_new <= 0.3 * np.linalg.norm(n_old) * np.linalg.norm(n_new):
                return True
        return False

    left = len(points)
    alive = np.ones(len(points), bool)
    while left > count and heap:
        _, a, b, stamp_a, stamp_b = heapq.heappop(heap)
        if not (alive[a] and alive[b]) or stamp[a] != stamp_a or stamp[b] != stamp_b:
            continue
        shared = around[a] & around[b]
        # Link condition: anything but two common neighbours would pinch the surface.
        if len(shared) != 2 or len(neighbours(a) & neighbours(b)) != 2:
            continue
        target = 0.5 * (points[a] + points[b])
        if flips(a, b, target) or flips(b, a, target):
            continue
        points[a] = target
        wanted[a] = 0.5 * (wanted[a] + wanted[b])
        for t in shared:
            for corner in triangles[t]:
                around[corner].discard(t)
            del triangles[t]
        for t in around[b]:
            triangles[t] = tuple(a if c == b else c for c in triangles[t])  # type: ignore[assignment]
            around[a].add(t)
        around[b] = set()
        alive[b] = False
        left -= 1
        near = neighbours(a)
        stamp[a] += 1
        for n in near:
            push(a, n)
    renumber = np.cumsum(alive) - 1
    kept = np.array([[renumber[c] for c in t] for t in triangles.values()], np.int32)
    return points[alive], kept


def flip_edges(vertices: Array, faces: Faces, rounds: int = 3) -> Faces:
    """Flip edges whose opposite angles sum to more than pi (Delaunay), where that keeps shape."""
    faces = faces.copy()
    for _ in range(rounds):
        edges: dict[tuple[int, int], int] = {}
        for i, t in enumerate(faces):
            for k in range(3):
                edges[int(t[k]), int(t[(k + 1) % 3])] = i
        present = {(min(a, b), max(a, b)) for a, b in edges}
        touched: set[int] = set()
        flipped = 0
        for (a, b), i in edges.items():
            if a > b or (b, a) not in edges:
                continue
            j = edges[b, a]
            if i in touched or j in touched:
                continue
            c = int(next(v for v in faces[i] if v not in (a, b)))
            d = int(next(v for v in faces[j] if v not in (a, b)))
            if (min(c, d), max(c, d)) in present:
                continue
            pa, pb, pc, pd = vertices[[a, b, c, d]]
            if _angle(pc, pa, pb) + _angle(pd, pa, pb) <= np.pi + 1e-6:
                continue
            n1, n2 = np.cross(pb - pa, pc - pa), np.cross(pa - pb, pd - pb)
            m1, m2 = np.cross(pd - pa, pc - pa), np.cross(pb - pd, pc - pd)
            mean = n1 + n2
            if min(m1 @ mean, m2 @ mean) <= 0 or n1 @ n2 < 0.8 * np.linalg.norm(
                n1
            ) * np.linalg.norm(n2):
                continue
            faces[i], faces[j] = (a, d, c), (d, b, c)
            present.discard((min(a, b), max(a, b)))
            present.add((min(c, d), max(c, d)))
            touched |= {i, j}
            flipped += 1
        if not flipped:
            break
    return faces


def _angle(apex: Array, a: Array, b: Array) -> float:
    u, v = a - apex, b - apex
    return float(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))


def relax(vertices: Array, faces: Faces, project: Field, size: Field, rounds: int = 10) -> Array:
    """Slide vertices along the surface towards the middle of their neighbours.

    Args:
        vertices: (n, 3).
        faces: (f, 3).
        project: Points onto the surface.
        size: Wanted edge length at points; small triangles pull less.
        rounds: How often.
    """
    points = vertices.copy()
    for _ in range(rounds):
        corners = points[faces]
        area = np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        centre = corners.mean(1)
        weight = area / size(centre) ** 2
        total, mass, normal = np.zeros_like(points), np.zeros(len(points)), np.zeros_like(points)
        face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        for k in range(3):
            np.add.at(total, faces[:, k], weight[:, None] * centre)
            np.add.at(mass, faces[:, k], weight)
            np.add.at(normal, faces[:, k], face_normal)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        step = total / mass[:, None] - points
        step -= np.sum(step * normal, axis=1, keepdims=True) * normal
        points = project(points + 0.6 * step)
    return points
