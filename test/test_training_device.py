"""Batches made on the training device: the same geometry as those of `augment`, and endless."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: make training")

from rejshand_ros.errors import ConfigError, ModelFileError  # noqa: E402
from rejshand_ros.geometry import PinholeCamera  # noqa: E402
from rejshand_ros.synthetic.generator import SyntheticGenerator  # noqa: E402
from rejshand_ros.synthetic.sample import SyntheticConfig  # noqa: E402
from rejshand_ros.synthetic.shards import generate_shard  # noqa: E402
from rejshand_ros.tracking.crop import CropCamera  # noqa: E402
from rejshand_ros.training.augment import NO_AUGMENTATION, AugmentConfig, draw_sample  # noqa: E402
from rejshand_ros.training.batches import Source  # noqa: E402
from rejshand_ros.training.config import DataConfig  # noqa: E402
from rejshand_ros.training.crops import CropStore  # noqa: E402
from rejshand_ros.training.device_batches import DeviceBatchMaker, ShardWatch, endless  # noqa: E402
from rejshand_ros.training.device_cut import DeviceCut  # noqa: E402
from rejshand_ros.training.synthetic import crops_of_samples  # noqa: E402

_CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store() -> CropStore:
    generator = SyntheticGenerator(
        SyntheticConfig(seed=5, size=96, box_scale=(1.5, 1.75), negative_share=0.2)
    )
    return crops_of_samples([generator.sample(i) for i in range(24)], "test")


def test_cuts_are_those_of_crop_camera(store: CropStore) -> None:
    rng = np.random.default_rng(0)
    n, size = len(store), 64
    centre, side = rng.uniform(30, 66, (n, 2)), rng.uniform(40, 90, n)
    roll, mirror = rng.uniform(-3, 3, n), rng.random(n) < 0.5
    cut = DeviceCut.around(
        *(torch.from_numpy(v) for v in (store.matrix, centre, side, roll, mirror)), size
    )
    pictures = cut.warp(torch.from_numpy(store.crops)).permute(0, 2, 3, 1).numpy()
    points = torch.from_numpy(np.nan_to_num(store.keypoints_3d))
    turned = cut.points_to_crop(points).numpy()
    flat = cut.from_image(torch.from_numpy(np.nan_to_num(store.keypoints_2d))).numpy()
    for i in range(n):
        camera = PinholeCamera(96, 96, store.matrix[i].astype(float))
        theirs = CropCamera.around(camera, centre[i], side[i], roll[i], size, bool(mirror[i]))
        assert np.abs(theirs.points_to_crop(points[i].numpy()) - turned[i]).max() < 1e-6
        assert (
            np.abs(theirs.from_image(np.nan_to_num(store.keypoints_2d[i])) - flat[i]).max() < 1e-5
        )
        # OpenCV rounds places to 1/32 pixel; at the picture's edge both fade to black.
        assert np.median(np.abs(theirs.warp(store.crops[i]).astype(float) - pictures[i])) <= 1.0


def test_unchanged_batches_equal_the_trackers_crops(store: CropStore) -> None:
    hands = store.take(store.has_hand)
    maker = DeviceBatchMaker([Source("a", hands, 1.0)], 64, 16, NO_AUGMENTATION, _CPU)
    batch = maker.make(3)
    rng = np.random.default_rng(0)
    known = [draw_sample(hands, i, 64, NO_AUGMENTATION, rng) for i in range(len(hands))]
    labels = np.stack([sample.keypoints_2d for sample in known])
    for i in range(16):
        gaps = np.abs(labels - batch.keypoints_2d[i].numpy()).max((1, 2))
        same = known[int(gaps.argmin())]
        assert gaps.min() < 1e-5
        assert np.abs(same.keypoints_3d - batch.keypoints_3d[i].numpy()).max() < 1e-6
        # Vertices are kept in half precision.
        assert np.abs(same.vertices - batch.vertices[i].numpy()).max() < 2e-4
        picture = 255 * (batch.images[i].numpy().transpose(1, 2, 0)[..., ::-1] + 0.5)
        assert np.median(np.abs(picture - same.image)) <= 1.0


def test_projected_truth_lands_on_the_keypoints(store: CropStore) -> None:
    """Turned, moved and scaled: 3D and 2D stay one hand (up to the root, by weak perspective)."""
    hands = store.take(store.has_hand)
    config = replace(AugmentConfig(), misplaced=0.0, flip=0.0)
    batch = DeviceBatchMaker([Source("a", hands, 1.0)], 64, 64, config, _CPU).make(0)
    flat = batch.keypoints_2d - batch.keypoints_2d.mean(1, keepdim=True)
    deep = batch.keypoints_3d[..., :2] - batch.keypoints_3d[..., :2].mean(1, keepdim=True)
    scale = (flat * deep).sum((1, 2)) / deep.square().sum((1, 2))
    gap = (flat - scale[:, None, None] * deep).norm(dim=2).mean(1)
    assert (gap / flat.norm(dim=2).mean(1)).median() < 0.12


def test_mirrored_hands_teach_no_depth_and_missed_ones_nothing(store: CropStore) -> None:
    config = replace(AugmentConfig(), flip=0.5, misplaced=0.3)
    maker = DeviceBatchMaker([Source("a", store, 1.0, empty=0.2)], 64, 256, config, _CPU)
    batch = maker.make(0)
    present = batch.presence > 0
    assert 0.4 < present.float().mean() < 0.75
    left = batch.right == 0
    assert 0.2 < left.float().mean() < 0.5
    assert torch.isnan(batch.keypoints_3d[left]).all() and torch.isnan(batch.vertices[left]).all()
    assert torch.isnan(batch.keypoints_2d[~present]).all()
    assert torch.isfinite(batch.keypoints_2d[present]).all()
    assert torch.isfinite(batch.images).all() and batch.images.abs().max() <= 0.5


def test_the_same_step_gives_the_same_batch(store: CropStore) -> None:
    def make() -> DeviceBatchMaker:
        return DeviceBatchMaker([Source("a", store, 1.0)], 64, 8, AugmentConfig(), _CPU, 7)

    first, other = make(), make()
    first.make(1)
    assert torch.equal(first.make(2).images, other.make(2).images)
    assert not torch.equal(first.make(2).images, other.make(3).images)


def test_takes_in_shards_that_come_while_training(store: CropStore, tmp_path: Path) -> None:
    maker = DeviceBatchMaker(
        [Source("synthetic", store, 1.0)], 64, 8, AugmentConfig(), _CPU, growing=tmp_path
    )
    before = len(maker)
    config = SyntheticConfig(seed=6, size=96, box_scale=(1.5, 1.75))
    generate_shard(config, 0, 5, tmp_path / "shard_0000.npz")
    batches = endless(maker, 0)
    until = time.monotonic() + 20
    while len(maker) == before and time.monotonic() < until:
        next(batches)
    batches.close()
    assert len(maker) == before + 5


def test_a_broken_shard_is_told(tmp_path: Path) -> None:
    (tmp_path / "shard_0000.npz").write_bytes(b"PK\x03\x04 and no more")
    watch = ShardWatch(tmp_path)
    try:
        with pytest.raises(ModelFileError, match="shard_0000"):
            watch.new(wait_s=20)
        assert watch.new() is None
    finally:
        watch.close()


def test_growing_without_a_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="on_device"):
        DataConfig(growing=True)
