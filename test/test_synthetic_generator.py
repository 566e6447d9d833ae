import cv2
import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import MIDDLE_MCP, Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.synthetic.backgrounds import load_background_folder, procedural_background
from rejshand_ros.synthetic.effects import camera_effects
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.mesh import Mesh
from rejshand_ros.synthetic.rasterizer import render
from rejshand_ros.synthetic.sample import SyntheticConfig
from rejshand_ros.synthetic.shards import generate_shard, load_shard
from rejshand_ros.synthetic.sheet import sample_sheet
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.training.synthetic import load_synthetic

ALONE = {
    "negative_share": 0.0, "held_share": 0.0, "passing_share": 0.0, "behind_share": 0.0,
    "second_hand_share": 0.0, "forearm_share": 0.0, "effects": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def generator():
    return SyntheticGenerator(SyntheticConfig(size=96, backgrounds=8))


def same(one, other):
    return np.array_equal(one.image, other.image) and np.allclose(one.vertices, other.vertices)


def test_a_sample_depends_on_seed_and_number_alone(generator):
    first = generator.sample(3)
    generator.sample(200)
    fresh = SyntheticGenerator(SyntheticConfig(size=96, backgrounds=8))
    assert same(first, generator.sample(3))
    assert same(first, fresh.sample(3))
    assert not same(first, generator.sample(4))
    assert not same(first, SyntheticGenerator(SyntheticConfig(seed=1, size=96)).sample(3))


def test_truth_is_consistent_in_itself(generator):
    regressor = load_template().joint_regressor
    for index in range(60):
        sample = generator.sample(index)
        assert sample.image.shape == (96, 96, 3)
        assert sample.image.dtype == np.uint8
        if not sample.presence:
            assert sample.side is None
            continue
        assert np.allclose(sample.keypoints_3d[MIDDLE_MCP], 0)
        camera = PinholeCamera(96, 96, sample.matrix)
        crop = CropCamera.around(camera, [47.5, 47.5], 96, 0, 96)
        points = sample.keypoints_3d + sample.root
        assert np.all(points[:, 2] > 0.05)
        # The crop of the whole crop is itself: the conventions are those of the tracker.
        np.testing.assert_allclose(crop.project(points), sample.keypoints_2d, atol=1e-9)
        hull = np.ptp(sample.keypoints_2d, axis=0).max()
        assert 1 / 1.875 - 0.01 <= hull <= 1 / 1.25 + 0.01
        # The skin is where the bones are.
        gap = np.linalg.norm(regressor @ sample.vertices - sample.keypoints_3d, axis=1)
        assert gap.max() < 0.006


@pytest.mark.parametrize("side", list(Side))
def test_the_picture_shows_the_vertices(tmp_path, side):
    cv2.imwrite(str(tmp_path / "green.png"), np.full((64, 64, 3), (0, 200, 0), np.uint8))
    config = SyntheticConfig(
        size=128, left_share=float(side is Side.LEFT), background_folder=tmp_path,
        photograph_share=1.0, **ALONE,
    )  # fmt: skip
    generator = SyntheticGenerator(config)
    faces = load_template().faces
    if side is Side.LEFT:
        faces = faces[:, ::-1]
    for index in range(8):
        sample = generator.sample(index)
        assert sample.side is side
        blue, green, red = np.moveaxis(sample.image.astype(int), -1, 0)
        seen = green - np.maximum(red, blue) < 25
        drawn = (
            render([Mesh(sample.vertices + sample.root, faces)], sample.matrix, 128, 128).alpha
            > 0.5
        )
        assert (seen & drawn).sum() / (seen | drawn).sum() > 0.93
        pixels = np.clip(np.rint(sample.keypoints_2d * 128 - 0.5).astype(int), 0, 127)
        grown = cv2.dilate(drawn.astype(np.uint8), np.ones((5, 5)))
        assert grown[pixels[:, 1], pixels[:, 0]].all()


def test_left_hands_are_mirror_images(generator):
    faces = load_template().faces
    found = set()
    for index in range(120):
        sample = generator.sample(index)
        if not sample.presence:
            continue
        a, b, c = (sample.vertices[faces[:, i]] for i in range(3))
        assert (np.sum(a * np.cross(b, c)) > 0) == (sample.side is Side.RIGHT)
        found.add(sample.side)
    assert found == set(Side)


def test_hidden_keypoints_are_known():
    clear = SyntheticGenerator(SyntheticConfig(size=96, **ALONE))
    options = {**ALONE, "passing_share": 1.0, "held_share": 1.0}
    crowded = SyntheticGenerator(SyntheticConfig(size=96, **options))
    seen, covered = (
        np.mean([g.sample(i).visible.mean() for i in range(40)]) for g in (clear, crowded)
    )
    assert seen > covered + 0.1
    assert seen > 0.5


def test_negatives_come_as_often_as_asked():
    generator = SyntheticGenerator(SyntheticConfig(size=32, negative_share=1.0, backgrounds=4))
    assert not any(generator.sample(i).presence for i in range(10))


def test_shards_hold_the_samples(tmp_path, generator):
    path = tmp_path / "deep" / "shard.npz"
    generate_shard(generator, 10, 6, path)
    shard = load_shard(path)
    assert [p.name for p in path.parent.iterdir()] == ["shard.npz"]
    for row in range(6):
        sample = generator.sample(10 + row)
        assert np.array_equal(shard.images[row], sample.image)
        np.testing.assert_allclose(shard.vertices[row], sample.vertices, atol=2e-4)
        assert shard.presence[row] == sample.presence
        assert shard.right[row] == (sample.side is Side.RIGHT)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="shard"):
        load_shard(path)


