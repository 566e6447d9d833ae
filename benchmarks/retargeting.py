"""Retargeting beside dex-retargeting 0.5.0: same recording, same URDFs, interleaved in one run.

*Like for like*: its objective, solved without anything that it lacks; each frame starts from its
own previous solution, and whether a pinch has snapped follows from the human keypoints alone.
The box is its own too: it pads every limit by 1e-3 rad. `objective_ratio_within_limits` (details)
compares strictly within the URDF's limits instead, its solutions clipped to them.
*Everything on*: this project as a node runs it, against dex-retargeting as it is shipped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import retargeting_measures as measures
from benchmarks.report import write_report
from benchmarks.retargeting_motions import PERIOD_NS, dropouts, noisy, recorded, scripted_pinches
from benchmarks.retargeting_objective import PeerPinchObjective, value
from benchmarks.retargeting_peer import SCALE, Peer
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side, finger_keypoints
from rejshand_ros.retargeting.calibration_session import CalibrationSession
from rejshand_ros.retargeting.objectives import VectorObjective
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, load_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.solver_config import SolverConfig

HANDS = ("allegro", "shadow")
OBJECTIVES = ("vector", "pinch")
STEP_WEIGHT = 4e-3
PADDING = 1e-3
WARM_UP = 20
PINCHED_M = 0.03
NOISES_M = (0.003, 0.006)
NOISY_FRAMES = 200
CALIBRATION_FRAMES = 150


def like_for_like(peer: Peer, hand: str, objective: str, motion: Array) -> dict[str, float]:
    """Both solve the same problem from the same start, frame by frame in turn."""
    strict = replace(
        load_robot_hand(hand, Side.RIGHT), fixed_joints={}, couplings=(), collision=None
    )
    robot = replace(
        strict, lower=strict.lower - PADDING, upper=strict.upper + PADDING, limit_inset_rad=0.0
    )
    config = RetargeterConfig(
        objective=objective,
        frame="given",
        limit_rates=False,
        collision=False,
        settling_s=0.0,
        # The other has no cap on time, and a busy machine must not decide the objective.
        solver=SolverConfig(step_weight=STEP_WEIGHT, most_time_s=1.0, value_tolerance=1e-9),
    )
    model = RobotModel(robot)
    asked: VectorObjective = (
        PeerPinchObjective(model, robot.objective("pinch"))
        if objective == "pinch"
        else VectorObjective(model, robot.objective("vector"))
    )
    ours, inside = Retargeter(robot, config, asked), Retargeter(strict, config, asked)
    key = f"{hand} {objective} like for like"
    peer.build(key, robot, objective)
    times, values, totals = [], [], []
    previous = (strict.lower + strict.upper) / 2
    for index, keypoints in enumerate(motion):
        start = np.clip(previous, strict.lower, strict.upper)
        _, solution, seconds = peer.solve(key, keypoints)
        ours.reset(start)
        result = ours.retarget(keypoints, Side.RIGHT, PERIOD_NS * (index + 1))
        times.append((result.solve_time_s, seconds))
        inside.reset(start)
        within = inside.retarget(keypoints, Side.RIGHT, PERIOD_NS * (index + 1)).positions
        clipped = np.clip(solution, strict.lower, strict.upper)
        candidates = (result.positions, solution, within, clipped)
        values.append([value(model, asked, q) for q in candidates])
        steps = [STEP_WEIGHT * float(((q - start) ** 2).sum()) for q in candidates]
        totals.append(np.add(values[-1], steps))
        previous = solution
    own, theirs = np.array(times[WARM_UP:]).T
    mean, total = np.mean(values, axis=0), np.mean(totals, axis=0)
    return {
        "speed_ratio": float(np.median(theirs) / np.median(own)),
        "p99_speed_ratio": float(np.percentile(theirs, 99) / np.percentile(own, 99)),
        "objective_ratio": float(mean[0] / mean[1]),
        "objective_with_step_ratio": float(total[0] / total[1]),
        "objective_ratio_within_limits": float(mean[2] / mean[3]),
        "objective_with_step_ratio_within_limits": float(total[2] / total[3]),
        "solve_ms_p50": 1e3 * float(np.median(own)),
        "solve_ms_p99": 1e3 * float(np.percentile(own, 99)),
        "solve_ms_p50_theirs": 1e3 * float(np.median(theirs)),
        "solve_ms_p99_theirs": 1e3 * float(np.percentile(theirs, 99)),
        "objective": float(mean[0]),
        "objective_theirs": float(mean[1]),
    }


def run_ours(ours: Retargeter, motion: Array, lost: Array | None = None) -> tuple[Array, list[str]]:
    """Positions (t, n) over a motion, and how the solves ended; lost frames are never seen."""
    ours.reset()
    positions, outcomes = [], []
    last = ours.robot_hand.rest
    for index, keypoints in enumerate(motion):
        if lost is None or not lost[index]:
            result = ours.retarget(keypoints, Side.RIGHT, PERIOD_NS * (index + 1))
            last = result.positions
            outcomes.append(result.outcome.name)
        positions.append(last)
    return np.array(positions), outcomes


def run_theirs(peer: Peer, key: str, motion: Array, lost: Array | None = None) -> Array:
    """Positions (t, n) over a motion, through its filter; a lost frame repeats the last."""
    positions: list[Array] = []
    for index, keypoints in enumerate(motion):
        if lost is not None and lost[index] and positions:
            positions.append(positions[-1])
        else:
            positions.append(peer.solve(key, keypoints)[0])
    return np.array(positions)


def motion_figures(model: RobotModel, motion: Array, positions: Array) -> dict[str, float]:
    """Limits, velocity, jerk, lag and overlaps of one side's output."""
    tips = [finger_keypoints(finger)[-1] for finger in model.config.fingers]
    human = SCALE[model.config.hand] * motion[:, tips]
    depths = measures.overlaps(model, positions)
    return {
        "limit_violations": measures.limit_violations(model, positions),
        "max_velocity_ratio": measures.velocity_ratio(model, positions),
        "jerk_rms": measures.jerk(positions),
        "lag_ms": 1e3 * measures.lag_s(human, measures.fingertips(model, positions)),
        "overlap_share": measures.overlap_share(depths),
        "deepest_overlap_mm": 1e3 * float(depths.max()),
    }


