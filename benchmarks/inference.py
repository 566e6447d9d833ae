"""How long a hand takes: this project against MediaPipe Hands, and backbones against runtimes.

Both sides follow the same video in the same run, frame by frame in turns, so that whatever else
the machine does falls on both. Ours is the whole: crop, network, tracking, smoothing; theirs is
``Hands.process``, with the conversion to RGB that it needs.
"""

from __future__ import annotations

import json
import subprocess
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
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.load import load_tracker

_VIDEO = (Path(__file__).parents[1] / "../shared/data/hand_video/human_hand_video.mp4").resolve()
_SERVER = Path(__file__).parent / "peer/mediapipe_server.py"
_PRESETS = ("light", "paper")
_REPETITIONS = 20


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
    """Seconds of every frame, ours and theirs, and our runtime's name."""
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


def runtimes(preset: str, folder: Path) -> list[tuple[str, str, float]]:
    """Median milliseconds of one crop: torch eager and OpenVINO in both precisions.

    The weights are random: time does not depend on them.
    """
    import torch

    from rejshand_ros.network.build import build_network
    from rejshand_ros.network.checkpoint import load_network, save_network
    from rejshand_ros.network.config import network_preset
    from rejshand_ros.network.export import export_openvino

    torch.set_num_threads(2)
    path = folder / f"{preset}.safetensors"
    save_network(build_network(network_preset(preset)), path)
    export_openvino(load_network(path)[0], path.with_suffix(".xml"))
    predictors = [
        load_predictor(path, "torch-cpu"),
        load_predictor(path, "cpu", precision="f32"),
        load_predictor(path, "cpu", precision="auto"),
    ]
    size = predictors[0].input_size
    crop = np.random.default_rng(0).integers(0, 255, (1, size, size, 3), dtype=np.uint8)
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(_REPETITIONS):
        for times, predictor in zip(seconds, predictors, strict=True):
            begin = time.perf_counter()
            predictor.predict(crop)
            times.append(time.perf_counter() - begin)
    return [
        (preset, predictor.runtime.name, 1e3 * float(np.median(times)))
        for predictor, times in zip(predictors, seconds, strict=True)
    ]


def main() -> None:
    """Measure and report."""
    if not _VIDEO.is_file():
        raise ModelFileError(f"no video at {_VIDEO}")
    ours, theirs, runtime = against_mediapipe()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for preset in _PRESETS for row in runtimes(preset, Path(folder))]
    print(table(("network", "runtime", "ms"), rows))
    eager, *fast = [ms for preset, _, ms in rows if preset == "paper"]
    write_report(
        "inference",
        {
            "ratio_to_mediapipe": float(np.median(ours) / np.median(theirs)),
            "ma36_speedup": eager / min(fast),
            "ma36_ms_p50": min(fast),
        },
        {
            "runtime": runtime,
            "ours_ms_p50": 1e3 * float(np.median(ours)),
            "ours_ms_p95": 1e3 * float(np.percentile(ours, 95)),
            "mediapipe_ms_p50": 1e3 * float(np.median(theirs)),
            "mediapipe_ms_p95": 1e3 * float(np.percentile(theirs, 95)),
            "networks": rows,
        },
    )


if __name__ == "__main__":
    main()
