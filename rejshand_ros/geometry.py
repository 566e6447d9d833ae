"""Rigid-body and camera mathematics shared by every room.

Frames are named in variables as ``a_from_b``: the transform that takes coordinates in frame b to
coordinates in frame a. Camera frames are optical (REP-103: z forward, x right, y down).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import atan2, isfinite, nan, sin, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RigidTransform:
    """A pose or a change of frame.

    Attributes:
        rotation: (3, 3) rotation matrix.
        translation: (3,) metres.
    """

    rotation: Array = field(default_factory=lambda: np.eye(3))
    translation: Array = field(default_factory=lambda: np.zeros(3))

    def apply(self, points: ArrayLike) -> Array:
        """Transform points of shape (..., 3), metres."""
        return np.asarray(points, float) @ self.rotation.T + self.translation

    def inverse(self) -> RigidTransform:
        """The transform the other way."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.translation)

    def __matmul__(self, other: RigidTransform) -> RigidTransform:
        """Chain: ``(a_from_b @ b_from_c)`` is ``a_from_c``."""
        return RigidTransform(
            self.rotation @ other.rotation, self.rotation @ other.translation + self.translation
        )


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics of a camera, as in sensor_msgs/CameraInfo.

    Attributes:
        width: Image width, pixels.
        height: Image height, pixels.
        matrix: (3, 3) K of the distorted image, pixels.
        distortion: (n,) OpenCV coefficients; empty for none.
        assumed: True where no calibration was given and a field of view was assumed.
    """

    width: int
    height: int
    matrix: Array
    distortion: Array = field(default_factory=lambda: np.zeros(0))
    assumed: bool = False

    @classmethod
    def from_field_of_view(
        cls, width: int, height: int, horizontal_fov_deg: float = 60.0, *, assumed: bool = True
    ) -> PinholeCamera:
        """A distortion-free camera with square pixels and the principal point in the middle."""
        if not 1.0 < horizontal_fov_deg < 179.0:
            raise InputError(f"field of view {horizontal_fov_deg} deg is outside 1..179")
        focal = 0.5 * width / np.tan(np.radians(horizontal_fov_deg) / 2.0)
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
        return cls(width, height, matrix, assumed=assumed)

    @cached_property
    def is_usable(self) -> bool:
        """Whether all its numbers are finite, and both focal lengths positive."""
        matrix = np.asarray(self.matrix, float)
        finite = np.isfinite(matrix).all() and np.isfinite(self.distortion).all()
        return bool(finite and matrix[0, 0] > 0 and matrix[1, 1] > 0)

    @cached_property
    def is_distorted(self) -> bool:
        """Whether its lens bends straight lines."""
        return bool(np.any(self.distortion))

    def project(self, points: ArrayLike) -> Array:
        """Pixels (..., 2) of points (..., 3) in camera axes, metres; ignores distortion."""
        homogeneous = np.asarray(points, float) @ self.matrix.T
        return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:])

    def rays(self, pixels: ArrayLike) -> Array:
        """Directions (..., 3) with z = 1 through pixels (..., 2); ignores distortion."""
        pixels = np.asarray(pixels, float)
        ones = np.ones((*pixels.shape[:-1], 1))
        return np.concatenate([pixels, ones], axis=-1) @ self.ray_from_pixel.T

    @cached_property
    def ray_from_pixel(self) -> Array:
        """(3, 3) from pixels (u, v, 1) to directions with z = 1; ignores distortion."""
        return np.asarray(np.linalg.inv(self.matrix))


def rotation_from_vector(vector: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) from axis-angle vectors (..., 3), radians (Rodrigues)."""
    v = np.asarray(vector, float)
    if v.ndim == 1:
        return _turned_by(*v.tolist())
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape[:-1], 3, 3)
    # sinc keeps the series exact through the zero angle.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def _turned_by(x: float, y: float, z: float) -> Array:
    """The same of one vector, number by number: small arrays take numpy ten times as long."""
    angle = sqrt(x * x + y * y + z * z)
    if not isfinite(angle):
        return np.full((3, 3), nan)
    first = sin(angle) / angle if angle > 0.0 else 1.0
    second = 0.5 * (sin(angle / 2) / (angle / 2)) ** 2 if angle > 0.0 else 0.5
    cosine = 1.0 - second * angle * angle
    return np.array(
        [
            [cosine + second * x * x, second * x * y - first * z, second * x * z + first * y],
            [second * x * y + first * z, cosine + second * y * y, second * y * z - first * x],
            [second * x * z - first * y, second * y * z + first * x, cosine + second * z * z],
        ]
    )


