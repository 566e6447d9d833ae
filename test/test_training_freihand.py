"""FreiHAND's own file format: read, drawn from, refused where it is broken, evaluated."""

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from freihand_folder import vertex_order, write_freihand, write_mano
from rejshand_ros.errors import ConfigError, CorruptImageError, ModelFileError
from rejshand_ros.hand.mano import load_mano
from rejshand_ros.training.augment import NO_AUGMENTATION, AugmentConfig, draw_sample
from rejshand_ros.training.batches import BatchMaker, Source, prefetched
from rejshand_ros.training.config import DataConfig, load_train_config
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.freihand import load_freihand
from rejshand_ros.training.json_numbers import read_json_numbers
from rejshand_ros.training.sources import load_sources


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_freihand(tmp_path_factory.mktemp("freihand"), annotations=4, versions=2)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(whole, tmp_path / "freihand"))


@pytest.fixture(scope="module")
def store(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    return load_freihand(whole, "training", tmp_path_factory.mktemp("cache"))


def test_annotations_repeat_with_the_images(store: CropStore, whole: Path) -> None:
    assert len(store) == 8
    verts = json.loads((whole / "training_verts.json").read_text())
    for i in range(8):
        assert np.allclose(store.vertices[i], verts[i % 4], atol=1e-6)
        assert np.allclose(store.keypoints_3d[i], store.keypoints_3d[i % 4])
        expected = cv2.imread(str(whole / f"training/rgb/{i:08d}.jpg"))
        assert np.array_equal(store.crops[i], expected)
    half = store.take(np.arange(8) >= 5)
    assert len(half) == 3
    assert np.array_equal(half.crops[0], store.crops[5])
    assert np.array_equal(half.vertices[0], store.vertices[1])


def test_truth_lands_on_the_hand(store: CropStore) -> None:
    """The 3D annotation projects onto the 2D one, and MANO's joint matrix gives it."""
    for i in range(len(store)):
        points = store.keypoints_3d[i] @ store.matrix[i].T
        assert np.abs(points[:, :2] / points[:, 2:] - store.keypoints_2d[i]).max() < 1e-3
        sample = draw_sample(store, i, 64, NO_AUGMENTATION, np.random.default_rng(0))
        assert sample.keypoints_2d.min() > -0.25
        assert sample.keypoints_2d.max() < 1.25


def test_joint_matrix_of_the_users_mano(store: CropStore, tmp_path: Path) -> None:
    mano = load_mano(write_mano(tmp_path / "MANO_RIGHT.pkl"))
    # The rendered hands' joints are those of their skeleton; the matrix is within some mm of it.
    gap = mano.keypoint_regressor() @ store.vertices[0] - store.keypoints_3d[0]
    assert np.linalg.norm(gap, axis=1).max() < 0.008


@pytest.mark.parametrize("seed", range(4))
def test_papers_augmentation(store: CropStore, seed: int) -> None:
    """Centre, scale, any rotation, flip, channel noise, brightness: labels go with the image."""
    folder = Path(__file__).parents[1] / "config/training"
    config = load_train_config(folder / "paper.yaml").augment
    assert (config.jitter, config.scale_low, config.scale_high) == (0.1, 1.0, 1.5)
    assert (config.any_roll, config.channel_noise) == (1.0, 0.4)
    low, high = config.brightness_range
    assert (low, high) == pytest.approx((-0.4, 0.1))
    config = replace(config, flip=0.0)
    plain = draw_sample(store, 2, 64, config, np.random.default_rng(seed))
    flipped = draw_sample(store, 2, 64, replace(config, flip=1.0), np.random.default_rng(seed))
    assert np.allclose(flipped.keypoints_2d[:, 0], 1 - plain.keypoints_2d[:, 0], atol=1e-5)
    assert np.allclose(flipped.keypoints_2d[:, 1], plain.keypoints_2d[:, 1], atol=1e-5)
    assert (plain.right, flipped.right) == (1.0, 0.0)
    lengths = np.linalg.norm(store.keypoints_3d[2] - store.keypoints_3d[2, 9], axis=1)
    assert np.allclose(np.linalg.norm(plain.keypoints_3d, axis=1), lengths, atol=1e-5)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "training_K.json").unlink(), r"training_K\.json is missing"),
        (lambda f: _shorten(f / "training_verts.json"), r"training_verts\.json is cut short"),
        (lambda f: (f / "training_xyz.json").write_text("[[1, 2], [3, 4]]"), "list of 21 x 3"),
        (lambda f: (f / "training_K.json").write_text('{"a": [1]}'), "cut short"),
        (lambda f: (f / "training/rgb/00000003.jpg").unlink(), r"the first 00000003\.jpg"),
        (lambda f: (f / "training/rgb/00000007.jpg").unlink(), "7 images for 4 annotations"),
        (lambda f: shutil.rmtree(f / "training/rgb"), "does not exist"),
        (
            lambda f: shutil.copy(f / "training_K.json", f / "training_xyz.json"),
            r"training_xyz\.json holds 36 numbers",
        ),
        (
            lambda f: _edit(f / "training_xyz.json", lambda rows: rows[:3]),
            r"training_xyz\.json has 3 annotations; 4 like",
        ),
        (
            lambda f: _edit(f / "training_verts.json", _spoilt),
            r"training_verts\.json: entry 1 is not finite",
        ),
    ],
)  # fmt: skip
def test_broken_sets_are_named(folder: Path, tmp_path: Path, break_it, message: str) -> None:
    break_it(folder)
    with pytest.raises(ModelFileError, match=message):
        load_freihand(folder, "training", tmp_path / "cache")


