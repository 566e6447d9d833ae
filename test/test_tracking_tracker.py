"""The tracker's states, sides and refusals, with a network that reads positions off the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import PinholeCamera, rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.localiser import HandBox, Localiser, box_of_keypoints
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState
from rejshand_ros.tracking.tracker import HandTracker

WIDTH, HEIGHT = 640, 480
CAMERA = PinholeCamera.from_field_of_view(WIDTH, HEIGHT, 60.0)
FRAME_NS = 33_333_333
RAW = TrackingConfig(smooth=False)


@dataclass(frozen=True)
class TrueHand:
    side: Side
    position: tuple[float, float, float]
    turn: tuple[float, float, float] = (1.6, 0.0, 0.0)
    presence: float = 0.99

    @property
    def points(self) -> np.ndarray:
        """(21, 3) metres in camera axes, relative to the wrist."""
        rest = np.asarray(load_template().rest_keypoints, float)
        points = (rest - rest[0]) @ rotation_from_vector(self.turn).T
        return points * (1 if self.side is Side.RIGHT else [-1, 1, 1])

    @property
    def pixels(self) -> np.ndarray:
        return CAMERA.project(self.points + self.position)


class World:
    """Images whose colours are positions, and a network and a localiser that know the truth."""

    input_size = 64

    def __init__(self, *hands: TrueHand) -> None:
        self.hands = hands
        self.searches = 0
        self.runs = 0
        x, y = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
        self.image = np.stack([x, y, np.full_like(x, 255)], -1).astype(np.uint8)

    def predict(self, crops: np.ndarray) -> list[CropEstimate]:
        return [self._estimate(crop.astype(float)) for crop in crops]

    def _estimate(self, crop: np.ndarray) -> CropEstimate:
        self.runs += 1
        v, u = (np.mgrid[: self.input_size, : self.input_size] + 0.5) / self.input_size
        valid = crop[..., 2] > 250
        nothing = CropEstimate(
            np.full((21, 2), 0.5), np.zeros((21, 3)), np.zeros((778, 3)), 0.02, 0.5
        )
        if valid.sum() < 50 or not self.hands:
            return nothing
        pixels = crop[..., :2][valid] / 255 * (WIDTH - 1, HEIGHT - 1)

        def terms(p: np.ndarray) -> np.ndarray:
            q = (p - (320, 240)) / 320
            return np.column_stack([np.ones(len(q)), q, q**2, q[:, :1] * q[:, 1:]])

        fit = np.linalg.lstsq(terms(pixels), np.column_stack([u[valid], v[valid]]), rcond=None)[0]
        candidates = [(terms(hand.pixels) @ fit, hand) for hand in self.hands]
        found, hand = min(candidates, key=lambda c: float(np.abs(c[0].mean(0) - 0.5).max()))
        if np.mean(np.abs(found - 0.5).max(1) < 0.55) < 0.6 or np.ptp(found, axis=0).max() < 0.2:
            return nothing
        mirrored = np.linalg.det(fit[1:3]) < 0
        right = (hand.side is Side.RIGHT) != mirrored
        linear = fit[1:3].T / np.sqrt(abs(np.linalg.det(fit[1:3])))
        points = np.column_stack([hand.points[:, :2] @ linear.T, hand.points[:, 2]])
        return CropEstimate(
            found,
            points,
            np.repeat(points, 38, axis=0)[:778],
            hand.presence,
            0.97 if right else 0.03,
        )


class Finder(Localiser):
    def __init__(self, world: World, side: bool = True) -> None:
        self.world, self.tells_side = world, side

    def find(
        self, image: np.ndarray, camera: PinholeCamera, exclude: Sequence[HandBox] = ()
    ) -> list[HandBox]:
        self.world.searches += 1
        boxes = []
        for hand in self.world.hands:
            box = box_of_keypoints(hand.pixels, 0.0, hand.side, 0.9)
            # A detector is not exact.
            box = replace(box, centre=box.centre + 8, side_px=box.side_px * 1.2, roll_rad=0.0)
            if all(np.abs(box.centre - e.centre).max() > 0.3 * e.side_px for e in exclude):
                boxes.append(box if self.tells_side else replace(box, side=None))
        return boxes


def tracker_of(world: World, config: TrackingConfig = RAW, **kwargs: bool) -> HandTracker:
    return HandTracker(world, Finder(world, **kwargs), config)  # type: ignore[arg-type]


def run(
    tracker: HandTracker, world: World, first: int, count: int
) -> list[tuple[TrackedHand, ...]]:
    return [tracker.update(world.image, (first + i) * FRAME_NS, CAMERA) for i in range(count)]


RIGHT = TrueHand(Side.RIGHT, (0.08, 0.03, 0.6))
LEFT = TrueHand(Side.LEFT, (-0.12, 0.05, 0.65))


@pytest.mark.parametrize("hand", [RIGHT, LEFT])
@pytest.mark.parametrize("tells_side", [True, False])
def test_one_hand_is_found_within_two_images_and_told_right(
    hand: TrueHand, tells_side: bool
) -> None:
    world = World(hand)
    answers = run(tracker_of(world, side=tells_side), world, 0, 6)
    assert answers[0] == ()
    for answer in answers[1:]:
        (seen,) = answer
        assert seen.side is hand.side
        assert seen.state is TrackState.TRACKING
        extent = np.ptp(hand.pixels, axis=0).max()
        assert np.abs(seen.keypoints_2d - hand.pixels).max() < 0.04 * extent
        assert np.abs(seen.keypoints_3d - hand.points).max() < 0.035
        assert np.linalg.norm(seen.camera_from_wrist.translation - hand.position) < 0.06
        np.testing.assert_allclose(np.linalg.det(seen.camera_from_wrist.rotation), 1.0, atol=1e-6)
        assert seen.intrinsics_assumed


def test_a_predictor_may_answer_in_single_precision() -> None:
    class Single(World):
        def predict(self, crops: np.ndarray) -> list[CropEstimate]:
            return [
                replace(
                    estimate,
                    keypoints_2d=estimate.keypoints_2d.astype(np.float32),
                    keypoints_3d=estimate.keypoints_3d.astype(np.float32),
                    vertices=estimate.vertices.astype(np.float32),
                )
                for estimate in super().predict(crops)
            ]

    answer = run(tracker_of(Single(RIGHT)), World(RIGHT), 0, 6)[-1]
    expected = run(tracker_of(World(RIGHT)), World(RIGHT), 0, 6)[-1]
    np.testing.assert_allclose(answer[0].keypoints_3d, expected[0].keypoints_3d, atol=1e-4)
    np.testing.assert_allclose(answer[0].keypoints_2d, expected[0].keypoints_2d, atol=1e-2)


def test_following_costs_one_run_a_hand_and_hardly_a_search() -> None:
    world = World(RIGHT, LEFT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 3)
    before = world.searches, world.runs
    run(tracker, world, 3, 10)
    assert world.searches <= before[0] + 1
    assert world.runs == before[1] + 20


def test_a_search_that_is_due_waits_for_the_answer_and_changes_the_next_one() -> None:
    """Whoever asks for it between two images, and whoever does not, gets the same hands."""
    world, others = World(RIGHT), World(RIGHT)
    prompt, lazy = tracker_of(world), tracker_of(others)
    searches = []
    for number in range(45):
        if number == 20:
            world.hands = others.hands = (RIGHT, LEFT)
        before = world.searches
        answer = prompt.update(world.image, number * FRAME_NS, CAMERA)
        assert world.searches == before or number == 0
        prompt.look_about()
        searches.append(world.searches - before)
        same = lazy.update(others.image, number * FRAME_NS, CAMERA)
        assert [h.side for h in same] == [h.side for h in answer]
        for one, other in zip(same, answer, strict=True):
            np.testing.assert_array_equal(one.keypoints_3d, other.keypoints_3d)
    assert max(searches) == 1
    assert 3 <= sum(searches) <= 6
    assert {hand.side for hand in answer} == {Side.RIGHT, Side.LEFT}


def test_what_was_not_searched_before_the_stamps_ran_back_never_is() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 13)
    assert world.searches == 1
    world.hands = ()
    assert tracker.update(world.image, 0, CAMERA) == ()
    assert world.searches == 2


def test_a_second_hand_is_looked_for_seldom_and_found() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 30)
    assert world.searches <= 4
    world.hands = (RIGHT, LEFT)
    sides = [{hand.side for hand in answer} for answer in run(tracker, world, 30, 16)]
    assert sides[-1] == {Side.RIGHT, Side.LEFT}


def test_a_hand_that_leaves_is_held_then_lost_then_found_again() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    (before,) = run(tracker, world, 0, 5)[-1]
    world.hands = ()
    states = [answer[0].state for answer in run(tracker, world, 5, 15)]
    held = states.count(TrackState.HELD)
    assert held == int(RAW.hold_s * 30)
    assert states == [TrackState.HELD] * held + [TrackState.LOST] * (15 - held)
    (lost,) = tracker.update(world.image, 20 * FRAME_NS, CAMERA)
    assert lost.keypoints_2d.shape == (0, 2)
    assert np.isnan(lost.camera_from_wrist.translation).all()
    world.hands = (TrueHand(Side.RIGHT, (-0.1, -0.05, 0.5)),)
    states = [answer[0].state for answer in run(tracker, world, 21, 5)]
    assert TrackState.TRACKING in states[:3]
    assert before.state is TrackState.TRACKING


def test_a_held_hand_repeats_its_last_estimate_under_the_new_stamp() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    (before,) = run(tracker, world, 0, 5)[-1]
    world.hands = ()
    (held,) = tracker.update(world.image, 5 * FRAME_NS, CAMERA)
    assert held.stamp_ns == 5 * FRAME_NS
    np.testing.assert_array_equal(held.keypoints_3d, before.keypoints_3d)


def test_a_short_gap_keeps_the_same_track() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 5)
    world.hands = ()
    run(tracker, world, 5, 3)
    world.hands = (TrueHand(Side.RIGHT, (0.16, 0.03, 0.6)),)
    (back,) = tracker.update(world.image, 8 * FRAME_NS, CAMERA)
    assert back.state is TrackState.TRACKING


def test_a_moving_hand_is_followed_hardly_searching() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world, replace(RAW, sides=(Side.RIGHT,)))
    run(tracker, world, 0, 3)
    world.searches = 0
    for frame in range(3, 40):
        x = 0.12 * np.cos(frame / 6)
        turn = (1.6, 0.0, 0.8 * np.sin(frame / 7))
        world.hands = (TrueHand(Side.RIGHT, (x, 0.03, 0.6), turn),)
        (seen,) = tracker.update(world.image, frame * FRAME_NS, CAMERA)
        assert seen.state is TrackState.TRACKING
        assert np.abs(seen.keypoints_2d - world.hands[0].pixels).max() < 8
    assert world.searches <= 4


def test_hands_keep_their_identity_when_they_cross() -> None:
    world = World(RIGHT, LEFT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 4)
    for frame in range(4, 64):
        share = (frame - 4) / 59
        right = TrueHand(Side.RIGHT, (0.16 - 0.32 * share, -0.05, 0.6))
        left = TrueHand(Side.LEFT, (-0.16 + 0.32 * share, 0.09, 0.65))
        world.hands = (right, left)
        answer = tracker.update(world.image, frame * FRAME_NS, CAMERA)
    where = {hand.side: hand.keypoints_2d[0, 0] for hand in answer}
    assert abs(where[Side.RIGHT] - right.pixels[0, 0]) < 6
    assert abs(where[Side.LEFT] - left.pixels[0, 0]) < 6


def test_a_side_that_is_not_wanted_is_passed_over() -> None:
    world = World(LEFT)
    tracker = tracker_of(world, replace(RAW, sides=(Side.RIGHT,)))
    assert run(tracker, world, 0, 5) == [()] * 5
    world.hands = (LEFT, RIGHT)
    assert [hand.side for hand in run(tracker, world, 5, 3)[-1]] == [Side.RIGHT]


def test_one_hand_is_never_two() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    for answer in run(tracker, world, 0, 60):
        assert len(answer) <= 1


def test_a_real_hand_takes_the_place_of_a_doubtful_one() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world, replace(RAW, sides=(Side.RIGHT,)))
    run(tracker, world, 0, 5)
    doubtful = replace(RIGHT, presence=0.6)
    real = TrueHand(Side.RIGHT, (-0.15, 0.0, 0.6))
    world.hands = (doubtful, real)
    (seen,) = run(tracker, world, 5, 60)[-1]
    assert np.abs(seen.keypoints_2d - real.pixels).max() < 8
    # A good track is left alone, whatever else turns up.
    world.hands = (RIGHT, real)
    (seen,) = run(tracker, world, 65, 60)[-1]
    assert np.abs(seen.keypoints_2d - real.pixels).max() < 8


def test_an_empty_room_has_no_hands() -> None:
    world = World()
    assert run(tracker_of(world), world, 0, 5) == [()] * 5


def test_stamps_that_stand_still_or_run_backwards() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    last = run(tracker, world, 10, 4)[-1]
    runs = world.runs
    assert tracker.update(world.image, 13 * FRAME_NS, CAMERA) is last
    assert world.runs == runs
    assert tracker.update(world.image, 0, CAMERA) == ()
    (again,) = tracker.update(world.image, FRAME_NS, CAMERA)
    assert again.state is TrackState.TRACKING


def test_smoothing_is_reset_after_a_loss() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world, TrackingConfig(confirm_frames=1))
    run(tracker, world, 0, 20)
    world.hands = ()
    run(tracker, world, 20, 20)
    world.hands = (TrueHand(Side.RIGHT, (-0.1, 0.0, 0.6)),)
    (back,) = tracker.update(world.image, 40 * FRAME_NS, CAMERA)
    assert np.abs(back.keypoints_2d - world.hands[0].pixels).max() < 8


def test_a_calibrated_hand_length_sets_the_scale() -> None:
    world = World(RIGHT)
    free = run(tracker_of(world), world, 0, 4)[-1][0]
    config = replace(RAW, hand_length_m=1.2 * free.hand_length_m)
    scaled = run(tracker_of(world, config), world, 0, 4)[-1][0]
    ratio = scaled.camera_from_wrist.translation[2] / free.camera_from_wrist.translation[2]
    assert ratio == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 1), np.uint8),
        np.zeros((480, 640, 3), np.uint16),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((480, 9000, 3), np.uint8),
        None,
    ],
)
def test_images_of_another_kind_are_refused(image: np.ndarray) -> None:
    tracker = tracker_of(World(RIGHT))
    with pytest.raises(InputError, match="image"):
        tracker.update(image, 0, CAMERA)


@pytest.mark.parametrize(
    "camera",
    [
        replace(CAMERA, matrix=np.zeros((3, 3))),
        replace(CAMERA, matrix=np.full((3, 3), np.nan)),
        replace(CAMERA, distortion=np.array([np.nan])),
        replace(CAMERA, width=320),
    ],
)
def test_cameras_that_cannot_be_are_refused(camera: PinholeCamera) -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    with pytest.raises(InputError):
        tracker.update(world.image, 0, camera)


def test_a_refused_image_leaves_the_hands_as_they_were() -> None:
    world = World(RIGHT)
    tracker = tracker_of(world)
    run(tracker, world, 0, 4)
    with pytest.raises(InputError):
        tracker.update(world.image[..., 0], 4 * FRAME_NS, CAMERA)
    (seen,) = tracker.update(world.image, 5 * FRAME_NS, CAMERA)
    assert seen.state is TrackState.TRACKING


def test_a_huge_image_is_handled() -> None:
    world = World(RIGHT)
    image = cv2.resize(world.image, (7680, 4320), interpolation=cv2.INTER_NEAREST)
    camera = PinholeCamera.from_field_of_view(7680, 4320)
    tracker_of(world).update(image, 0, camera)


@pytest.mark.parametrize(
    "wrong",
    [{"acquire_presence": 1.5}, {"keep_presence": 0.97}, {"hold_s": 0.0}, {"confirm_frames": 0},
     {"sides": ()}, {"hand_length_m": 1.8}],
)  # fmt: skip
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrackingConfig(**wrong)  # type: ignore[arg-type]