def gaps_mm(model: RobotModel, recording: Array, script: Array) -> float:
    """Median gap over the frames of recording (t, n) and script whose human tips pinch, mm."""
    human = recorded()
    near = np.flatnonzero(np.linalg.norm(human[:, 4] - human[:, 8], axis=1) < PINCHED_M)
    gaps = [measures.pinch_gaps(model, recording[near], ["index"] * len(near))]
    motion, turns = script_of(model.config)
    tips = np.array([finger_keypoints(finger)[-1] for finger in turns])
    between = motion[np.arange(len(motion)), tips] - motion[:, 4]
    closed = np.flatnonzero(np.linalg.norm(between, axis=1) < PINCHED_M)
    gaps.append(measures.pinch_gaps(model, script[closed], [turns[i] for i in closed]))
    return 1e3 * float(np.median(np.concatenate(gaps)))


def script_of(robot: RobotHandConfig) -> tuple[Array, list[str]]:
    """The script of pinches for the fingers that a robot has."""
    return scripted_pinches(tuple(finger for finger in robot.fingers if finger != "thumb"))


def everything_on(peer: Peer, hand: str, objective: str) -> tuple[dict[str, float], dict[str, Any]]:
    """As a node runs it, against the other as it is shipped."""
    robot = load_robot_hand(hand, Side.RIGHT)
    ours = Retargeter(robot, RetargeterConfig(objective=objective))
    unguarded = Retargeter(robot, RetargeterConfig(objective=objective, collision=False))
    model, motion = ours.model, recorded()
    fresh = iter(range(100))

    def theirs(moving: Array, lost: Array | None = None) -> Array:
        key = f"{hand} {objective} shipped {next(fresh)}"
        peer.build(key, robot, objective)
        return run_theirs(peer, key, moving, lost)

    positions, outcomes = run_ours(ours, motion)
    their_positions = theirs(motion)
    own, other = (motion_figures(model, motion, q) for q in (positions, their_positions))
    figures = {
        "limit_violations": own["limit_violations"],
        "limit_violations_theirs": other["limit_violations"],
        "max_velocity_ratio": own["max_velocity_ratio"],
        "max_velocity_ratio_theirs": other["max_velocity_ratio"],
        "jerk_ratio": own["jerk_rms"] / other["jerk_rms"],
        "lag_ms": own["lag_ms"],
        "lag_ms_theirs": other["lag_ms"],
    }
    if objective == "pinch":
        script, _ = script_of(robot)
        figures["pinch_gap_mm_p50"] = gaps_mm(model, positions, run_ours(ours, script)[0])
        figures["pinch_gap_mm_p50_theirs"] = gaps_mm(model, their_positions, theirs(script))
    bare = measures.overlaps(model, run_ours(unguarded, motion)[0])
    details: dict[str, Any] = {
        "ours": own,
        "theirs": other,
        "unguarded_overlap_share": measures.overlap_share(bare),
        "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
    }
    for sigma in NOISES_M:
        moved = noisy(motion, sigma)
        details[f"noise_{1e3 * sigma:.0f}_mm"] = {
            "ours": motion_figures(model, motion, run_ours(ours, moved)[0]),
            "theirs": motion_figures(model, motion, theirs(moved)),
        }
    lost = dropouts(len(motion))
    # A lost frame repeats the last target: its steps are no velocities.
    unseen = ("max_velocity_ratio", "jerk_rms")
    held = (run_ours(ours, motion, lost)[0], theirs(motion, lost))
    details["dropouts"] = {
        side: {k: v for k, v in motion_figures(model, motion, q).items() if k not in unseen}
        for side, q in zip(("ours", "theirs"), held, strict=True)
    }
    return figures, details


