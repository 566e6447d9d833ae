"""summary.json of a run of the chain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.demo.accuracy import accuracy, flipped
from rejshand_ros.demo.bag_facts import BagFacts
from rejshand_ros.demo.limits_check import count_violations
from rejshand_ros.recording.episode import write_atomically
from rejshand_ros.synthetic.clip import ClipTruth


def summarise(
    facts: BagFacts,
    limits: Mapping[str, JointLimits],
    *,
    bag: Path,
    hand: str,
    side: str,
    truth: ClipTruth | None = None,
) -> dict[str, Any]:
    """Sum a run up.

    Args:
        facts: What the bag holds.
        limits: Side -> the robot hand's limits.
        bag: Folder of the bag.
        hand: Robot hand.
        side: ``right``, ``left`` or ``both``.
        truth: Of the clip, where it is known.

    Returns:
        The keys of summary.json.
    """
    sides = facts.sides
    processed = len(facts.processed)
    frames_in = int(facts.clip.get("sent", 0)) or len(facts.image_received)
    errors = [error for s in sides.values() for error in s.fingertip_errors_m]
    pose_node = next(
        (values for name, values in facts.diagnostics.items() if "runtime" in values), {}
    )
    summary: dict[str, Any] = {
        "frames_in": frames_in,
        "frames_processed": processed,
        "frames_dropped": frames_in - processed,
        "hand_found_ratio": round(len(facts.found) / processed, 4) if processed else 0.0,
        "commands": len({stamp for s in sides.values() for stamp in s.first_issued}),
        "limit_violations": sum(
            count_violations(s.command_stamps, s.command_positions, limits[name])
            for name, s in sides.items()
        ),
        "solver_failures": sum(s.solver_failures for s in sides.values()),
        "latency_ms": _latencies(facts),
        "mean_fingertip_error_mm": round(1e3 * float(np.mean(errors)), 3) if errors else None,
        "bag": str(bag),
        "hand": hand,
        "side": side,
        "weights": pose_node.get("weights", ""),
        "runtime": pose_node.get("runtime", ""),
    }
    if truth is not None:
        found = _accuracy(facts, truth)
        if found is not None:
            summary["accuracy"] = found
    return summary


def _accuracy(facts: BagFacts, truth: ClipTruth) -> dict[str, float] | None:
    """Of the hand that the clip shows; None where the chain followed the other one."""
    if facts.clip.get("flip") == "true":
        truth = flipped(truth, int(facts.clip.get("width", 0)))
    seen = facts.sides.get(str(truth.side))
    start_ns, fps = int(facts.clip.get("start_ns", 0)), float(facts.clip.get("fps", 0))
    if seen is None or not start_ns or not fps:
        return None
    return accuracy(seen, truth, start_ns, fps)


def _latencies(facts: BagFacts) -> dict[str, dict[str, float]]:
    """Stage -> percentiles, milliseconds.

    A stage ends when its message has reached the recorder, a command when it was issued. The
    recorded images are compressed after the network got them raw, so that `capture_to_image` is no
    part of `capture_to_hand_pose`.
    """
    stages: dict[str, list[int]] = {
        "capture_to_image": [at - stamp for stamp, at in facts.image_received.items()]
    }

    def between(name: str, earlier: Mapping[int, int], later: Mapping[int, int]) -> None:
        shared = [later[stamp] - earlier[stamp] for stamp in later if stamp in earlier]
        stages.setdefault(name, []).extend(shared)

    for side in facts.sides.values():
        captures = {stamp: stamp for stamp in side.first_issued}
        seen = {stamp: stamp for stamp in side.pose_received}
        between("capture_to_hand_pose", seen, side.pose_received)
        between("hand_pose_to_joint_target", side.pose_received, side.target_received)
        between("joint_target_to_command", side.target_received, side.first_issued)
        between("capture_to_command", captures, side.first_issued)
    return {name: _percentiles(values) for name, values in stages.items() if values}


def _percentiles(values_ns: list[int]) -> dict[str, float]:
    p50, p95 = np.percentile(np.asarray(values_ns, float) * 1e-6, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json."""
    write_atomically(path, json.dumps(summary, indent=2) + "\n")


def as_text(summary: Mapping[str, Any]) -> str:
    """The summary in a few lines."""
    latency = summary["latency_ms"].get("capture_to_command", {})
    error = summary["mean_fingertip_error_mm"]
    frames = (
        f"{summary['frames_in']} in, {summary['frames_processed']} processed, "
        f"{summary['frames_dropped']} dropped"
    )
    commands = (
        f"{summary['commands']} ({summary['hand']}, {summary['side']}), "
        f"{summary['limit_violations']} limit violations, "
        f"{summary['solver_failures']} solver failures"
    )
    lines = [
        f"frames      {frames}",
        f"hand        found in {100 * summary['hand_found_ratio']:.1f} %",
        f"commands    {commands}",
    ]
    if latency:
        lines.append(
            f"latency     {latency['p50']:.1f} ms median, {latency['p95']:.1f} ms p95, "
            "capture to command"
        )
    if error is not None:
        lines.append(f"fingertips  {error:.1f} mm off where the operator's hand asks them to be")
    if "accuracy" in summary:
        found = summary["accuracy"]
        lines.append(
            f"accuracy    {found['pa_mpjpe_mm']:.1f} mm PA-MPJPE, {100 * found['pck_2d']:.1f} % of "
            "keypoints in place"
        )
    return "\n".join(lines)
