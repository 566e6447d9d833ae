"""The virtual camera that looks straight at a hand.

A square of the full image is not what the network should see: a hand at the image's edge would be
sheared, and its 3D axes would depend on where in the image it stands. So each crop is the image
of a virtual camera in the same place as the real one, turned towards the crop's centre, rolled
about its own axis, and for left hands mirrored. Training, synthetic data and tracking all cut with
this one class.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.tracking.image_geometry import shrunk_patch, through, virtual_camera


@dataclass(frozen=True)
class CropCamera:
    """A square crop of an image as a virtual camera.

    Pixels follow OpenCV: a pixel's centre has whole coordinates. Crop coordinates run from 0 at
    the crop's left (top) edge to 1 at the opposite edge, so the crop's middle is 0.5.

    The warp is exact for a pinhole camera. With lens distortion the centre's ray is undistorted
    exactly and the image around it is taken to first order (the lens's Jacobian at the centre),
    which keeps the warp one homography; what is left is the distortion's curvature over the crop.

    Attributes:
        centre: (2,) pixels in the full image that become the crop's middle.
        side_px: Side of the square in the full image, pixels.
        roll_rad: The image direction (sin roll, -cos roll) points up in the crop: positive when
            the crop lies turned clockwise in the image.
        size: Side of the crop, pixels.
        mirror: Whether the crop is flipped left to right.
        matrix: (3, 3) intrinsics of the virtual camera, crop pixels.
        crop_from_camera: (3, 3) takes camera axes to crop axes; a rotation, followed by x -> -x
            when mirrored.
        crop_from_image: (3, 3) homography from full-image pixels to crop pixels.
        image_from_crop: (3, 3) its inverse.
    """

    centre: Array
    side_px: float
    roll_rad: float
    size: int
    mirror: bool
    matrix: Array
    crop_from_camera: Array
    crop_from_image: Array
    image_from_crop: Array

    @classmethod
    def around(
        cls,
        camera: PinholeCamera,
        centre: ArrayLike,
        side_px: float,
        roll_rad: float = 0.0,
        size: int = 224,
        mirror: bool = False,
    ) -> CropCamera:
        """Turn a virtual camera towards a square of the image.

        Args:
            camera: The real camera.
            centre: (2,) pixels in the full image; may lie outside of it.
            side_px: Side of the square, full-image pixels at the centre.
            roll_rad: Turns the crop so that the image direction (sin roll, -cos roll) points up.
            size: Side of the crop, pixels.
            mirror: Flip left to right, for left hands.

        Raises:
            InputError: The square, the size or the camera matrix is not finite or not positive.
        """
        point = np.asarray(centre, float)
        if point.shape != (2,) or not (isfinite(point[0]) and isfinite(point[1])):
            raise InputError(f"crop centre {point.tolist()}; two finite pixel coordinates needed")
        if not (isfinite(side_px) and side_px > 0 and isfinite(roll_rad) and size > 0):
            raise InputError(
                f"crop side {side_px} px, roll {roll_rad} rad, size {size} px;"
                " finite values needed, side and size positive"
            )
        matrix, turn, crop_from_image, image_from_crop = virtual_camera(
            _local_inverse(camera, point), point[0], point[1], side_px, roll_rad, size, mirror
        )
        return cls(
            point, float(side_px), float(roll_rad), int(size), bool(mirror),
            matrix, turn, crop_from_image, image_from_crop,
        )  # fmt: skip

    @property
    def determinant(self) -> float:
        """+1, or -1 when mirrored: a mirrored crop also swaps the two sides of every triangle."""
        return -1.0 if self.mirror else 1.0

    def warp(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the crop out of an image; what lies outside of the image is black.

        Args:
            image: (H, W, 3) or (H, W) uint8.

        Returns:
            (size, size, 3) or (size, size) uint8, in the image's channel order.
        """
        homography = self.crop_from_image
        shrink = int(self.side_px / self.size)
        if shrink >= 2:
            # Far more pixels than the crop holds: average them first, or fine texture turns to
            # noise that jumps from frame to frame.
            image, homography = self._shrunk(image, shrink)
            if image.size == 0:
                return np.zeros((self.size, self.size, *image.shape[2:]), np.uint8)
        warped = cv2.warpPerspective(image, homography, (self.size, self.size))
        return np.asarray(warped, np.uint8)

    def _shrunk(self, image: NDArray[np.uint8], by: int) -> tuple[NDArray[np.uint8], Array]:
        """The image's part below the crop, shrunk; and the homography from it to the crop."""
        height, width = image.shape[:2]
        cells, crop_from_patch = shrunk_patch(
            self.image_from_crop, self.crop_from_image, self.size, by, width, height
        )
        (left, top), (right, bottom), (columns, rows) = cells.tolist()
        patch = image[top:bottom, left:right]
        if patch.size == 0:
            return patch, crop_from_patch
        shrunk = cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.uint8), crop_from_patch

    def to_image(self, points: ArrayLike) -> Array:
        """Full-image pixels (..., 2) of crop coordinates (..., 2), 0..1."""
        return _mapped(self.image_from_crop, points, (self.size, -0.5), (0.0, 1.0))

    def from_image(self, pixels: ArrayLike) -> Array:
        """Crop coordinates (..., 2), 0..1, of full-image pixels (..., 2)."""
        return _mapped(self.crop_from_image, pixels, (1.0, 0.0), (0.5, 1.0 / self.size))

    def points_to_camera(self, points: ArrayLike) -> Array:
        """Points or directions (..., 3) in crop axes, turned (and mirrored back) to camera axes."""
        return np.asarray(np.asarray(points, float) @ self.crop_from_camera)

    def points_to_crop(self, points: ArrayLike) -> Array:
        """Points or directions (..., 3) in camera axes, turned (and mirrored) to crop axes."""
        return np.asarray(np.asarray(points, float) @ self.crop_from_camera.T)

    def project(self, points: ArrayLike) -> Array:
        """Crop coordinates (..., 2), 0..1, of points (..., 3) in crop axes, metres."""
        homogeneous = np.asarray(points, float) @ self.matrix.T
        return np.asarray((homogeneous[..., :2] / homogeneous[..., 2:] + 0.5) / self.size)