def rotation_vector(rotation: Array) -> Array:
    """Axis times angle (3,), radians, of a rotation matrix (3, 3); the angle is from 0 to pi."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    skew = np.array([zy - yz, xz - zx, yx - xy])
    sine = sqrt((zy - yz) ** 2 + (xz - zx) ** 2 + (yx - xy) ** 2) / 2
    cosine = (xx + yy + zz - 1) / 2
    angle = atan2(sine, cosine)
    if sine > 1e-6:
        return np.asarray(skew * (angle / (2 * sine)))
    if cosine > 0:
        return np.asarray(skew / 2)
    # A half turn: the axis is the column of R + 1 that is farthest from zero.
    column = (rotation + np.eye(3))[:, int(np.argmax(np.diag(rotation)))]
    return np.asarray(angle * column / np.linalg.norm(column))


def rotation_between(a: ArrayLike, b: ArrayLike) -> Array:
    """The smallest rotation (3, 3) that takes direction a (3,) onto direction b (3,)."""
    unit_a = np.asarray(a, float) / np.linalg.norm(a)
    unit_b = np.asarray(b, float) / np.linalg.norm(b)
    cosine = float(unit_a @ unit_b)
    if cosine < -1.0 + 1e-6:
        # Close to a half turn the axis is lost in the rounding of the cross product.
        helper = np.eye(3)[int(np.argmin(np.abs(unit_a)))]
        axis = np.cross(unit_a, helper)
        half_turn = rotation_from_vector(np.pi * axis / np.linalg.norm(axis))
        return rotation_between(half_turn @ unit_a, unit_b) @ half_turn
    (ax, ay, az), (bx, by, bz) = unit_a.tolist(), unit_b.tolist()
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    # Rodrigues with sin = |a x b|: no angle is needed.
    share = 1.0 / (1.0 + cosine)
    return np.array(
        [
            [cosine + share * x * x, share * x * y - z, share * x * z + y],
            [share * x * y + z, cosine + share * y * y, share * y * z - x],
            [share * x * z - y, share * y * z + x, cosine + share * z * z],
        ]
    )


def quaternion_from_rotation(rotation: ArrayLike) -> Array:
    """Unit quaternion (x, y, z, w) with w >= 0 of a rotation matrix (3, 3)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.asarray(rotation, float).tolist()
    # Rows of four times the quaternion's outer product with itself: each is the quaternion but
    # for its length, and the one with the largest diagonal loses least to rounding.
    rows = (
        (1.0 + xx - yy - zz, xy + yx, xz + zx, zy - yz),
        (xy + yx, 1.0 - xx + yy - zz, yz + zy, xz - zx),
        (xz + zx, yz + zy, 1.0 - xx - yy + zz, yx - xy),
        (zy - yz, xz - zx, yx - xy, 1.0 + xx + yy + zz),
    )
    x, y, z, w = max(enumerate(rows), key=lambda row: row[1][row[0]])[1]
    length = sqrt(x * x + y * y + z * z + w * w)
    return np.array([x, y, z, w]) / (length if w >= 0 else -length)


def rotation_from_quaternion(quaternion: ArrayLike) -> Array:
    """Rotation matrix (3, 3) of a quaternion (x, y, z, w), normalised first."""
    q = np.asarray(quaternion, float)
    norm = np.linalg.norm(q)
    if not np.isfinite(norm) or norm < 1e-9:
        raise InputError(f"quaternion {q.tolist()} has no direction; a unit quaternion is needed")
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def align_similarity(source: ArrayLike, target: ArrayLike, *, rotate: bool = True) -> Array:
    """Source (n, 3) moved onto target (n, 3) by the best similarity (orthogonal Procrustes).

    Follows FreiHAND's official metric: centre, scale by the trace of the singular values,
    reflections not excluded.

    Args:
        source: (n, 3) points.
        target: (n, 3) points.
        rotate: False aligns by centring and scaling alone.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    if source.shape != target.shape or source.ndim != 2:
        raise InputError(f"cannot align shapes {source.shape} and {target.shape}; both (n, 3)")
    target_mean = target.mean(0)
    centred_source, centred_target = source - source.mean(0), target - target_mean
    source_norm = np.linalg.norm(centred_source) + 1e-8
    target_norm = np.linalg.norm(centred_target) + 1e-8
    unit_source, unit_target = centred_source / source_norm, centred_target / target_norm
    if rotate:
        u, singular, vt = np.linalg.svd(unit_target.T @ unit_source)
        return np.asarray(unit_source @ (u @ vt).T * singular.sum() * target_norm + target_mean)
    scale = float(np.sum(unit_source * unit_target))
    return np.asarray(unit_source * scale * target_norm + target_mean)
