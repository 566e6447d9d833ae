"""Batches mixed from several stores, each drawn by (seed, step) alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rejshand_ros.errors import ConfigError, CorruptImageError
from rejshand_ros.inference.network_input import network_input
from rejshand_ros.training.augment import AugmentConfig, TrainingSample, draw_sample
from rejshand_ros.training.corrupt import CorruptImages
from rejshand_ros.training.crops import CropStore


@dataclass(frozen=True)
class Batch:
    """Samples side by side; see `TrainingSample` for the fields.

    Arrays, or tensors where they were made on the training device.

    Attributes:
        images: (N, 3, S, S) float32, RGB/255 - 0.5.
        keypoints_2d: (N, 21, 2).
        keypoints_3d: (N, 21, 3).
        vertices: (N, 778, 3).
        presence: (N,).
        right: (N,).
        weight: (N,).
    """

    images: NDArray[np.float32] | Tensor
    keypoints_2d: NDArray[np.float32] | Tensor
    keypoints_3d: NDArray[np.float32] | Tensor
    vertices: NDArray[np.float32] | Tensor
    presence: NDArray[np.float32] | Tensor
    right: NDArray[np.float32] | Tensor
    weight: NDArray[np.float32] | Tensor

    @classmethod
    def of(cls, samples: Sequence[TrainingSample]) -> Batch:
        """Put samples together."""
        return cls(
            network_input(np.stack([s.image for s in samples])),
            np.stack([s.keypoints_2d for s in samples]),
            np.stack([s.keypoints_3d for s in samples]),
            np.stack([s.vertices for s in samples]),
            np.array([s.presence for s in samples], np.float32),
            np.array([s.right for s in samples], np.float32),
            np.array([s.weight for s in samples], np.float32),
        )


@dataclass(frozen=True)
class Source:
    """A store and how often it is drawn from.

    Attributes:
        name: For messages.
        store: The crops.
        share: Of all samples, relative to the other sources'.
        empty: Share of this source's samples that are crops without a hand.
    """

    name: str
    store: CropStore
    share: float
    empty: float = 0.0


class BatchMaker:
    """Draws the batch of a step; the same for the same seed and step, whatever came before.

    Args:
        sources: Where samples come from.
        size: Side of the network's input, pixels.
        batch: Samples a batch.
        augment: How far crops are changed.
        seed: Where chance starts.
        rank: Number of this process, of several that share each batch.
        processes: How many they are.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        size: int,
        batch: int,
        augment: AugmentConfig,
        seed: int = 0,
        *,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._sources = [s for s in sources if len(s.store) and s.share > 0]
        if not self._sources:
            raise ConfigError("no training data: every source is empty or has a share of 0")
        shares = np.array([s.share for s in self._sources])
        self._shares = shares / shares.sum()
        self._hands = [np.flatnonzero(s.store.has_hand) for s in self._sources]
        self._empty = [np.flatnonzero(~s.store.has_hand) for s in self._sources]
        self._size, self._batch, self._augment, self._seed = size, batch, augment, seed
        self._numbers = range(rank, batch, processes)
        self.corrupt = CorruptImages(sum(len(s.store) for s in self._sources))

    def make(self, step: int) -> Batch:
        """The batch of a step, or this process's part of it.

        Raises:
            ModelFileError: Too many images cannot be read.
        """
        rng = np.random.default_rng([self._seed, step])
        chosen = rng.choice(len(self._sources), self._batch, p=self._shares)
        return Batch.of([self._sample(int(chosen[i]), [step, i]) for i in self._numbers])

    def _sample(self, source: int, number: list[int]) -> TrainingSample:
        """One sample, drawn by its number alone; an image that cannot be read gives way."""
        rng = np.random.default_rng([self._seed, *number])
        store, share = self._sources[source].store, self._sources[source].empty
        while True:
            wanted, empty = self._hands[source], self._empty[source]
            if len(empty) and (not len(wanted) or rng.random() < share):
                wanted = empty
            index = int(wanted[rng.integers(len(wanted))])
            try:
                return draw_sample(store, index, self._size, self._augment, rng)
            except CorruptImageError as error:
                self.corrupt.add(error)


def prefetched(maker: BatchMaker, first: int, depth: int = 3) -> Iterator[Batch]:
    """Batches from step `first` on without end, made by a thread a few steps ahead."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(depth)
    stop = threading.Event()

    def work() -> None:
        step = first
        while not stop.is_set():
            item: Batch | BaseException
            try:
                item = maker.make(step)
            except BaseException as error:
                item = error
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return
            step += 1

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
