"""From the capture of an image to the command that follows it: the whole chain, and the field.

A real video is played in real time through `rejshand demo`: camera, network, retargeting, command,
simulation and recorder, each a process of its own; once at 640x480 and once at 1280x720, 30 images
a second. In the same run the same videos go through what the field would write: one process with
MediaPipe Hands and dex-retargeting, without ROS.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.latency_memory import MemoryWatch
from benchmarks.peer_environment import field_python, peer_process_environment
from benchmarks.report import DEFAULT_FOLDER, table, write_report
from benchmarks.retargeting_peer import shipped_config
from benchmarks.tracking_clips import read_video
from rejshand_ros.demo.bag_facts import gather
from rejshand_ros.errors import ModelFileError, ProcessError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.viewing.video import VideoWriter

_VIDEO = (Path(__file__).parents[1] / "../shared/data/hand_video/human_hand_video.mp4").resolve()
_SMALL = Path("out/cache/latency/human_hand_video_640x480.mp4")
_SERVER = Path(__file__).parent / "peer/field_loop.py"
_HAND = "allegro"


@dataclass(frozen=True)
class Run:
    """One playing of a video.

    Attributes:
        milliseconds: (n,) from capture to command of every image that led to one.
        frames: Images played.
        dropped: Images that were not processed; 0 for the field, which waits for each.
        memory_gb: Resident memory, summed over the processes.
        proportional_gb: The same with pages that processes share counted once.
        first_command_s: From the start of the program to the first command.
        stages: Stage -> percentiles, milliseconds.
    """

    milliseconds: np.ndarray
    frames: int
    dropped: int
    memory_gb: float
    proportional_gb: float
    first_command_s: float | None = None
    stages: dict[str, dict[str, float]] | None = None

    def row(self, name: str) -> tuple[str, float, float, float, int, int, float]:
        """A line of the table."""
        p50, p95, p99 = (float(v) for v in np.percentile(self.milliseconds, [50, 95, 99]))
        return (name, p50, p95, p99, len(self.milliseconds), self.dropped, self.memory_gb)

    @property
    def p95_ms(self) -> float:
        """95th percentile of the latency."""
        return float(np.percentile(self.milliseconds, 95))


def small_video() -> Path:
    """The video as a 640x480 camera would have seen it: its middle, made smaller."""
    if not _SMALL.is_file():
        with VideoWriter(_SMALL, 640, 480, 30.0, quality=18) as writer:
            for image in read_video(_VIDEO):
                height, width = image.shape[:2]
                side = (width - height * 4 // 3) // 2
                middle = image[:, side : width - side]
                small = cv2.resize(middle, (640, 480), interpolation=cv2.INTER_AREA)
                writer.write(np.asarray(small, np.uint8))
    return _SMALL.resolve()


def run_chain(video: Path, folder: Path) -> Run:
    """Play a video through the chain, by the command that a user types.

    Raises:
        ProcessError: It fails.
    """
    command = [
        sys.executable, "-m", "rejshand_ros.cli", "demo", "--headless", "--no-preview",
        "--hand", _HAND, "--input", str(video), "--out", str(folder),
    ]  # fmt: skip
    began_ns = time.time_ns()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        watch = MemoryWatch(process.pid)
        while process.poll() is None:
            watch.look()
            time.sleep(0.2)
    if process.returncode != 0:
        raise ProcessError(f"rejshand demo failed: {(folder / 'demo.log').read_text()[-500:]}")
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    issued = gather(folder / "bag", ("right",), meshes=False).sides["right"].first_issued
    return Run(
        milliseconds=1e-6 * np.array([at - capture for capture, at in sorted(issued.items())]),
        frames=summary["frames_in"],
        dropped=summary["frames_dropped"],
        memory_gb=watch.resident_gb,
        proportional_gb=watch.proportional_gb,
        first_command_s=1e-9 * (min(issued.values()) - began_ns),
        stages=summary["latency_ms"],
    )


def run_field(video: Path) -> Run:
    """Play a video through MediaPipe and dex-retargeting.

    Raises:
        ProcessError: It fails.
    """
    config = shipped_config(load_robot_hand(_HAND, Side.RIGHT), "vector")
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            [str(field_python()), str(_SERVER), str(video), json.dumps(config)],
            env=peer_process_environment(temporary),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ProcessError(f"the field's loop failed: {done.stderr[-500:]}")
    answer = json.loads(done.stdout)
    found = [value for value in answer["milliseconds"] if value is not None]
    return Run(
        milliseconds=np.array(found),
        frames=len(answer["milliseconds"]),
        dropped=0,
        memory_gb=answer["memory_kb"]["Rss"] * 1024e-9,
        proportional_gb=answer["memory_kb"]["Pss"] * 1024e-9,
    )


def main() -> None:
    """Measure and report."""
    if not _VIDEO.is_file():
        raise ModelFileError(f"no video at {_VIDEO}")
    videos = {"640x480": small_video(), "1280x720": _VIDEO}
    field_python()
    ours: dict[str, Run] = {}
    theirs: dict[str, Run] = {}
    for size, video in videos.items():
        theirs[size] = run_field(video)
        ours[size] = run_chain(video, DEFAULT_FOLDER / "latency" / size)
    runs = [(f"chain {size}", run) for size, run in ours.items()]
    runs += [(f"field {size}", run) for size, run in theirs.items()]
    header = ("run", "p50 ms", "p95 ms", "p99 ms", "commands", "dropped", "GB")
    print(table(header, [run.row(name) for name, run in runs]))
    small, large = ours["640x480"], ours["1280x720"]
    write_report(
        "latency",
        {
            "latency_ratio": small.p95_ms / theirs["640x480"].p95_ms,
            "capture_to_command_p95_ms": small.p95_ms,
            "capture_to_command_720p_p95_ms": large.p95_ms,
            "frames_dropped": small.dropped + large.dropped,
            "memory_gb": max(small.memory_gb, large.memory_gb),
            "first_command_s": max(run.first_command_s or 0.0 for run in ours.values()),
        },
        {
            "latency_ratio_720p": large.p95_ms / theirs["1280x720"].p95_ms,
            "runs": [dict(zip(header, run.row(name), strict=True)) for name, run in runs],
            "proportional_memory_gb": {name: run.proportional_gb for name, run in runs},
            "frames": {name: run.frames for name, run in runs},
            "stages_ms": {size: run.stages for size, run in ours.items()},
            "first_command_s": {size: run.first_command_s for size, run in ours.items()},
        },
    )


if __name__ == "__main__":
    main()
