"""Which triangle is seen where: the z-buffer, compiled.

Homogeneous rasterisation (Olano and Greer, 1997): with the corners A, B, C of a triangle in camera
axes and a pixel's ray d, the solution of [A B C] e = d holds the perspective-correct barycentric
coordinates e_i * z and the inverse depth 1/z = sum(e). Each e_i is linear in the pixel, and
triangles that reach behind the camera need no clipping.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEAR_M = 0.01
"""Triangles whose corners are all nearer than this are not drawn."""


@njit(cache=True, nogil=True, fastmath=True)
def vertex_normals(vertices, faces):  # type: ignore[no-untyped-def]
    """(N, 3) unit normals, the mean of the adjoining faces' normals weighted by their area."""
    normals = np.zeros(vertices.shape, np.float32)
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax = vertices[j, 0] - vertices[i, 0]
        ay = vertices[j, 1] - vertices[i, 1]
        az = vertices[j, 2] - vertices[i, 2]
        bx = vertices[k, 0] - vertices[i, 0]
        by = vertices[k, 1] - vertices[i, 1]
        bz = vertices[k, 2] - vertices[i, 2]
        nx = ay * bz - az * by
        ny = az * bx - ax * bz
        nz = ax * by - ay * bx
        for v in (i, j, k):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        if length > 0:
            for c in range(3):
                normals[v, c] /= length
    return normals


@njit(cache=True, nogil=True)
def rasterise(vertices, faces, camera, samples, cull, inverse_depth, face_id, edges):  # type: ignore[no-untyped-def]
    """Draw triangles into the z-buffer.

    Args:
        vertices: (N, 3) camera axes, metres.
        faces: (F, 3) counter-clockwise seen from outside.
        camera: (4,) fx, fy, cx, cy in image pixels.
        samples: Samples along each edge of a pixel.
        cull: Leave out triangles seen from behind.
        inverse_depth: (H * samples, W * samples) float32, zeros at first; 1 / m, written.
        face_id: Same shape, int32, -1 at first, written.
        edges: (F, 9) float64, written: the three e_i as coefficients of u, v and 1, where u and
            v are image pixels.
    """
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    height, width = inverse_depth.shape
    step = 1.0 / samples
    first = 0.5 * step - 0.5
    for f in range(faces.shape[0]):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        ax, ay, az = float(a[0]), float(a[1]), float(a[2])
        bx, by, bz = float(b[0]), float(b[1]), float(b[2])
        gx, gy, gz = float(c[0]), float(c[1]), float(c[2])
        if az < NEAR_M and bz < NEAR_M and gz < NEAR_M:
            continue
        # Rows of the inverse of [A B C], times its determinant.
        x0, y0, z0 = by * gz - bz * gy, bz * gx - bx * gz, bx * gy - by * gx
        x1, y1, z1 = gy * az - gz * ay, gz * ax - gx * az, gx * ay - gy * ax
        x2, y2, z2 = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        det = ax * x0 + ay * y0 + az * z0
        if (cull and det >= 0.0) or abs(det) < 1e-15:
            continue
        inv = 1.0 / det
        u0, v0 = x0 * inv / fx, y0 * inv / fy
        u1, v1 = x1 * inv / fx, y1 * inv / fy
        u2, v2 = x2 * inv / fx, y2 * inv / fy
        w0 = z0 * inv - u0 * cx - v0 * cy
        w1 = z1 * inv - u1 * cx - v1 * cy
        w2 = z2 * inv - u2 * cx - v2 * cy
        if az > NEAR_M and bz > NEAR_M and gz > NEAR_M:
            pax, pay = fx * ax / az + cx, fy * ay / az + cy
            pbx, pby = fx * bx / bz + cx, fy * by / bz + cy
            pcx, pcy = fx * gx / gz + cx, fy * gy / gz + cy
            left = (min(pax, pbx, pcx) - first) * samples
            right = (max(pax, pbx, pcx) - first) * samples
            top = (min(pay, pby, pcy) - first) * samples
            bottom = (max(pay, pby, pcy) - first) * samples
            if right < 0 or bottom < 0 or left > width - 1 or top > height - 1:
                continue
            i0, i1 = int(np.ceil(max(left, 0.0))), int(np.floor(min(right, width - 1.0)))
            j0, j1 = int(np.ceil(max(top, 0.0))), int(np.floor(min(bottom, height - 1.0)))
        else:
            i0, i1, j0, j1 = 0, width - 1, 0, height - 1
        edges[f, 0], edges[f, 1], edges[f, 2] = u0, v0, w0
        edges[f, 3], edges[f, 4], edges[f, 5] = u1, v1, w1
        edges[f, 6], edges[f, 7], edges[f, 8] = u2, v2, w2
        for j in range(j0, j1 + 1):
            v = first + j * step
            base0, base1, base2 = v0 * v + w0, v1 * v + w1, v2 * v + w2
            for i in range(i0, i1 + 1):
                u = first + i * step
                e0, e1, e2 = u0 * u + base0, u1 * u + base1, u2 * u + base2
                if e0 >= 0.0 and e1 >= 0.0 and e2 >= 0.0:
                    depth = e0 + e1 + e2
                    if depth > inverse_depth[j, i]:
                        inverse_depth[j, i] = depth
                        face_id[j, i] = f


@njit(cache=True, nogil=True, fastmath=True)
def rasterise_shadow(points, faces, depth):  # type: ignore[no-untyped-def]
    """Draw triangles as a parallel light sees them.

    Args:
        points: (N, 3) pixel column, pixel row and distance along the light's rays.
        faces: (F, 3) vertex indices.
        depth: (S, S) float32, large at first; the nearest distance is written.
    """
    height, width = depth.shape
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        i0 = int(np.ceil(max(min(a[0], b[0], c[0]), 0.0)))
        i1 = int(np.floor(min(max(a[0], b[0], c[0]), width - 1.0)))
        j0 = int(np.ceil(max(min(a[1], b[1], c[1]), 0.0)))
        j1 = int(np.floor(min(max(a[1], b[1], c[1]), height - 1.0)))
        inv = 1.0 / area
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                e1 = ((i - a[0]) * (c[1] - a[1]) - (j - a[1]) * (c[0] - a[0])) * inv
                e2 = ((b[0] - a[0]) * (j - a[1]) - (b[1] - a[1]) * (i - a[0])) * inv
                e0 = 1.0 - e1 - e2
                if e0 >= 0.0 and e1 >= 0.0 and e2 >= 0.0:
                    z = e0 * a[2] + e1 * b[2] + e2 * c[2]
                    if z < depth[j, i]:
                        depth[j, i] = z
