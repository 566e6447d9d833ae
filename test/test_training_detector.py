"""The detector's training frames: labels that move with the picture, targets, loss."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("timm", reason="the training extra is not installed")

from rejshand_ros.errors import ModelFileError  # noqa: E402
from rejshand_ros.training.detector_data import (  # noqa: E402
    LabelledHand,
    Photograph,
    load_photographs,
    load_rendered,
)
from rejshand_ros.training.detector_frames import DetectorFrames, dense_target  # noqa: E402
from rejshand_ros.training.detector_network import (  # noqa: E402
    INPUT_HEIGHT,
    INPUT_WIDTH,
    STRIDE,
    DetectorNetwork,
    detector_loss,
)
from rejshand_ros.training.split import is_held_out  # noqa: E402


def _scene(right: bool = True) -> Photograph:
    """A dark scene with one bright bar along the hand."""
    image = np.full((240, 320, 3), 30, np.uint8)
    centre = np.array([200.0, 120.0])
    cv2.rectangle(image, (190, 80), (210, 160), (255, 255, 255), -1)
    hand = LabelledHand(centre, 100.0, np.array([0.0, -1.0]), right, True)
    return Photograph(image, (hand,), "indoor_outdoor", "made")


def test_labels_move_with_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = DetectorFrames([_scene()], seed=0)
    monkeypatch.setattr(frames, "_recolour", lambda image: image)
    monkeypatch.setattr(frames, "_decoy", lambda canvas: canvas)
    seen = 0
    sides = set()
    for _ in range(60):
        image, hands = frames.frame()
        if len(hands) != 1 or hands[0].side_px < 40:
            continue
        hand = hands[0]
        assert hand.up is not None
        half = 0.4 * hand.side_px
        for along in (-0.8, 0.0, 0.8):
            x, y = np.round(hand.centre + along * half * hand.up).astype(int)
            if 2 <= x < INPUT_WIDTH - 2 and 2 <= y < INPUT_HEIGHT - 2:
                assert image[y, x].min() > 120
                seen += 1
        sides.add(hand.right)
    assert seen > 20
    assert sides == {True, False}


def test_the_target_says_where_the_hand_is() -> None:
    hand = LabelledHand(np.array([100.0, 60.0]), 56.0, np.array([0.6, -0.8]), True, True)
    target = dense_target([hand])
    row, column = np.unravel_index(np.argmax(target[0]), target[0].shape)
    values = target[:, row, column]
    cell = np.array([column, row]) + values[1:3]
    np.testing.assert_allclose(STRIDE * cell + (STRIDE - 1) / 2, hand.centre, atol=1e-4)
    assert np.exp(values[3]) * INPUT_WIDTH == pytest.approx(56.0, rel=1e-4)
    np.testing.assert_allclose(values[4:6], hand.up, atol=1e-6)
    assert values[6] == 1.0
    assert values[0] == 1.0


def test_hands_too_small_or_outside_are_neither_asked_for_nor_punished() -> None:
    for centre, side in (((100.0, 60.0), 6.0), ((-5.0, 60.0), 50.0)):
        target = dense_target([LabelledHand(np.array(centre), side, None, None, False)])
        assert target[0].max() == 0.0
        assert target[8].min() == 0.0


def test_a_perfect_answer_costs_less_than_any_other() -> None:
    hand = LabelledHand(np.array([100.0, 60.0]), 56.0, np.array([0.6, -0.8]), True, True)
    target = torch.from_numpy(dense_target([hand])[None])
    perfect = target[:, :7].clone()
    perfect[:, 0] = torch.where(target[:, 0] > 0.999, 9.0, -9.0)
    perfect[:, 6] = 20 * target[:, 6] - 10
    good = sum(float(v) for v in detector_loss(perfect, target).values())
    bad = sum(float(v) for v in detector_loss(perfect + 0.3, target).values())
    assert good < 0.05
    assert bad > good + 0.2


def test_the_network_answers_one_cell_for_each_eight_pixels() -> None:
    network = DetectorNetwork().eval()
    with torch.no_grad():
        answer = network(torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH))
    assert answer.shape == (1, 7, INPUT_HEIGHT // STRIDE, INPUT_WIDTH // STRIDE)
    assert torch.sigmoid(answer[:, 0]).max() < 0.3


def test_groups_are_split_and_never_shared() -> None:
    groups = [f"indoor_outdoor-{i}" for i in range(200)]
    held = sum(map(is_held_out, groups))
    assert 15 < held < 45
    assert [is_held_out(g) for g in groups] == [is_held_out(g) for g in groups]


def test_missing_data_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelFileError, match=r"labels\.jsonl"):
        load_photographs(tmp_path, held_out=False)
    with pytest.raises(ModelFileError, match="shard"):
        load_rendered(tmp_path, 10)
    with pytest.raises(ModelFileError, match="whole scene"):
        DetectorFrames([Photograph(np.zeros((9, 9, 3), np.uint8), (), "digits", "x")], 0)
