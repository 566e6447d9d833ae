"""Meshes are drawn where the hand is, facing outwards on both sides."""

import numpy as np
import pytest

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig
from rejshand_ros.viewing.mesh_overlay import draw_mesh, draw_mesh_turned, hand_mesh


@pytest.mark.parametrize("left_share", [0.0, 1.0])
def test_mesh_covers_the_hand(left_share: float) -> None:
    config = SyntheticConfig(
        seed=3, size=96, negative_share=0.0, left_share=left_share, backgrounds=2
    )
    sample = SyntheticGenerator(config).sample(1)
    mesh = hand_mesh(sample.vertices + sample.root, mirrored=left_share > 0)
    plain = np.full((96, 96, 3), 255, np.uint8)
    drawn = draw_mesh(plain, mesh, PinholeCamera(96, 96, sample.matrix))
    covered = (drawn != plain).any(axis=2)
    pixels = sample.vertices + sample.root
    pixels = pixels @ sample.matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    inside = ((pixels > 0.5) & (pixels < 94.5)).all(axis=1)
    cells = np.rint(pixels[inside]).astype(int)
    # Every vertex projects onto a drawn pixel or, at the outline, beside one.
    near = covered | np.roll(covered, 1, 0) | np.roll(covered, -1, 0)
    near |= np.roll(near, 1, 1) | np.roll(near, -1, 1)
    assert near[cells[:, 1], cells[:, 0]].mean() > 0.99
    # Skin is brown: redder than blue, with light and shade on it.
    skin = drawn[covered].astype(int)
    assert (skin[:, 2] > skin[:, 0]).mean() > 0.95
    assert skin[:, 2].std() > 10
    half = draw_mesh(plain, mesh, PinholeCamera(96, 96, sample.matrix), opacity=0.5)
    assert np.abs(half[covered].astype(int) - (skin + 255) / 2).max() <= 1


def test_turned_mesh_fills_its_picture() -> None:
    sample = SyntheticGenerator(SyntheticConfig(seed=3, size=32, negative_share=0.0)).sample(0)
    mesh = hand_mesh(sample.vertices)
    for turn in (0.0, 90.0):
        picture = draw_mesh_turned(mesh, 64, turn)
        assert picture.shape == (64, 64, 3)
        covered = (picture != 245).any(axis=2)
        assert 0.05 < covered.mean() < 0.8
        assert not covered[0].all()
    with pytest.raises(InputError, match=r"\(778, 3\) needed"):
        hand_mesh(sample.vertices[:5])
