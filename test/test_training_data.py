"""What the network is taught: crops, augmentation and their labels agree with each other."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError, InputError, ModelFileError
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig
from rejshand_ros.training.augment import (
    NO_AUGMENTATION,
    AugmentConfig,
    draw_sample,
    upright_roll,
)
from rejshand_ros.training.batches import BatchMaker, Source, prefetched
from rejshand_ros.training.config import load_train_config, train_config
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.photograph_backgrounds import cut_photographs
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.split import is_held_out
from rejshand_ros.training.synthetic import crops_of_samples


@pytest.fixture(scope="module")
def store() -> CropStore:
    config = SyntheticConfig(
        seed=5, size=160, box_scale=(1.5, 1.75), left_share=0.5, negative_share=0.2, backgrounds=4
    )
    generator = SyntheticGenerator(config)
    return crops_of_samples([generator.sample(i) for i in range(12)], "rendered")


def _project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    homogeneous = points @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def test_left_hands_are_turned_to_right_ones(store: CropStore) -> None:
    for i in np.flatnonzero(store.has_hand):
        projected = _project(store.keypoints_3d[i], store.matrix[i])
        assert np.abs(projected - store.keypoints_2d[i]).max() < 0.1
    assert np.isnan(store.vertices[~store.has_hand]).all()


@settings(max_examples=30, deadline=None)
@given(index=st.integers(0, 11), seed=st.integers(0, 1000), flip=st.booleans())
def test_truth_lands_on_the_keypoints(index: int, seed: int, flip: bool) -> None:
    """However a crop is turned, shifted and scaled, 3D labels still project onto 2D labels."""
    crops = _STORES.setdefault("store", _make_store())
    if not crops.has_hand[index]:
        return
    config = AugmentConfig(any_roll=0.5, flip=1.0 if flip else 0.0, misplaced=0.0)
    sample = draw_sample(crops, index, 128, config, np.random.default_rng(seed))
    assert sample.image.shape == (128, 128, 3)
    assert sample.right == (0.0 if flip else 1.0)
    if flip:
        assert np.isnan(sample.keypoints_3d).all()
        return
    # Shape is kept, only turned; and a camera at its distance sees it exactly on the 2D labels.
    assert np.allclose(sample.keypoints_3d[9], 0, atol=1e-6)
    before = crops.keypoints_3d[index] - crops.keypoints_3d[index, 9]
    assert np.allclose(
        np.linalg.norm(sample.keypoints_3d, axis=1), np.linalg.norm(before, axis=1), atol=1e-5
    )
    distance_m = float(np.linalg.norm(crops.keypoints_3d[index, 9]))
    assert _misfit(sample.keypoints_3d, sample.keypoints_2d, distance_m) < 1e-4


def _misfit(keypoints_3d: np.ndarray, keypoints_2d: np.ndarray, distance_m: float) -> float:
    """How far 3D labels, seen by the best pinhole camera at their distance, miss the 2D labels.

    With the depth Z of keypoint 9, ``u - 1/2 = (f x + f X) / (z + Z)`` is linear in f, fX and fY;
    Z follows from its distance.
    """
    x, y, z = keypoints_3d.astype(float).T
    wanted = (keypoints_2d.astype(float) - 0.5).T.ravel()
    depth, misfit = distance_m, np.inf
    for _ in range(5):
        near = 1.0 / (z + depth)
        none = np.zeros_like(near)
        equations = np.stack(
            [np.r_[x * near, y * near], np.r_[near, none], np.r_[none, near]], axis=1
        )
        (focal, *shift), *_ = np.linalg.lstsq(equations, wanted, rcond=None)
        misfit = float(np.abs(equations @ (focal, *shift) - wanted).max())
        sideways = np.hypot(*shift) / focal
        depth = float(np.sqrt(max(1e-9, distance_m**2 - sideways**2)))
    return misfit


_STORES: dict[str, CropStore] = {}


def _make_store() -> CropStore:
    config = SyntheticConfig(seed=5, size=160, box_scale=(1.5, 1.75), backgrounds=4)
    generator = SyntheticGenerator(config)
    return crops_of_samples([generator.sample(i) for i in range(12)], "rendered")


def test_without_augmentation_fingers_point_up_in_the_middle(store: CropStore) -> None:
    for i in np.flatnonzero(store.has_hand):
        sample = draw_sample(store, int(i), 96, NO_AUGMENTATION, np.random.default_rng(0))
        assert abs(upright_roll(sample.keypoints_2d.astype(float))) < 0.02
        assert np.all(sample.keypoints_2d > -0.25)
        assert np.all(sample.keypoints_2d < 1.25)


def test_misplaced_boxes_teach_that_nothing_is_there(store: CropStore) -> None:
    config = AugmentConfig(misplaced=1.0)
    index = int(np.flatnonzero(store.has_hand)[0])
    for seed in range(5):
        sample = draw_sample(store, index, 64, config, np.random.default_rng(seed))
        assert sample.presence == 0.0
        assert np.isnan(sample.right)
        assert np.isnan(sample.keypoints_2d).all()
        assert np.isnan(sample.vertices).all()


def test_batches_depend_on_seed_and_step_alone(store: CropStore) -> None:
    source = Source("rendered", store, 1.0, 0.3)
    maker = BatchMaker([source], 64, 6, AugmentConfig(), seed=3)
    stream = prefetched(maker, 4)
    ahead = [next(stream) for _ in range(2)]
    stream.close()
    again = BatchMaker([source], 64, 6, AugmentConfig(), seed=3).make(5)
    assert np.array_equal(ahead[1].images, again.images)
    assert np.array_equal(ahead[1].keypoints_2d, again.keypoints_2d, equal_nan=True)
    assert not np.array_equal(ahead[0].images, again.images)


def test_a_failure_while_making_batches_is_raised(store: CropStore) -> None:
    class Broken(BatchMaker):
        def make(self, step: int):
            raise InputError("cannot be made")

    stream = prefetched(Broken([Source("x", store, 1.0)], 64, 2, AugmentConfig()), 0)
    with pytest.raises(InputError, match="cannot be made"):
        next(stream)


def test_no_data_is_an_error(store: CropStore) -> None:
    with pytest.raises(ConfigError, match="no training data"):
        BatchMaker([Source("x", store, 0.0)], 64, 2, AugmentConfig())


def test_store_survives_the_disk(store: CropStore, tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    store.save(path)
    assert np.array_equal(CropStore.load(path).crops, store.crops)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match=r"crops\.npz cannot be read"):
        CropStore.load(path)
    with pytest.raises(ModelFileError, match="missing"):
        CropStore.load(tmp_path / "none.npz")


def _photograph_folder(folder: Path) -> Path:
    import json

    import cv2

    rng = np.random.default_rng(0)
    fingers = [[0.1 + 0.2 * f, 0.8 - 0.17 * s] for f in range(5) for s in range(4)]
    hand = np.array([[0.5, 0.9], *fingers])
    lines = []
    for group in ("a", "b", "c", "g"):
        cv2.imwrite(str(folder / f"{group}.jpg"), rng.integers(0, 255, (240, 320, 3), np.uint8))
        label = {
            "uv": (100 + 80 * hand).tolist(), "xyz": np.c_[0.1 * hand, 0 * hand[:, :1]].tolist(),
            "side": "left", "agreement": 0.01, "side_agrees": True,
        }  # fmt: skip
        lines.append({"image": f"{group}.jpg", "hands": [label], "boxes": [], "group": group})
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


def test_photographs_are_split_by_group(tmp_path: Path) -> None:
    folder = _photograph_folder(tmp_path)
    training, held_out = load_photographs(folder, tmp_path / "cache")
    assert set(training.group) | set(held_out.group) == {"a", "b", "c", "g"}
    assert not set(training.group) & set(held_out.group)
    assert all(is_held_out(group) for group in held_out.group)
    again, _ = load_photographs(folder, tmp_path / "cache")
    assert np.array_equal(again.crops, training.crops)


def test_backgrounds_show_no_hand_and_no_photograph_kept_for_evaluation(tmp_path: Path) -> None:
    import json

    import cv2

    folder, lines, groups = tmp_path / "photos", [], [f"g{i}" for i in range(24)]
    folder.mkdir()
    assert 0 < sum(map(is_held_out, groups)) < len(groups)
    for group in groups:
        # Hands are white; what is kept for evaluation is bright, the rest dark.
        image = np.full((480, 640, 3), 150 if is_held_out(group) else 60, np.uint8)
        image[150:300, 200:330] = 255
        cv2.imwrite(str(folder / f"{group}.png"), image)
        hand = {"uv": [[200, 150], [329, 299]]}
        boxes = [[200, 150, 330, 300]]
        label = {"image": f"{group}.png", "hands": [hand], "boxes": boxes, "group": group}
        lines.append(json.dumps(label))
    (folder / "labels.jsonl").write_text("\n".join(lines))
    written = cut_photographs(folder / "labels.jsonl", tmp_path / "out", limit=10)
    pictures = [cv2.imread(str(path)) for path in (tmp_path / "out").iterdir()]
    assert 0 < written == len(pictures) <= 10
    assert all(picture.max() < 70 for picture in pictures)


def test_bad_photographs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no labels\.jsonl"):
        load_photographs(tmp_path, tmp_path / "cache")
    folder = _photograph_folder(tmp_path)
    (folder / "b.jpg").write_bytes(b"short")
    with pytest.raises(ModelFileError, match=r"1 of 4 images .*b\.jpg is no picture; more than 1%"):
        load_photographs(folder, tmp_path / "cache")
    (folder / "labels.jsonl").write_text('{"image": "a.jpg"}')
    with pytest.raises(ModelFileError, match="line 1 lacks boxes, group, hands"):
        load_photographs(folder, tmp_path / "cache")


def test_a_corrupt_photograph_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = _photograph_folder(tmp_path)
    lines = (folder / "labels.jsonl").read_text().splitlines()
    empty = [line.replace('"hands": [{', '"hands": [], "x": [{') for line in lines]
    (folder / "labels.jsonl").write_text("\n".join([*lines[:3], lines[3], *empty[:3] * 40]))
    training, held_out = load_photographs(folder, tmp_path / "cache")
    hands = int(training.has_hand.sum() + held_out.has_hand.sum())
    (folder / "g.jpg").write_bytes(b"short")
    with pytest.warns(UserWarning, match=r"left out: 1 of 124 images .*g\.jpg is no picture"):
        training, held_out = load_photographs(folder, tmp_path / "other")
    assert int(training.has_hand.sum() + held_out.has_hand.sum()) == hands - 1


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("network: {preset: light}\nschedule: {rate: 5e-4}\n")
    config = load_train_config(path, ["schedule.batch=8", "network.input_size=96", "out=here"])
    assert (config.schedule.rate, config.schedule.batch) == (5e-4, 8)
    assert (config.network.input_size, config.out) == (96, "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule": {"rat": 1}}, "rat"),
        ({"schedule": {"rate": "fast"}}, "float is needed"),
        ({"schedule": {"name": "step"}}, "cosine, paper"),
        ({"schedule": 3}, "section"),
        ({"augment": {"flip": 1.5}}, r"0\.\.1"),
        ({"network": {"backbone": "vgg"}}, "mobilenetv4_conv_small"),
    ],
)
def test_wrong_configuration_is_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train_config(values)


def test_shipped_configurations_are_valid() -> None:
    folder = Path(__file__).parents[1] / "config" / "training"
    for path in sorted(folder.glob("*.yaml")):
        load_train_config(path)
