"""The chain for long: an hour of video faster than it was taken, then ten minutes in real time.

The real chain runs as real processes, recording an episode a minute. Memory, open files and the
delay from capture to command of the end are held against those of the start. ``VIDEO_S`` (3600) and
``REAL_S`` (600) in the environment set how many seconds of video, at 30 images a second, go through
each of the two; 0 leaves one out. ``FAST_FPS`` (60) is the rate of the fast one.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.machine_speed import reference_ms
from benchmarks.report import write_report
from benchmarks.soak_listener import CLIP_FPS, Listener
from rejshand_ros.demo.chain import (
    CAMERA,
    RECORDER,
    ChainConfig,
    chain_environment,
    chain_processes,
)
from rejshand_ros.demo.clip import default_clip
from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.demo.processes import ProcessSpec
from rejshand_ros.demo.respawning import RespawningGroup
from rejshand_ros.errors import ProcessError
from rejshand_ros.hand.keypoints import Side

SAMPLE_S, EPISODE_S = 2.0, 60.0
PATIENCE_S = 60.0
"""A camera that sends nothing for so long has failed."""
FIRST, LAST = (0.1, 0.3), (0.8, 1.0)
"""Shares of the time that are compared; before them caches and pools fill."""
ItemT = TypeVar("ItemT")


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the processes hold at one moment.

    Attributes:
        memory_mb: Resident memory of each process.
        handles: Open files of each process.
        reference_ms: How long a fixed piece of work takes the machine.
    """

    memory_mb: dict[str, float]
    handles: dict[str, int]
    reference_ms: float = 1.0


def sample(pids: dict[str, int]) -> Sample:
    """Look at the processes."""
    memory, handles = {}, {}
    for name, pid in pids.items():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        memory[name] = next(int(x.split()[1]) for x in lines if x.startswith("VmRSS")) / 1024
        handles[name] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(memory, handles, reference_ms())


def soak(fps: float, video_s: float) -> dict[str, Any]:
    """Run the chain until so much video has gone into it.

    Args:
        fps: Images a second.
        video_s: How much video, seconds at the clip's own rate.

    Raises:
        ProcessError: A process has ended, or the camera stands still.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rejshand_soak_") as folder,
        reserved_domain() as domain,
    ):
        out = Path(folder)
        environment = chain_environment(domain)
        os.environ.update(environment)
        specs = soak_processes(fps, out)
        with RespawningGroup(environment, out / "logs") as group:
            group.start(specs)
            group.wait_ready(60.0)
            listener = Listener(domain)
            for spec in specs:
                group.go(spec.name)
            began = time.monotonic()
            samples = watch(group, listener, [spec.name for spec in specs], out, video_s)
            seconds = time.monotonic() - began
            group.stop(last=(RECORDER,))
            listener.close()
    return {
        "images_a_second": fps,
        "seconds": seconds,
        **judged(samples, listener.delays_ms),
        **counted(listener),
    }


def soak_processes(fps: float, out: Path) -> list[ProcessSpec]:
    """The chain on the clip, played again and again; its recorder waits to be asked."""
    chain = ChainConfig(input=str(default_clip(Side.RIGHT).video), loop=True, out=out)
    changes: dict[str, dict[str, bool | int | float | str]] = {
        CAMERA: {"fps": fps},
        RECORDER: {"episode": ""},
    }
    return [
        dataclasses.replace(spec, parameters={**spec.parameters, **changes.get(spec.name, {})})
        for spec in chain_processes(chain)
    ]


def watch(
    group: RespawningGroup, listener: Listener, names: list[str], out: Path, video_s: float
) -> list[Sample]:
    """Look at the processes until the video is through, with an episode a minute.

    Raises:
        ProcessError: A process has ended, or the camera stands still.
    """
    pids = {name: group.pid(name) for name in names}
    samples: list[Sample] = []
    period_s = min(SAMPLE_S, video_s / 100)
    begun = time.monotonic()
    episode, at, still = 0, -1.0, 0
    while at < video_s:
        group.check()
        # Counted in looks: a machine that was suspended has not waited.
        still = still + 1 if listener.video_s <= at else 0
        at = max(at, listener.video_s)
        if still * period_s > PATIENCE_S:
            raise ProcessError(f"the camera has sent nothing for {PATIENCE_S:g} s")
        now = time.monotonic()
        if not episode or now - begun >= EPISODE_S:
            listener.next_episode(episode)
            shutil.rmtree(out / f"minute_{episode - 1}", ignore_errors=True)
            episode, begun = episode + 1, now
        samples.append(sample(pids))
        time.sleep(period_s)
    return samples


def judged(samples: Sequence[Sample], delays_ms: Sequence[float]) -> dict[str, Any]:
    """The end against the start.

    Args:
        samples: What the processes held, in order, at least ten of them.
        delays_ms: From capture to command, in order, milliseconds.
    """
    looks = [part(samples, *FIRST), part(samples, *LAST)]
    p95 = [float(np.percentile(part(delays_ms, *span), 95)) for span in (FIRST, LAST)]

    def memory(look: Sequence[Sample], name: str) -> float:
        return float(np.median([one.memory_mb[name] for one in look]))

    reference = [float(np.median([one.reference_ms for one in look])) for look in looks]
    names = list(samples[0].memory_mb)
    total = [sum(memory(look, name) for name in names) for look in looks]
    handles = [{name: max(one.handles[name] for one in look) for name in names} for look in looks]
    return {
        "memory_mb": total,
        "memory_growth_percent": 100.0 * (total[1] / total[0] - 1.0),
        "memory_growth_percent_by_process": {
            name: 100.0 * (memory(looks[1], name) / memory(looks[0], name) - 1.0) for name in names
        },
        "handles": handles,
        "handles_grown": sum(max(0, handles[1][name] - handles[0][name]) for name in names),
        "latency_p95_ms": p95,
        # A drift shows as a slope, another hour of the machine's as a step.
        "latency_p95_ms_by_tenth": [
            float(np.percentile(part(delays_ms, tenth / 10, (tenth + 1) / 10), 95))
            for tenth in range(10)
        ],
        "latency_p95_ratio": p95[1] / p95[0],
        # What of it is the machine's own.
        "machine_ratio": reference[1] / reference[0],
    }


def part(items: Sequence[ItemT], begin: float, end: float) -> Sequence[ItemT]:
    """The items between two shares of all."""
    return items[int(begin * len(items)) : int(end * len(items))]


def counted(listener: Listener) -> dict[str, Any]:
    """How much went through."""
    return {
        "video_seconds": listener.video_s,
        "images_processed": int(listener.reports["/hand_pose"]["handled"]),
        "images_skipped": int(listener.reports["/hand_pose"]["dropped"]),
        "images_with_a_command": len(listener.delays_ms),
    }


def main() -> None:
    """Run the benchmark and write out/bench/soak.json."""
    lengths = {"hour": ("VIDEO_S", "3600"), "real_time": ("REAL_S", "600")}
    rates = {"hour": float(os.environ.get("FAST_FPS", "60")), "real_time": CLIP_FPS}
    results = {}
    for name, length in lengths.items():
        video_s = float(os.environ.get(*length))
        if video_s > 0:
            results[name] = soak(rates[name], video_s)
            print(f"{name}: {results[name]}", flush=True)
    kept = (
        "memory_growth_percent",
        "handles_grown",
        "latency_p95_ratio",
        "machine_ratio",
        "images_processed",
        "images_skipped",
        "video_seconds",
        "seconds",
    )
    write_report(
        "soak",
        {name: {key: result[key] for key in kept} for name, result in results.items()},
        results,
    )


if __name__ == "__main__":
    main()