def test_effects_keep_the_picture_recognisable():
    picture = procedural_background(0, 1)[:96, :96]
    rng = np.random.default_rng(0)
    for _ in range(40):
        changed = camera_effects(rng, picture)
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
    assert np.array_equal(camera_effects(rng, picture, 0.0), picture)


def test_a_sheet_has_its_size(generator):
    assert sample_sheet(generator, 0, 2, 3, truth=True).shape == (192, 288, 3)


def test_wrong_settings_are_named(tmp_path):
    with pytest.raises(ConfigError, match="left_share"):
        SyntheticConfig(left_share=1.5)
    with pytest.raises(ConfigError, match="box_scale"):
        SyntheticConfig(box_scale=(2.0, 1.0))
    with pytest.raises(ModelFileError, match="background folder"):
        load_background_folder(tmp_path)


def test_side_views_show_the_palm_from_its_edge():
    generator = SyntheticGenerator(
        SyntheticConfig(size=32, backgrounds=2, side_view_share=1.0, **ALONE)
    )
    tilts, nearer = [], []
    for index in range(60):
        points = generator.sample(index).keypoints_3d
        normal = np.cross(points[5] - points[0], points[17] - points[0])
        tilts.append(np.degrees(np.arccos(abs(normal[2]) / np.linalg.norm(normal))))
        nearer.append(points[5, 2] < points[17, 2])
    # Even over all directions, half of them would be below 60 degrees.
    assert np.median(tilts) > 65
    # The knuckles' triangle leans from the wrist's frame, differently in each hand.
    assert np.min(tilts) > 40
    assert 0.3 < np.mean(nearer) < 0.7


def test_several_renderings_lie_in_one_folder(tmp_path):
    generator = SyntheticGenerator(SyntheticConfig(size=32, backgrounds=2, **ALONE))
    for folder in ("usual", "contorted"):
        generate_shard(generator, 0, 3, tmp_path / folder / "shard_000000000.npz")
    assert len(load_synthetic(tmp_path).crops) == 6
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match="no shard"):
        load_synthetic(tmp_path / "empty")