def calibrated(hand: str, objective: str) -> dict[str, Any]:
    """Fixed scales against a calibration from the recording's first five seconds."""
    robot = load_robot_hand(hand, Side.RIGHT)
    motion = recorded()
    config = RetargeterConfig(objective=objective, settling_s=0.0, limit_rates=False)
    ours = Retargeter(robot, config)
    session = CalibrationSession(ours.model)
    for index, keypoints in enumerate(motion[:CALIBRATION_FRAMES]):
        session.add(keypoints, PERIOD_NS * index)
    calibration = session.finish("recorded")
    found: dict[str, Any] = {"quality": calibration.quality}
    for label, person in (("fixed", None), ("calibrated", calibration)):
        ours.calibrate(person)
        positions, _ = run_ours(ours, motion)
        script, _ = run_ours(ours, script_of(robot)[0])
        found[label] = {
            "direction_error_deg": measures.direction_error_deg(ours.model, motion, positions),
            "pinch_gap_mm_p50": gaps_mm(ours.model, positions, script),
        }
    return found


def main() -> None:
    """Measure every hand and objective."""
    results: dict[str, dict[str, Any]] = {}
    details: dict[str, dict[str, Any]] = {}
    with Peer() as peer:
        for hand in HANDS:
            results[hand], details[hand] = {}, {}
            for objective in OBJECTIVES:
                motion = recorded()
                same = like_for_like(peer, hand, objective, motion)
                on, more = everything_on(peer, hand, objective)
                kept = ("speed_ratio", "p99_speed_ratio", "objective_ratio")
                results[hand][objective] = {**{key: same[key] for key in kept}, **on}
                details[hand][objective] = {
                    "like_for_like": same,
                    "like_for_like_noise": {
                        f"{1e3 * sigma:.0f}_mm": like_for_like(
                            peer, hand, objective, noisy(motion, sigma)[:NOISY_FRAMES]
                        )
                        for sigma in NOISES_M
                    },
                    "everything_on": more,
                    "calibration": calibrated(hand, objective),
                }
    write_report("retargeting", {"results": results}, details)


if __name__ == "__main__":
    main()
