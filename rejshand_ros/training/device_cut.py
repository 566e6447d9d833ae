"""Many crops cut out of stored crops at once: `CropCamera` without distortion, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class DeviceCut:
    """n virtual cameras, each turned towards a square of its own stored crop.

    Attributes:
        turn: (n, 3, 3) takes the stored crop's camera axes to the cut's; see
            `CropCamera.crop_from_camera`.
        homography: (n, 3, 3) from stored-crop pixels to cut pixels.
        size: Side of the cuts, pixels.
    """

    turn: Tensor
    homography: Tensor
    size: int

    @classmethod
    def around(
        cls,
        matrix: Tensor,
        centre: Tensor,
        side_px: Tensor,
        roll: Tensor,
        mirror: Tensor,
        size: int,
    ) -> DeviceCut:
        """Turn the cameras; the formulas are those of `CropCamera.around`.

        Args:
            matrix: (n, 3, 3) intrinsics of the stored crops.
            centre: (n, 2) pixels there.
            side_px: (n,) side of the square, pixels there.
            roll: (n,) radians.
            mirror: (n,) bool, flip left to right.
            size: Side of the cuts, pixels.
        """
        # Small matrices in double precision cost nothing and keep pixels exact.
        matrix = matrix.double()
        back = torch.linalg.inv(matrix)
        ones = torch.ones_like(side_px, dtype=torch.float64)
        ray = (
            back @ torch.stack([centre[:, 0].double(), centre[:, 1].double(), ones], 1)[..., None]
        )[..., 0]
        length = ray.norm(dim=1)
        c, s, o = roll.double().cos(), roll.double().sin(), torch.zeros_like(ones)
        spin = torch.stack([c, s, o, -s, c, o, o, o, ones], 1).reshape(-1, 3, 3)
        rotation = spin @ _onto_axis(ray / length[:, None])
        flip = torch.where(mirror, -1.0, 1.0).double()
        rotation = torch.stack([flip, ones, ones], 1)[:, :, None] * rotation
        determinant = torch.linalg.det(back[:, :2, :2]).abs()
        focal = size * length / (side_px.double() * determinant.sqrt())
        middle = torch.full_like(focal, (size - 1) / 2)
        ours = torch.stack([focal, o, middle, o, focal, middle, o, o, ones], 1).reshape(-1, 3, 3)
        return cls(rotation.float(), ours @ rotation @ back, size)

    def warp(self, crops: Tensor) -> Tensor:
        """Pictures (n, 3, size, size) float32 0..255 of stored crops (n, S, S, 3) uint8.

        What lies outside of a stored crop is black.
        """
        steps = torch.arange(self.size, device=crops.device, dtype=torch.float64)
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        pixels = torch.stack([x, y, torch.ones_like(x)], 2).reshape(-1, 3)
        places = pixels @ torch.linalg.inv(self.homography).transpose(1, 2)
        places = places[..., :2] / places[..., 2:]
        grid = (2 * places + 1) / crops.shape[1] - 1
        grid = grid.reshape(-1, self.size, self.size, 2).float()
        planes = crops.permute(0, 3, 1, 2).float()
        return functional.grid_sample(planes, grid, mode="bilinear", align_corners=False)

    def from_image(self, pixels: Tensor) -> Tensor:
        """Cut coordinates (n, k, 2), 0..1, of stored-crop pixels (n, k, 2)."""
        h = self.homography
        mapped = pixels.double() @ h[:, :, :2].transpose(1, 2) + h[:, None, :, 2]
        return ((mapped[..., :2] / mapped[..., 2:] + 0.5) / self.size).float()

    def points_to_crop(self, points: Tensor) -> Tensor:
        """Points (n, k, 3) in the stored crops' axes, turned (and mirrored) to the cuts' axes."""
        return points.float() @ self.turn.transpose(1, 2)


def _onto_axis(unit: Tensor) -> Tensor:
    """(n, 3, 3) smallest rotations that take unit directions (n, 3) onto the camera's axis.

    Rodrigues' formula with the axis a x z; crops never look backwards, so 1 + cos is not 0.
    """
    x, y, cosine = unit.unbind(1)
    o = torch.zeros_like(x)
    # The cross product matrix of a x z = (y, -x, 0).
    k = torch.stack([o, o, -x, o, o, -y, x, y, o], 1).reshape(-1, 3, 3)
    eye = torch.eye(3, dtype=unit.dtype, device=unit.device)
    return eye + k + (k @ k) / (1 + cosine)[:, None, None]
