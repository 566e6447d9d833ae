"""The simulated hand beside the whole chain: real time, command rate; how closely joints follow."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.report import table, write_report
from rejshand_ros.errors import ProcessError
from rejshand_ros.geometry import Array
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, load_robot_hand
from rejshand_ros.simulation.backend import OneHand
from rejshand_ros.simulation.load import load_backend

PERIOD_S = 0.01
HANDS = ("allegro", "shadow")


def main() -> None:
    """Run both parts and leave out/bench/simulation.json."""
    following = {hand: sine_errors(load_robot_hand(hand, "right")) for hand in HANDS}
    with tempfile.TemporaryDirectory(prefix="rejshand_bench_") as folder:
        out = Path(folder)
        more = ("--no-preview", "--out", folder)
        with subprocess.Popen(
            [sys.executable, "-m", "rejshand_ros.cli", "demo", "--headless", *more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as chain:
            loaded = {hand: paced(hand, chain) for hand in HANDS}
            _, complaint = chain.communicate(timeout=300)
        if chain.returncode:
            raise ProcessError(f"the chain ended with {chain.returncode}: {complaint.strip()}")
        rate, spread = command_rate(out / "bag")
    steps = np.concatenate([steps_s for steps_s, _ in loaded.values()])
    rows = [
        (hand, name, 1000 * error)
        for hand, errors in following.items()
        for name, error in errors.items()
    ]
    print(table(("hand", "joint", "sine_error_mrad"), rows))
    write_report(
        "simulation",
        {
            "realtime_factor": min(factor for _, factor in loaded.values()),
            "step_p99_ms": 1000 * float(np.percentile(steps, 99)),
            "command_rate_hz": rate,
            "sine_error_rad": max(max(errors.values()) for errors in following.values()),
        },
        {
            "period_ms": 1000 * PERIOD_S,
            "physics_hz": 500,
            "realtime_factor": {hand: factor for hand, (_, factor) in loaded.items()},
            "command_interval_ms": spread,
            "sine_1hz_rms_error_rad": following,
        },
    )


def paced(hand: str, chain: subprocess.Popen[str], longest_s: float = 8.0) -> tuple[Array, float]:
    """Run a hand in a scene at real time's pace while the chain runs.

    Returns:
        Wall time (n,) of each step of a hundredth of a second, and simulated over needed time,
        in seconds: how many times faster than real time it could have run.
    """
    backend = load_backend("mujoco", load_robot_hand(hand, "right"), "cube")
    low = backend.state().positions
    spent = []
    begin = time.monotonic()
    for step in range(int(longest_s / PERIOD_S)):
        if chain.poll() is not None:
            break
        backend.set_targets(low + 0.2 * np.sin(2 * np.pi * step * PERIOD_S))
        before = time.monotonic()
        backend.step(PERIOD_S)
        backend.state()
        spent.append(time.monotonic() - before)
        time.sleep(max(0.0, begin + (step + 1) * PERIOD_S - time.monotonic()))
    if len(spent) < 100:
        raise ProcessError("the chain ended before the simulation beside it was measured")
    steps = np.array(spent)
    return steps, float(PERIOD_S * len(steps) / steps.sum())


def command_rate(bag: Path) -> tuple[float, dict[str, float]]:
    """Commands a second in a recorded episode, and how their intervals spread, milliseconds.

    Commands that a new target brings forward come besides those of the fixed rate.
    """
    with EpisodeReader(bag) as reader:
        topic = next(name for name in reader.topics if name.endswith("hand_command"))
        stamps, extra = [], 0
        for message in reader.messages([topic]):
            stamps.append(stamp_ns(message.message.header.stamp))
            extra += bool(message.message.first_for_capture)
    intervals = np.diff(np.array(stamps)) * 1e-6
    seconds = (stamps[-1] - stamps[0]) * 1e-9
    rate = (len(stamps) - 1 - extra) / seconds
    quantiles = np.percentile(intervals, [1, 50, 99])
    return rate, dict(zip(("p1", "p50", "p99"), map(float, quantiles), strict=True))


def sine_errors(robot: RobotHandConfig) -> dict[str, float]:
    """Root mean square error of each joint, radians, that follows a sine of 1 Hz by itself.

    The sine takes a third of the joint's range, or what its velocity limit allows.
    """
    backend = load_backend("mujoco", robot)
    driven = {coupling.joint for coupling in robot.couplings}
    errors = {}
    for index, name in enumerate(robot.joint_names):
        if name in driven:
            continue
        reach = robot.upper[index] - robot.lower[index]
        amplitude = min(reach / 6, 0.8 * robot.velocity[index] / (2 * np.pi))
        middle = float(np.clip(robot.rest[index], robot.lower[index] + amplitude,
                               robot.upper[index] - amplitude))  # fmt: skip
        backend.reset()
        errors[name] = _follow(backend, robot, index, middle, amplitude)
    return errors


def _follow(
    backend: OneHand, robot: RobotHandConfig, index: int, middle: float, amplitude: float
) -> float:
    target = np.array(robot.rest, float)
    squares: list[float] = []
    for step in range(300):
        target[index] = middle + amplitude * np.sin(2 * np.pi * step * PERIOD_S)
        backend.set_targets(coupled(robot, target))
        backend.step(PERIOD_S)
        if step >= 100:
            squares.append((backend.state().positions[index] - target[index]) ** 2)
    return float(np.sqrt(np.mean(squares)))


def coupled(robot: RobotHandConfig, positions: Sequence[float] | Array) -> Array:
    """Positions (n,) with the coupled joints where their leaders put them, radians."""
    ready = np.array(positions, float)
    for coupling in robot.couplings:
        leader = ready[robot.joint_names.index(coupling.leader)]
        ready[robot.joint_names.index(coupling.joint)] = (
            coupling.ratio * leader + coupling.offset_rad
        )
    return ready


if __name__ == "__main__":
    main()
