"""What `augment` does to one picture, done to many at once on the training device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from rejshand_ros.training.augment import AugmentConfig

_KERNEL = 19
"""Cells of the kernels that blur, an odd number."""
_LOW_RESOLUTIONS = (1.4, 2.0, 2.7, 3.5)


class DevicePictures:
    """Hides, blurs and recolours pictures (n, 3, S, S), float32 BGR 0..255.

    Args:
        config: How far.
        random: Where chance comes from, on the pictures' device.
    """

    def __init__(self, config: AugmentConfig, random: torch.Generator) -> None:
        self._config, self._random = config, random

    def change(self, pictures: Tensor, empty: Tensor | None) -> Tensor:
        """All changes in turn.

        Args:
            pictures: (n, 3, S, S); not changed.
            empty: (m, 3, S, S) pictures without hands to fill black surrounds with, or None.
        """
        config = self._config
        pictures = self._surrounded(pictures, empty)
        if config.scale_low >= config.scale_high:
            return pictures
        for _ in range(2):
            pictures = self._hidden(pictures)
        pictures = self._blurred(pictures)
        n = len(pictures)
        grey = (self._uniform(n) < config.grey)[:, None, None, None]
        pictures = torch.where(grey, pictures.mean(1, keepdim=True), pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        contrast = self._uniform(n, low=0.75, high=1.25)[:, None, None, None]
        gain = 1 + config.channel_noise * self._uniform(n, 3, low=-1, high=1)[..., None, None]
        low, high = config.brightness_range
        shift = 255 * self._uniform(n, low=low, high=high)[:, None, None, None]
        pictures = ((pictures - mean) * contrast + mean) * gain + shift
        sigma = (255 * config.noise * self._uniform(n).square())[:, None, None, None]
        noise = torch.empty_like(pictures).normal_(generator=self._random)
        return (pictures + sigma * noise).clamp(0, 255)

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand(shape, generator=self._random, device=self._random.device)
        return low + (high - low) * drawn

    def _surrounded(self, pictures: Tensor, empty: Tensor | None) -> Tensor:
        """Fill what is quite black with a colour, or with another picture that shows no hand."""
        n = len(pictures)
        filled = (self._uniform(n) < self._config.surround)[:, None, None, None]
        outside = (pictures < 0.5).all(1, keepdim=True) & filled
        surround = (255 * self._uniform(n, 3))[..., None, None].expand_as(pictures)
        if empty is not None and len(empty):
            index = (self._uniform(n) * len(empty)).long().clamp(max=len(empty) - 1)
            pictured = (self._uniform(n) < 0.7)[:, None, None, None]
            surround = torch.where(pictured, empty[index], surround)
        return torch.where(outside, surround, pictures)

    def _hidden(self, pictures: Tensor) -> Tensor:
        """One rectangle of some pictures: a colour, or a part of another picture."""
        n, _, size, _ = pictures.shape
        # The second rectangle comes half as often, as in `augment`.
        share = 0.75 * self._config.cutout
        chosen = self._uniform(n) < share
        half = self._uniform(n, 2, low=0.05, high=0.19) * size
        middle = self._uniform(n, 2) * size
        steps = torch.arange(size, device=pictures.device)
        x = (steps - middle[:, :1]).abs() < half[:, :1]
        y = (steps - middle[:, 1:]).abs() < half[:, 1:]
        mask = (x[:, None, :] & y[:, :, None] & chosen[:, None, None])[:, None]
        colour = (255 * self._uniform(n, 3))[..., None, None]
        other = pictures.roll(1, 0).flip(3)
        plain = (self._uniform(n) < 0.5)[:, None, None, None]
        return torch.where(mask, torch.where(plain, colour, other), pictures)

    def _blurred(self, pictures: Tensor) -> Tensor:
        """Some out of focus, some moving, some of low resolution."""
        n, _, size, _ = pictures.shape
        chosen = self._uniform(n) < self._config.blur
        kind = (self._uniform(n) * 3).long()
        soft = torch.nonzero(chosen & (kind < 2))[:, 0]
        pictures = pictures.clone()
        if len(soft):
            kernels = torch.where(
                (kind[soft] == 0)[:, None, None],
                self._round_kernels(len(soft), size),
                self._motion_kernels(len(soft), size),
            )
            k = len(soft)
            stacked = pictures[soft].reshape(1, 3 * k, size, size)
            weights = kernels.repeat_interleave(3, 0)[:, None].to(stacked.dtype)
            padded = functional.pad(stacked, (_KERNEL // 2,) * 4, mode="reflect")
            blurred = functional.conv2d(padded, weights, groups=3 * k)
            pictures[soft] = blurred.reshape(k, 3, size, size)
        level = (self._uniform(n) * len(_LOW_RESOLUTIONS)).long()
        for number, factor in enumerate(_LOW_RESOLUTIONS):
            coarse = torch.nonzero(chosen & (kind == 2) & (level == number))[:, 0]
            if len(coarse):
                small = functional.interpolate(
                    pictures[coarse], size=max(int(size / factor), 8), mode="bilinear",
                    align_corners=False, antialias=True,
                )  # fmt: skip
                pictures[coarse] = functional.interpolate(
                    small, size=size, mode="bilinear", align_corners=False
                )
        return pictures

    def _cells(self) -> tuple[Tensor, Tensor]:
        steps = torch.arange(_KERNEL, device=self._random.device) - _KERNEL // 2
        y, x = torch.meshgrid(steps.float(), steps.float(), indexing="ij")
        return x, y

    def _round_kernels(self, n: int, size: int) -> Tensor:
        x, y = self._cells()
        sigma = self._uniform(n, low=0.4, high=1.6)[:, None, None] * size / 128
        bell = torch.exp(-0.5 * (x.square() + y.square()) / sigma.square())
        return bell / bell.sum((1, 2), keepdim=True)

    def _motion_kernels(self, n: int, size: int) -> Tensor:
        """A soft line of random length and direction."""
        x, y = self._cells()
        angle = self._uniform(n, high=math.pi)[:, None, None]
        reach = 0.5 * self._uniform(n, low=3, high=10)[:, None, None] * size / 128
        along = angle.cos() * x + angle.sin() * y
        across = angle.cos() * y - angle.sin() * x
        line = (reach + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(0, 1)
        return line / line.sum((1, 2), keepdim=True)
