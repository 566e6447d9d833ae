"""Recording without loss: a long episode counted by sequence, random kills, and the export.

``SECONDS=600`` and ``KILLS=20`` in the environment set its length; these are the defaults.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.recording_load import COMMAND_LEAD_S, GREETING, motion
from benchmarks.report import write_report
from rejshand_ros.geometry import Array
from rejshand_ros.recording.dataset.export import ExportConfig, export_dataset
from rejshand_ros.recording.episode import METADATA_NAME
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.repair import repair_episode

TOPICS = ("/image_raw/compressed", "/right/joint_states", "/right/hand_command")
EXPORT_PARTS = 4


@contextlib.contextmanager
def recorder(root: Path, episode: str) -> Iterator[subprocess.Popen[bytes]]:
    """A recorder node writing one episode; killed if it does not end in time."""
    command = [sys.executable, "-m", "rejshand_ros.nodes.recorder", "--ros-args"]
    command += ["-p", f"folder:={root}", "-p", f"episode:={episode}"]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def load(seconds: float) -> subprocess.Popen[str]:
    """The numbered publishers."""
    command = [sys.executable, "-m", "benchmarks.recording_load", "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def resident_mb(pid: int) -> float:
    """Memory of a process, megabytes; NaN once it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return float("nan")


def lost_by_sequence(episode: Path, sent: list[int]) -> dict[str, list[int]]:
    """Numbers of the messages that were sent and are not in the episode, by topic."""
    numbers: dict[str, set[int]] = {topic: set() for topic in TOPICS}
    with EpisodeReader(episode) as reader:
        for item in reader.messages(TOPICS):
            numbers[item.topic].add(int(item.message.header.frame_id))
    return {
        topic: sorted(set(range(count)) - numbers[topic])
        for topic, count in zip(TOPICS, sent, strict=True)
    }


def long_episode(root: Path, seconds: float) -> dict[str, Any]:
    """Record for a while and count."""
    memory: list[float] = []
    with recorder(root, "long") as process:
        publisher = load(seconds)
        while publisher.poll() is None:
            memory.append(resident_mb(process.pid))
            time.sleep(1.0)
        assert publisher.stdout is not None
        sent = [int(number) for number in publisher.stdout.read().split()]
    lost = lost_by_sequence(root / "long", sent)
    # The first seconds fill caches and the interpreter's pools.
    settled = memory[min(len(memory) // 10, 20) :]
    return {
        "seconds": seconds,
        "sent": dict(zip(TOPICS, sent, strict=True)),
        "lost": lost,
        "memory_first_mb": float(np.median(settled[:10])),
        "memory_last_mb": float(np.median(settled[-10:])),
    }


def one_kill(root: Path, name: str, after_s: float) -> dict[str, Any]:
    """Kill a recorder at a moment and see what a repair brings back."""
    with recorder(root, name) as process:
        publisher = load(after_s + 10.0)
        try:
            path = root / name / f"{name}_0.mcap"
            give_up = time.monotonic() + 30.0
            while not (path.exists() and path.stat().st_size > 100_000):
                if time.monotonic() > give_up:
                    raise SystemExit("recording: the recorder wrote nothing within 30 s")
                time.sleep(0.02)
            time.sleep(after_s)
            process.kill()
            killed_ns = time.time_ns()
            process.wait()
        finally:
            publisher.kill()
            publisher.wait()
    unfinished = not (root / name / METADATA_NAME).exists()
    report = repair_episode(root / name)
    with EpisodeReader(root / name) as reader:
        received = [stamp for _, _, stamp, _ in reader.serialised()]
        lost_s = (killed_ns - max(received)) * 1e-9
        numbers: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        for item in reader.messages(TOPICS):
            if item.message.header.frame_id != GREETING:
                numbers[item.topic].append(int(item.message.header.frame_id))
    holes = sum(max(n) - min(n) + 1 - len(n) for n in numbers.values() if n)
    return {
        "lost_s": lost_s,
        "recovered": unfinished and report.messages > 0 and holes == 0,
        "messages": report.messages,
    }


def split(episode: Path, parts: int) -> list[Path]:
    """Copy an episode's folder several times: as many episodes to export."""
    copies = []
    for number in range(parts):
        copy = episode.parent / "copies" / f"take{number}"
        copy.mkdir(parents=True)
        for path in episode.iterdir():
            shutil.copyfile(path, copy / path.name)
        copies.append(copy)
    return copies


def alignment_errors_ms(data_set: Path) -> Array:
    """How far in time each row of an exported data set is from what the joints really did.

    Args:
        data_set: A LeRobot data set of episodes made from `recording_load`.

    Returns:
        (n, 2) milliseconds, of the measured and the commanded joints: the distance between the
        positions in the row and those at its capture stamp, over the joints' speed.
    """
    errors = []
    for path in sorted((data_set / "data").rglob("*.parquet")):
        rows = pq.read_table(path).to_pydict()
        stamps = np.array(rows["capture_stamp_ns"], np.int64)
        for key, lead_s in (("observation.state", 0.0), ("action", COMMAND_LEAD_S)):
            positions, velocities = motion(stamps + round(lead_s * 1e9))
            off = np.linalg.norm(np.array(rows[key]) - positions, axis=1)
            errors.append(1e3 * off / np.linalg.norm(velocities, axis=1))
    return np.concatenate([np.stack(errors[i : i + 2], 1) for i in range(0, len(errors), 2)])


def main() -> None:
    """Run the benchmark and write out/bench/recording.json."""
    seconds = float(os.environ.get("SECONDS", "600"))
    kills = int(os.environ.get("KILLS", "20"))
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(60, 100)))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rng = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="rejshand_recording_") as folder:
        root = Path(folder)
        long = long_episode(root, seconds)
        print(f"long episode: {long}", flush=True)
        killed = []
        for number in range(kills):
            killed.append(one_kill(root, f"killed{number}", rng.uniform(0.5, 4.0)))
            print(f"kill {number + 1} of {kills}: {killed[-1]}", flush=True)
        (root / "short").mkdir()
        source = long_episode(root / "short", min(seconds, 60.0))
        split(root / "short" / "long", EXPORT_PARTS)
        begin = time.monotonic()
        config = ExportConfig(workers=len(os.sched_getaffinity(0)))
        report = export_dataset([root / "short" / "copies"], root / "data_set", config)
        export_s = time.monotonic() - begin
        aligned_ms = alignment_errors_ms(root / "data_set")
    write_report(
        "recording",
        {
            "messages_lost": sum(map(len, long["lost"].values())),
            "kill9_recovered": bool(killed) and all(kill["recovered"] for kill in killed),
            "lost_seconds_max": max((kill["lost_s"] for kill in killed), default=0.0),
            "export_realtime_factor": report.seconds / export_s,
            "alignment_error_ms_p95": float(np.quantile(aligned_ms, 0.95)),
        },
        {
            "long_episode": long,
            "kills": killed,
            "export": {
                "episodes": EXPORT_PARTS,
                "seconds_of_data": report.seconds,
                "seconds_spent": export_s,
                "workers": config.workers,
                "image_error_ms_p95": report.image_error_ms_p95,
                "joint_states_error_ms_p95": float(np.quantile(aligned_ms[:, 0], 0.95)),
                "commands_error_ms_p95": float(np.quantile(aligned_ms[:, 1], 0.95)),
                "joints_and_commands_error_ms_max": float(aligned_ms.max()),
                "nearest_sample_ms_p95": report.joint_error_ms_p95,
                "source": source,
            },
        },
    )


if __name__ == "__main__":
    main()
