"""Batches drawn, cut and changed on the training device: what `batches` does, thousands a second.

A GPU learns from crops far faster than processors cut them. Here the stores lie on the device and
a batch costs a few milliseconds. Chance is drawn from (seed, step) alone, as in `batches`, but
from the device's own generator: the same run on another kind of device sees other samples.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST
from rejshand_ros.synthetic.shards import load_shard
from rejshand_ros.training.augment import BOX_SCALE, AugmentConfig
from rejshand_ros.training.batches import Batch, Source
from rejshand_ros.training.corrupt import CorruptImages
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.device_cut import DeviceCut
from rejshand_ros.training.device_pictures import DevicePictures
from rejshand_ros.training.device_store import DeviceCrops, GrowingCrops
from rejshand_ros.training.synthetic import crops_of_shard, shard_paths

_FILLERS = 64
"""Pictures without hands that one batch fills black surrounds with."""


class ShardWatch:
    """Reads new shards of a folder that is still being rendered into, in a thread of its own.

    Args:
        folder: Of shards (.npz).
        known: Those that are in use already.
    """

    def __init__(self, folder: Path, known: Sequence[Path] = ()) -> None:
        self._folder, self._known = folder, set(known)
        self._ready: queue.Queue[CropStore | BaseException] = queue.Queue(4)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="shards", daemon=True)
        self._thread.start()

    def new(self, wait_s: float = 0.0) -> CropStore | None:
        """The next shard as crops, or None where none has come.

        Args:
            wait_s: Wait so long for one.

        Raises:
            ModelFileError: A shard cannot be read.
        """
        try:
            item = self._ready.get(timeout=wait_s) if wait_s else self._ready.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stop.wait(0.2):
            for path in sorted(set(shard_paths(self._folder)) - self._known):
                self._known.add(path)
                item: CropStore | BaseException
                try:
                    item = crops_of_shard(load_shard(path), path.stem)
                except ModelFileError as error:
                    item = error
                while not self._stop.is_set():
                    try:
                        self._ready.put(item, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if self._stop.is_set():
                    return


@dataclass
class _DeviceSource:
    source: Source
    crops: GrowingCrops
    hands: Tensor
    empty: Tensor

    def recount(self) -> None:
        has_hand = self.crops.crops.has_hand
        self.hands = torch.nonzero(has_hand)[:, 0]
        self.empty = torch.nonzero(~has_hand)[:, 0]


class DeviceBatchMaker:
    """Draws the batch of a step on a device.

    Args:
        sources: Where samples come from.
        size: Side of the network's input, pixels.
        batch: Samples a batch.
        augment: How far crops are changed.
        device: Where.
        seed: Where chance starts.
        growing: Folder whose new shards join the source named ``synthetic`` while training.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        size: int,
        batch: int,
        augment: AugmentConfig,
        device: torch.device,
        seed: int = 0,
        *,
        growing: Path | None = None,
    ) -> None:
        used = [s for s in sources if len(s.store) and s.share > 0]
        if not used:
            raise ConfigError("no training data: every source is empty or has a share of 0")
        self._size, self._augment, self._seed, self._device = size, augment, seed, device
        self._random = torch.Generator(device)
        self._sources = []
        for source in used:
            crops = GrowingCrops(DeviceCrops.of(source.store, device))
            nothing = torch.zeros(0, dtype=torch.long, device=device)
            ours = _DeviceSource(source, crops, nothing, nothing)
            ours.recount()
            self._sources.append(ours)
        shares = np.array([s.share for s in used]) / sum(s.share for s in used)
        ends = np.rint(np.cumsum(shares) * batch).astype(int)
        self._counts = np.diff(ends, prepend=0).tolist()
        self._watch = None if growing is None else ShardWatch(growing, shard_paths(growing))
        self.corrupt = CorruptImages(sum(len(s.store) for s in used))

    def __len__(self) -> int:
        """Crops on the device."""
        return sum(len(source.crops) for source in self._sources)

    def make(self, step: int) -> Batch:
        """The batch of a step, its fields tensors on the device."""
        if self._watch is not None:
            self._take_in(self._watch)
        self._random.manual_seed((self._seed << 32) + step)
        parts = [
            self._part(source, count)
            for source, count in zip(self._sources, self._counts, strict=True)
            if count
        ]
        columns = [torch.cat(column) for column in zip(*parts, strict=True)]
        pictures, rest = columns[0], columns[1:]
        changed = DevicePictures(self._augment, self._random).change(pictures, self._fillers())
        # Networks take RGB / 255 - 0.5; whole numbers are what a camera would give.
        images = changed.round().flip(1) / 255 - 0.5
        return Batch(images, *rest)

    def _take_in(self, watch: ShardWatch) -> None:
        more = watch.new()
        if more is not None:
            for source in self._sources:
                if source.source.name == "synthetic":
                    source.crops.add(DeviceCrops.of(more, self._device))
                    source.recount()

    def close(self) -> None:
        """Stop reading shards."""
        if self._watch is not None:
            self._watch.close()

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand(shape, generator=self._random, device=self._device)
        return low + (high - low) * drawn

    def _pick(self, source: _DeviceSource, count: int) -> Tensor:
        """(count,) numbers of crops."""

        def some(of: Tensor) -> Tensor:
            return of[(self._uniform(count) * len(of)).long().clamp(max=len(of) - 1)]

        if not len(source.empty):
            return some(source.hands)
        if not len(source.hands):
            return some(source.empty)
        return torch.where(
            self._uniform(count) < source.source.empty, some(source.empty), some(source.hands)
        )

    def _part(self, source: _DeviceSource, n: int) -> tuple[Tensor, ...]:
        """Pictures (n, 3, S, S) before they are changed, and the labels in the order of `Batch`."""
        config, crops = self._augment, source.crops.crops
        index = self._pick(source, n)
        wide = crops.crops.shape[1]
        present = crops.has_hand[index]
        points = torch.nan_to_num(crops.keypoints_2d[index])
        low, high = points.amin(1), points.amax(1)
        nowhere = torch.full_like(low, (wide - 1) / 2)
        centre = torch.where(present[:, None], (low + high) / 2, nowhere)
        box = torch.where(present, BOX_SCALE * (high - low).amax(1), wide / 1.5)
        along = points[:, MIDDLE_MCP] - points[:, WRIST]
        roll = torch.where(present, torch.atan2(along[:, 0], -along[:, 1]), 0.0)
        scale = self._uniform(n, low=math.log(config.scale_low), high=math.log(config.scale_high))
        scale, shift = scale.exp(), config.jitter * self._uniform(n, 2, low=-1, high=1)
        misplaced = present & (self._uniform(n) < config.misplaced)
        missing_scale, missing_shift = self._missing(n)
        scale = torch.where(misplaced, missing_scale, scale)
        shift = torch.where(misplaced[:, None], missing_shift, shift)
        turn = torch.randn(n, generator=self._random, device=self._device).clamp(-2.5, 2.5)
        any_roll = self._uniform(n) < config.any_roll
        any_roll |= ~present & (config.roll_deg > 0)
        anyhow = self._uniform(n, low=-math.pi, high=math.pi)
        roll = torch.where(any_roll, anyhow, roll + math.radians(config.roll_deg) * turn)
        flip = self._uniform(n) < config.flip
        cut = DeviceCut.around(
            crops.matrix[index], centre + shift * box[:, None], scale * box, roll, flip, self._size
        )
        present = present & ~misplaced
        # A mirrored hand is a left one: what the network says of its depth would never be used.
        known = (present & ~flip)[:, None, None]
        side = torch.where(flip, 0.0, 1.0)
        side = torch.where(present & crops.side_known[index], side, torch.nan)
        return (
            cut.warp(crops.crops[index]),
            torch.where(present[:, None, None], cut.from_image(points), torch.nan),
            torch.where(known, cut.points_to_crop(crops.keypoints_3d[index]), torch.nan),
            torch.where(known, cut.points_to_crop(crops.vertices[index]), torch.nan),
            present.float(),
            side,
            crops.weight[index],
        )

    def _missing(self, n: int) -> tuple[Tensor, Tensor]:
        """Scales (n,) and shifts (n, 2), in boxes, of cuts that miss the hand."""
        inside = self._uniform(n) < 0.5
        angle, reach = self._uniform(n, high=2 * math.pi), self._uniform(n, low=0.6, high=0.9)
        beside = reach[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
        within = self._uniform(n, 2, low=-0.4, high=0.4)
        scale = torch.where(
            inside, self._uniform(n, low=0.2, high=0.45), self._uniform(n, low=0.6, high=1.1)
        )
        return scale, torch.where(inside[:, None], within, beside)

    def _fillers(self) -> Tensor | None:
        """(m, 3, S, S) pictures without hands, whole; None where no source has any."""
        for source in self._sources:
            if len(source.empty):
                chosen = (self._uniform(_FILLERS) * len(source.empty)).long()
                picked = source.crops.crops.crops[source.empty[chosen]]
                planes = picked.permute(0, 3, 1, 2).float()
                return torch.nn.functional.interpolate(
                    planes, size=(self._size, self._size), mode="bilinear", antialias=True
                )
        return None


def endless(maker: DeviceBatchMaker, first: int) -> Iterator[Batch]:
    """Batches from step `first` on without end; closing it closes the maker."""
    step = first
    try:
        while True:
            yield maker.make(step)
            step += 1
    finally:
        maker.close()
