"""Whatever a hand does, the robot hand is told something it can do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rejshand_ros.geometry import Array, rotation_from_vector
from rejshand_ros.hand.keypoints import FINGERS, KNUCKLES, Side, finger_keypoints
from rejshand_ros.hand.kinematics import HandParameters, pose_hand
from rejshand_ros.hand.sampling import sample_poses
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.solver_config import SolverConfig
from shared_data import SHARED_DATA

PERIOD_NS = 33_333_333
MIRROR = np.array([1.0, -1.0, 1.0])
# Without a cap on time a solve gives the same answer on a busy machine.
PATIENT = SolverConfig(most_time_s=10.0)
_CACHE: dict[tuple[str, Side, RetargeterConfig], Retargeter] = {}


def retargeter(hand: str, side: Side, config: RetargeterConfig) -> Retargeter:
    """Compiled once for all tests, as fresh as new."""
    key = (hand, side, config)
    if key not in _CACHE:
        _CACHE[key] = Retargeter(load_robot_hand(hand, side), config)
    _CACHE[key].reset()
    return _CACHE[key]


def human_hands(seed: int, count: int) -> Array:
    """(count, 21, 3) keypoints of right hands in the wrist frame."""
    angles = sample_poses(np.random.default_rng(seed), count)
    return np.asarray(pose_hand(load_template(), HandParameters.of(angles)).keypoints)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hand=st.sampled_from(["allegro", "shadow"]),
    objective=st.sampled_from(["vector", "pinch"]),
    periods=st.lists(st.integers(1_000_000, 150_000_000), min_size=8, max_size=8),
)
def test_limits_of_position_velocity_and_acceleration_hold(
    seed: int, hand: str, objective: str, periods: list[int]
) -> None:
    solver = retargeter(hand, Side.RIGHT, RetargeterConfig(objective=objective, solver=PATIENT))
    robot = solver.robot_hand
    stamp, last, rate = 0, None, None
    for keypoints, period in zip(human_hands(seed, 8), periods, strict=True):
        stamp += period
        result = solver.retarget(keypoints, Side.RIGHT, stamp)
        assert result.outcome is not SolveOutcome.REJECTED_INPUT
        assert np.isfinite(result.positions).all()
        assert (result.positions > robot.lower).all()
        assert (result.positions < robot.upper).all()
        if last is not None:
            velocity = (result.positions - last) / (period * 1e-9)
            assert (np.abs(velocity) <= robot.velocity * (1 + 1e-6)).all()
            if rate is not None:
                change = np.abs(velocity - rate) / (period * 1e-9)
                # Braking before a position limit may not be slower than the limit allows.
                assert (change <= robot.acceleration * 1.01 + 1e-6).mean() > 0.9
            rate = velocity
        last = result.positions


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), hand=st.sampled_from(["allegro", "shadow"]))
@example(seed=1912, hand="shadow")
def test_targets_made_by_the_robot_itself_are_recovered(seed: int, hand: str) -> None:
    config = RetargeterConfig(
        frame="given",
        limit_rates=False,
        collision=False,
        solver=SolverConfig(step_weight=1e-7, most_iterations=200, most_time_s=1.0),
    )
    solver = retargeter(hand, Side.RIGHT, config)
    robot, model = solver.robot_hand, solver.model
    rng = np.random.default_rng(seed)
    middle, half = (model.lower + model.upper) / 2, (model.upper - model.lower) / 2
    goal = middle + rng.uniform(-0.7, 0.7, len(middle)) * half
    positions = model.positions(goal)
    frame = solver.objective.root_from_operator  # type: ignore[attr-defined]
    scale = robot.objective("vector").scale
    poses = model.link_poses(positions)
    keypoints = np.zeros((21, 3))
    keypoints[9] = [0, 0, 0.09]
    for term in robot.objective("vector").terms:
        base = poses[term.from_link] if term.from_link else frame
        vector = (poses[term.to_link].translation - base.translation) @ frame.rotation
        keypoints[term.to_keypoint] = vector / (term.scale or scale)
    away = rng.uniform(-1.0, 1.0, len(goal))
    for reach in (0.2, 0.05):
        start = np.clip(goal + reach * away, model.lower, model.upper)
        solver.reset(model.positions(start))
        solver.retarget(keypoints, Side.RIGHT, PERIOD_NS)
        result = solver.retarget(keypoints, Side.RIGHT, 2 * PERIOD_NS)
        assert result.outcome is not SolveOutcome.REJECTED_INPUT
        if max(result.fingertip_error_m.values()) < 1e-3:
            return
        # From 0.2 rad one start in some 400 ends in another minimum of the Shadow thumb, bent back
        # to its limit, which no descent leaves. Whoever is elsewhere has not descended.
        assert result.active_limits
    pytest.fail("not recovered from 0.05 rad away")


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), hand=st.sampled_from(["allegro", "shadow"]))
def test_a_mirrored_hand_gives_the_mirrored_command(seed: int, hand: str) -> None:
    # The left Allegro is not quite the right one's mirror image: its thumb's base lies 10 mm off,
    # as the maker has it; where fingers keep clear of the thumb, it moves them too.
    config = RetargeterConfig(collision=hand != "allegro", solver=PATIENT)
    right = retargeter(hand, Side.RIGHT, config)
    left = retargeter(hand, Side.LEFT, config)
    for index, keypoints in enumerate(human_hands(seed, 4)):
        a = right.retarget(keypoints, Side.RIGHT, (index + 1) * PERIOD_NS)
        b = left.retarget(keypoints * MIRROR, Side.LEFT, (index + 1) * PERIOD_NS)
        tips = []
        for solver, result in ((right, a), (left, b)):
            frame = solver.objective.root_from_operator  # type: ignore[attr-defined]
            found = solver.robot_fingertips(result.positions)
            tips.append(
                np.array([(tip - frame.translation) @ frame.rotation for tip in found.values()])
            )
        thumb = 1.5e-2 if hand == "allegro" else 2e-3
        np.testing.assert_allclose(tips[0][0], (tips[1] * MIRROR)[0], atol=thumb)
        np.testing.assert_allclose(tips[0][1:], (tips[1] * MIRROR)[1:], atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(vector=st.tuples(*[st.floats(-3, 3)] * 3), seed=st.integers(0, 10**6))
def test_the_camera_axes_do_not_matter(vector: tuple[float, ...], seed: int) -> None:
    solver = retargeter("allegro", Side.RIGHT, RetargeterConfig(solver=PATIENT))
    keypoints = human_hands(seed, 1)[0]
    straight = solver.retarget(keypoints, Side.RIGHT, PERIOD_NS).positions
    solver.reset()
    turned = keypoints @ rotation_from_vector(vector).T
    again = solver.retarget(turned, Side.RIGHT, PERIOD_NS).positions
    # Four tips leave some of the sixteen joints loosely determined; the tips are what counts.
    before, after = solver.robot_fingertips(straight), solver.robot_fingertips(again)
    for finger in before:
        np.testing.assert_allclose(after[finger], before[finger], atol=1e-3)


def bad_hands() -> dict[str, tuple[object, Side | str, int]]:
    """What -> keypoints, side and stamp that must be refused after one good frame."""
    good = human_hands(1, 1)[0]
    holed = good.copy()
    holed[7, 1] = np.nan
    return {
        "nan": (holed, Side.RIGHT, 2 * PERIOD_NS),
        "zeros": (np.zeros((21, 3)), Side.RIGHT, 2 * PERIOD_NS),
        "one point": (np.full((21, 3), 0.1), Side.RIGHT, 2 * PERIOD_NS),
        "giant": (10 * good, Side.RIGHT, 2 * PERIOD_NS),
        "shape": (good[:20], Side.RIGHT, 2 * PERIOD_NS),
        "text": ("hand", Side.RIGHT, 2 * PERIOD_NS),
        "other side": (good, Side.LEFT, 2 * PERIOD_NS),
        "time stands": (good, Side.RIGHT, PERIOD_NS),
        "time runs back": (good, Side.RIGHT, 0),
    }


@pytest.mark.parametrize("what", bad_hands())
def test_bad_input_is_refused_and_the_last_target_held(what: str) -> None:
    solver = retargeter("allegro", Side.RIGHT, RetargeterConfig(solver=PATIENT))
    first = solver.retarget(human_hands(0, 1)[0], Side.RIGHT, PERIOD_NS)
    keypoints, side, stamp = bad_hands()[what]
    refused = solver.retarget(keypoints, side, stamp)  # type: ignore[arg-type]
    assert refused.outcome is SolveOutcome.REJECTED_INPUT
    assert refused.reason
    np.testing.assert_array_equal(refused.positions, first.positions)
    after = solver.retarget(human_hands(0, 1)[0], Side.RIGHT, 3 * PERIOD_NS)
    assert after.outcome is not SolveOutcome.REJECTED_INPUT


def test_a_clock_that_is_set_back_is_no_late_frame() -> None:
    solver = retargeter("allegro", Side.RIGHT, RetargeterConfig(solver=PATIENT))
    hands = human_hands(0, 2)
    solver.retarget(hands[0], Side.RIGHT, 3600 * 10**9)
    stamps = [PERIOD_NS * (index + 1) for index in range(2)]
    after = [solver.retarget(hands[1], Side.RIGHT, stamp) for stamp in stamps]
    assert all(result.outcome is not SolveOutcome.REJECTED_INPUT for result in after)
    velocity = np.abs(after[1].positions - after[0].positions) / (PERIOD_NS * 1e-9)
    assert np.all(velocity <= load_robot_hand("allegro", Side.RIGHT).velocity * (1 + 1e-9))


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
@pytest.mark.parametrize("objective", ["vector", "pinch"])
def test_fingers_never_pierce_on_the_recorded_sequence(hand: str, objective: str) -> None:
    sequence = np.load(SHARED_DATA / "hand_video/dex_retargeting_keypoints.npy")
    solver = retargeter(hand, Side.RIGHT, RetargeterConfig(objective=objective, solver=PATIENT))
    pierced = []
    for index, keypoints in enumerate(sequence):
        result = solver.retarget(keypoints, Side.RIGHT, (index + 1) * PERIOD_NS)
        overlap = solver.problem.overlap(solver.model.variables(result.positions))
        if overlap > 1e-3:
            pierced.append((index, overlap))
    assert not pierced


def test_an_open_hand_opens_and_a_fist_closes_the_robot() -> None:
    template = load_template().rest_keypoints
    curled = template.copy()
    for finger in FINGERS[1:]:
        base, *rest = finger_keypoints(finger)
        for index in rest:
            curled[index] = curled[base] + [0.03, 0, -0.01]
    config = RetargeterConfig(limit_rates=False, settling_s=0.0, solver=PATIENT)
    solver = retargeter("allegro", Side.RIGHT, config)
    heights: list[float] = []
    for keypoints in (template, curled):
        result = solver.retarget(keypoints, Side.RIGHT, PERIOD_NS * (1 + len(heights)))
        frame = solver.objective.root_from_operator  # type: ignore[attr-defined]
        tips = solver.robot_fingertips(result.positions)
        heights.append(((tips["middle"] - frame.translation) @ frame.rotation)[2])
    assert KNUCKLES
    assert heights[0] - heights[1] > 0.04


@pytest.mark.parametrize(
    ("solver", "outcome"),
    [
        (SolverConfig(most_iterations=1, most_time_s=10.0), SolveOutcome.ITERATION_CAP),
        (PATIENT, SolveOutcome.CONVERGED),
    ],
)
def test_a_solve_says_how_it_ended(solver: SolverConfig, outcome: SolveOutcome) -> None:
    config = RetargeterConfig(collision=False, solver=solver)
    shadow = retargeter("shadow", Side.RIGHT, config)
    result = shadow.retarget(human_hands(5, 1)[0], Side.RIGHT, PERIOD_NS)
    assert result.outcome is outcome
    assert result.iterations <= solver.most_iterations
    assert set(result.fingertip_error_m) == set(FINGERS)


def test_a_solve_without_time_says_so() -> None:
    config = RetargeterConfig(objective="pinch", solver=SolverConfig(most_time_s=1e-9))
    shadow = retargeter("shadow", Side.RIGHT, config)
    capped = []
    for hand in human_hands(5, 30):
        shadow.reset()
        result = shadow.retarget(hand, Side.RIGHT, PERIOD_NS)
        if result.outcome is SolveOutcome.TIME_CAP:
            capped.append(result)
    # Only the longer solves get to look at the clock.
    assert capped
    assert max(result.iterations for result in capped) < config.solver.most_iterations


def test_keypoints_beyond_all_numbers_are_infeasible_and_the_target_held() -> None:
    solver = retargeter("allegro", Side.RIGHT, RetargeterConfig(solver=PATIENT))
    hand = human_hands(0, 1)[0]
    first = solver.retarget(hand, Side.RIGHT, PERIOD_NS)
    hand[8] = 1e200
    result = solver.retarget(hand, Side.RIGHT, 2 * PERIOD_NS)
    assert result.outcome is SolveOutcome.INFEASIBLE
    assert "not finite" in result.reason
    np.testing.assert_allclose(result.positions, first.positions, atol=1e-9)