def _edit(path: Path, change) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def _spoilt(rows: list) -> list:
    rows[1][5][0] = float("nan")
    return rows


def test_numbers_come_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(7, 3, 2))
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows.tolist(), indent=1))
    monkeypatch.setattr("rejshand_ros.training.json_numbers._BLOCK", 11)
    assert np.allclose(read_json_numbers(path, (3, 2)), rows, atol=1e-6)
    with pytest.raises(ModelFileError, match="in 29 lists"):
        read_json_numbers(path, (2, 3))


@pytest.mark.parametrize("damage", ["missing", "short", "noise", "size"])
def test_one_bad_image_is_named_when_drawn(folder: Path, tmp_path: Path, damage: str) -> None:
    store = load_freihand(folder, "training", tmp_path / "cache")
    _damage(folder / "training/rgb/00000006.jpg", damage)
    with pytest.raises(CorruptImageError, match=r"00000006\.jpg"):
        store.crops[6]
    assert store.crops[5].shape == (96, 96, 3)


def _damage(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:600])
    elif how == "noise":
        path.write_bytes(b"no picture\xff\xd9")
    else:
        cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8))


def test_training_skips_and_counts_a_corrupt_image(folder: Path, tmp_path: Path) -> None:
    """One bad image of a hundred is left out; two are too many."""
    images = folder / "training/rgb"
    for i in range(8, 100):
        shutil.copy(images / f"{i % 4:08d}.jpg", images / f"{i:08d}.jpg")
    store = load_freihand(folder, "training", tmp_path / "cache")
    assert len(store) == 100
    _damage(images / "00000050.jpg", "short")
    maker = BatchMaker([Source("freihand", store, 1.0)], 32, 50, NO_AUGMENTATION)
    for step in range(12):
        assert maker.make(step).images.shape[0] == 50
    assert maker.corrupt.count == 1
    again = BatchMaker([Source("freihand", store, 1.0)], 32, 50, NO_AUGMENTATION).make(11)
    assert np.array_equal(again.images, maker.make(11).images)
    _damage(images / "00000051.jpg", "noise")
    worse = prefetched(maker, 12)
    with pytest.raises(ModelFileError, match=r"2 of 100 images .*00000050\.jpg.* more than 1%"):
        list(islice(worse, 12))


def test_freihand_needs_mano_and_gives_its_mesh(whole: Path, tmp_path: Path) -> None:
    config = DataConfig(freihand=str(whole), cache=str(tmp_path))
    with pytest.raises(ConfigError, match=r"MANO_RIGHT\.pkl"):
        load_sources(config)
    mano = write_mano(tmp_path / "MANO_RIGHT.pkl")
    data = load_sources(replace(config, mano=str(mano)))
    assert data.mesh.name == "mano"
    assert [source.name for source in data.training] == ["freihand"]
    assert len(np.unique(vertex_order())) == 778


def test_brightness_is_checked() -> None:
    with pytest.raises(ConfigError, match="brightness"):
        AugmentConfig(brightness_centre=1.5)
