"""Homographies and hulls of a hand's few points, compiled: numpy takes longer to be asked."""

from __future__ import annotations

from math import cos, sin

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rejshand_ros.geometry import Array


@njit(cache=True)
def _invert(matrix: Array, inverse: Array) -> None:
    """The inverse (3, 3) of a matrix (3, 3), by its cofactors."""
    for i in range(3):
        for k in range(3):
            a, b, c, d = (k + 1) % 3, (k + 2) % 3, (i + 1) % 3, (i + 2) % 3
            inverse[i, k] = matrix[a, c] * matrix[b, d] - matrix[a, d] * matrix[b, c]
    inverse /= np.sum(matrix[0] * inverse[:, 0])


@njit("f8[:, :, ::1](f8[:, ::1], f8, f8, f8, f8, f8, b1)", cache=True)
def virtual_camera(
    normal_from_image: Array,
    u: float,
    v: float,
    side_px: float,
    roll_rad: float,
    size: float,
    mirror: bool,
) -> Array:
    """A virtual camera turned towards a square of an image: see `CropCamera.around`.

    Args:
        normal_from_image: (3, 3) from full-image pixels to rays with z = 1.
        u: Column of the square's middle, pixels.
        v: Row of the square's middle, pixels.
        side_px: Side of the square, full-image pixels.
        roll_rad: The crop's turn in the image.
        size: Side of the crop, pixels.
        mirror: Whether the crop is flipped left to right.

    Returns:
        (4, 3, 3): the intrinsics, the turn from camera axes to crop axes (flipped when mirrored),
        the homography from image to crop pixels, and the one from crop to image pixels.
    """
    result = np.zeros((4, 3, 3))
    matrix, turn, crop_from_image, image_from_crop = result
    n = normal_from_image
    x = n[0, 0] * u + n[0, 1] * v + n[0, 2]
    y = n[1, 0] * u + n[1, 1] * v + n[1, 2]
    z = n[2, 0] * u + n[2, 1] * v + n[2, 2]
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    # The smallest turn of the ray onto the axis, then the roll, then the mirror.
    c, s = cos(roll_rad), sin(roll_rad)
    share = 1.0 / (1.0 + z)
    right = (z + share * y * y, -share * x * y, -x)
    down = (-share * x * y, z + share * x * x, -y)
    sign = -1.0 if mirror else 1.0
    for k in range(3):
        turn[0, k] = sign * (c * right[k] + s * down[k])
        turn[1, k] = c * down[k] - s * right[k]
    turn[2, 0], turn[2, 1], turn[2, 2] = x, y, z
    # Off the axis an image pixel spans less angle: by cos across the radius and cos^2 along it.
    # The wider of the two keeps the whole square inside the crop.
    area = abs(n[0, 0] * n[1, 1] - n[0, 1] * n[1, 0])
    focal = size * length / (side_px * np.sqrt(area))
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = focal, focal, 1.0
    matrix[0, 2] = matrix[1, 2] = (size - 1.0) / 2.0
    for k in range(3):
        across = turn[0, 0] * n[0, k] + turn[0, 1] * n[1, k] + turn[0, 2] * n[2, k]
        along = turn[1, 0] * n[0, k] + turn[1, 1] * n[1, k] + turn[1, 2] * n[2, k]
        ahead = turn[2, 0] * n[0, k] + turn[2, 1] * n[1, k] + turn[2, 2] * n[2, k]
        crop_from_image[0, k] = focal * across + matrix[0, 2] * ahead
        crop_from_image[1, k] = focal * along + matrix[1, 2] * ahead
        crop_from_image[2, k] = ahead
    crop_from_image /= crop_from_image[2, 2]
    _invert(crop_from_image, image_from_crop)
    return result


