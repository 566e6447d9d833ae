"""How long a hand takes: this project against MediaPipe Hands, and backbones against runtimes.

Both sides follow the same video in the same run, frame by frame in turns, so that whatever else
the machine does falls on both. Ours is the whole: crop, network, tracking, smoothing; theirs is
``Hands.process``, with the conversion to RGB that it needs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peer_environment import field_python, peer_process_environment
from benchmarks.report import table, write_report
from benchmarks.tracking_clips import PERIOD_NS, read_video
from rejshand_ros.errors import ModelFileError, ProcessError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.network.config import PRESETS
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.load import load_tracker

_VIDEO = (Path(__file__).parents[1] / "../shared/data/hand_video/human_hand_video.mp4").resolve()
_SERVER = Path(__file__).parent / "peer/mediapipe_server.py"
_REPETITIONS = 20
_PASSES = 3
"""Times that the video is followed: a machine's slow phases last for seconds or minutes."""


class MediaPipe:
    """MediaPipe's process; use as a context manager."""

    def __enter__(self) -> MediaPipe:
        """Start it."""
        self._process = subprocess.Popen(
            [str(field_python()), str(_SERVER), str(_VIDEO)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=peer_process_environment(),
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)

    def next_frame(self) -> dict[str, Any]:
        """Time and outcome of its next frame.

        Raises:
            ProcessError: It has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ProcessError("the MediaPipe process ended on its own") from error
        line = self._process.stdout.readline()
        if not line:
            raise ProcessError("the MediaPipe process ended on its own")
        answer: dict[str, Any] = json.loads(line)
        return answer


def against_mediapipe() -> tuple[list[float], list[float], str]:
    """Follow the video once: seconds of every frame, ours and theirs, and our runtime's name."""
    tracker = load_tracker(TrackingConfig(sides=(Side.RIGHT,)), device="cpu")
    ours, theirs = [], []
    with MediaPipe() as peer:
        for index, image in enumerate(read_video(_VIDEO)):
            height, width = image.shape[:2]
            camera = PinholeCamera.from_field_of_view(width, height)
            begin = time.perf_counter()
            tracker.update(image, index * PERIOD_NS, camera)
            ours.append(time.perf_counter() - begin)
            theirs.append(float(peer.next_frame()["seconds"]))
    return ours[5:], theirs[5:], load_predictor(device="cpu").runtime.name


def runtimes(preset: str, folder: Path) -> list[dict[str, Any]]:
    """One crop on every runtime of this computer, each in a process of its own.

    The weights are random: time does not depend on them.

    Raises:
        ProcessError: One of them fails.
    """
    import torch

    from rejshand_ros.network.build import build_network
    from rejshand_ros.network.checkpoint import load_network, save_network
    from rejshand_ros.network.config import network_preset
    from rejshand_ros.network.export import export_openvino

    path = folder / f"{preset}.safetensors"
    save_network(build_network(network_preset(preset)), path)
    export_openvino(load_network(path)[0], path.with_suffix(".xml"))
    choices = [("torch-cpu", "auto"), ("cpu", "f32"), ("cpu", "auto")]
    if torch.cuda.is_available():
        choices += [(device, "auto") for device in ("cuda-eager", "cuda", "cuda-compiled")]
    rows = []
    for device, precision in choices:
        command = [sys.executable, "-m", "benchmarks.inference_runtime"]
        command += [str(path), device, precision, str(_REPETITIONS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessError(f"{preset} on {device} failed: {done.stderr[-500:]}")
        answer = json.loads(done.stdout.splitlines()[-1])
        rows.append({"network": preset, "device": device, **answer})
    return rows


def main() -> None:
    """Measure and report."""
    if not _VIDEO.is_file():
        raise ModelFileError(f"no video at {_VIDEO}")
    passes = [against_mediapipe() for _ in range(_PASSES)]
    ours, theirs = (np.concatenate([one[side] for one in passes]) for side in (0, 1))
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for preset in PRESETS for row in runtimes(preset, Path(folder))]
    header = ("network", "runtime", "input_size", "ms_p50", "ms_p95", "memory_mb")
    print(table(header, [[row[key] for key in header] for row in rows]))
    paper = {row["device"]: row["ms_p50"] for row in rows if row["network"] == "paper"}
    fast = min(r["ms_p50"] for r in rows if r["network"] == "paper" and r["device"] == "cpu")
    gpu = [ms for device, ms in paper.items() if device in ("cuda", "cuda-compiled")]
    write_report(
        "inference",
        {
            "ratio_to_mediapipe": float(np.median(ours) / np.median(theirs)),
            "ma36_speedup": paper["torch-cpu"] / fast,
            "ma36_ms_p50": fast,
            # Not measured where there is no GPU.
            "gpu_ma36_frames_per_s": 1e3 / min(gpu) if gpu else None,
            "gpu_ma36_speedup": paper["cuda-eager"] / min(gpu) if gpu else None,
        },
        {
            "runtime": passes[0][2],
            "ratio_of_each_pass": [float(np.median(a) / np.median(b)) for a, b, _ in passes],
            "ours_ms_p50": 1e3 * float(np.median(ours)),
            "ours_ms_p95": 1e3 * float(np.percentile(ours, 95)),
            "mediapipe_ms_p50": 1e3 * float(np.median(theirs)),
            "mediapipe_ms_p95": 1e3 * float(np.percentile(theirs, 95)),
            "networks": rows,
        },
    )


if __name__ == "__main__":
    main()