def _mapped(
    homography: Array, points: ArrayLike, before: tuple[float, float], after: tuple[float, float]
) -> Array:
    """Points (..., 2) through a homography: scale and offset before it, offset and scale after."""
    given = np.asarray(points, float)
    flat = np.ascontiguousarray(given).reshape(-1, 2)
    return through(homography, flat, *before, *after).reshape(given.shape)


def _local_inverse(camera: PinholeCamera, pixel: Array) -> Array:
    """(3, 3) from full-image pixels to rays with z = 1: exact at `pixel`, affine around it."""
    matrix = camera.matrix
    if not camera.is_usable:
        raise InputError(
            f"camera matrix {np.asarray(matrix).tolist()}, distortion"
            f" {camera.distortion.tolist()}; finite values and positive focal lengths needed"
        )
    if not camera.is_distorted:
        return camera.ray_from_pixel
    ray = cv2.undistortPoints(pixel.reshape(1, 1, 2), matrix, camera.distortion).reshape(2)
    if not np.isfinite(ray).all():
        raise InputError(f"pixel {pixel.tolist()} lies outside of what the distortion model holds")
    # At distance 1 the derivative by translation is the derivative by the ray.
    _, jacobian = cv2.projectPoints(
        np.zeros((1, 1, 3)), np.zeros(3), np.array([*ray, 1.0]), matrix, camera.distortion
    )
    inverse = np.linalg.inv(jacobian[:, 3:5])
    result = np.eye(3)
    result[:2, :2] = inverse
    result[:2, 2] = ray - inverse @ pixel
    return result
