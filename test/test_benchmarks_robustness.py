"""What a benchmark of robustness does to crops is what its tables say."""

import numpy as np
import pytest

from benchmarks.robustness import Errors, markdown
from benchmarks.robustness_changes import FACTORS, hidden, lit, moving, small
from rejshand_ros.training.augment import BOX_SCALE


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 190, (128, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.45])
def test_hidden_share(share: float) -> None:
    # A slope shows every covered pixel: nowhere does the patch equal what it hides.
    slope = np.repeat(np.arange(128, dtype=np.uint8)[:, None, None], 128, 1).repeat(3, 2)
    covered = hidden(slope, share, np.random.default_rng(1)) != slope
    hull = (128 / BOX_SCALE) ** 2
    assert covered.any(axis=2).sum() / hull == pytest.approx(share, rel=0.15)


def test_motion_blur_smears_by_its_length() -> None:
    dot = np.zeros((128, 128, 3), np.uint8)
    dot[62:66, 62:66] = 255
    smeared = moving(dot, 0.2, np.random.default_rng(0))[..., 0] > 0
    rows, columns = np.nonzero(smeared)
    length = np.hypot(np.ptp(rows), np.ptp(columns))
    assert 0.8 * 25.6 < length < 1.3 * 25.6 + 6


def test_light_and_resolution(picture: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    assert lit(picture, 0.4, rng).mean() == pytest.approx(0.4 * picture.mean(), rel=0.02)
    assert np.array_equal(small(picture, 128, rng), picture)
    assert small(picture, 16, rng).std() < 0.5 * picture.std()


def test_every_factor_has_a_level_that_changes_nothing(picture: np.ndarray) -> None:
    for factor in FACTORS:
        untouched = [
            level
            for level in factor.levels
            if np.array_equal(factor.change(picture, level, np.random.default_rng(0)), picture)
            and factor.turn_rad(level) == 0
            and factor.box_scale(level) == 1
        ]
        assert len(untouched) == 1, factor.name


def test_table() -> None:
    levels = {
        "0": (Errors(0.03, 9.0, 5), Errors(0.051, None, 4)),
        "9": (Errors(0.1, 14.26, 5), None),
    }
    text = markdown({"turn": levels})
    assert text.splitlines()[-1] == "| turn | 0: **9.0**, 9: **14.3** | 0: **5.1** |"