@njit("Tuple((i8[:, ::1], f8[:, ::1]))(f8[:, ::1], f8[:, ::1], i8, i8, i8, i8)", cache=True)
def shrunk_patch(
    image_from_crop: Array, crop_from_image: Array, size: int, by: int, width: int, height: int
) -> tuple[NDArray[np.int64], Array]:
    """The part of an image that lies below a crop, to be shrunk by a whole number.

    Args:
        image_from_crop: (3, 3) homography from crop pixels to image pixels.
        crop_from_image: (3, 3) its inverse.
        size: Side of the crop, pixels.
        by: Pixels of the image to one of the patch, either way.
        width: The image's, pixels.
        height: The image's, pixels.

    Returns:
        (3, 2) columns and rows: first ones, those after the last, and how many cells they are
        shrunk to; and the (3, 3) homography from the shrunk patch's pixels to crop pixels.
    """
    h = image_from_crop
    ends, cells = np.array([width, height]), np.zeros((3, 2), np.int64)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for corner in range(4):
        x, y = (corner % 2) * size - 0.5, (corner // 2) * size - 0.5
        depth = h[2, 0] * x + h[2, 1] * y + h[2, 2]
        for k in range(2):
            at = (h[k, 0] * x + h[k, 1] * y + h[k, 2]) / depth
            low[k], high[k] = min(low[k], at), max(high[k], at)
    # Image pixels of a patch pixel p: p / scale - offset, in columns and in rows.
    back = np.eye(3)
    for k in range(2):
        first = int(min(max(np.floor(low[k]) - by, 0.0), ends[k]))
        last = int(min(max(np.ceil(high[k]) + by, 0.0), ends[k]))
        count = -(-(last - first) // by)
        last = min(first + count * by, ends[k])
        cells[0, k], cells[1, k], cells[2, k] = first, last, count
        if count > 0:
            back[k, k] = (last - first) / count
            back[k, 2] = first - 0.5 + 0.5 * back[k, k]
    crop_from_patch = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                crop_from_patch[i, j] += crop_from_image[i, k] * back[k, j]
    return cells, crop_from_patch


@njit("f8[:, ::1](f8[:, ::1], f8[:, ::1], f8, f8, f8, f8)", cache=True)
def through(
    homography: Array,
    points: Array,
    scale_before: float,
    offset_before: float,
    offset_after: float,
    scale_after: float,
) -> Array:
    """Points (n, 2) scaled and moved, sent through a homography (3, 3), then moved and scaled."""
    result = np.empty_like(points)
    h = homography
    for i in range(len(points)):
        x = points[i, 0] * scale_before + offset_before
        y = points[i, 1] * scale_before + offset_before
        depth = h[2, 0] * x + h[2, 1] * y + h[2, 2]
        result[i, 0] = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / depth
        result[i, 1] = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / depth
        for k in range(2):
            result[i, k] = (result[i, k] + offset_after) * scale_after
    return result


@njit("Tuple((f8, f8, f8, f8))(f8[:, :], f8, f8, f8)", cache=True)
def turned_hull(
    points: Array, x: float, y: float, roll_rad: float
) -> tuple[float, float, float, float]:
    """Smallest and largest coordinates of points (n, 2) in axes turned by a roll about (x, y).

    Returns:
        Left, top, right and bottom: along (cos roll, sin roll) and (-sin roll, cos roll); NaN
        where a point is not finite.
    """
    c, s = cos(roll_rad), sin(roll_rad)
    left = top = np.inf
    right = bottom = -np.inf
    for i in range(len(points)):
        across, along = points[i, 0] - x, points[i, 1] - y
        a, b = c * across + s * along, c * along - s * across
        if not (np.isfinite(a) and np.isfinite(b)):
            return np.nan, np.nan, np.nan, np.nan
        left, top, right, bottom = min(left, a), min(top, b), max(right, a), max(bottom, b)
    return left, top, right, bottom


@njit("f8(f8[:, :], f8)", cache=True)
def share_inside(points: Array, reach: float) -> float:
    """Share of points (n, 2), 0..1 in a crop, nearer to its middle than a reach in both ways."""
    count = 0
    for i in range(len(points)):
        if abs(points[i, 0] - 0.5) < reach and abs(points[i, 1] - 0.5) < reach:
            count += 1
    return count / len(points)


@njit("Tuple((f8, f8))(f8[:, :], i8[::1])", cache=True)
def middle(points: Array, chosen: NDArray[np.int64]) -> tuple[float, float]:
    """Mean of the chosen ones among points (n, 2)."""
    x, y = 0.0, 0.0
    for i in chosen:
        x += points[i, 0]
        y += points[i, 1]
    return x / len(chosen), y / len(chosen)
