"""How fast hands are rendered: training samples a second and the demo clip's frames a second."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import write_report
from rejshand_ros.geometry import PinholeCamera, RigidTransform
from rejshand_ros.hand.template import load_template
from rejshand_ros.synthetic.clip import render_clip
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.mesh import Mesh
from rejshand_ros.synthetic.motion import PALM_TO_CAMERA
from rejshand_ros.synthetic.rasterizer import render
from rejshand_ros.synthetic.sample import SyntheticConfig

SIZES = (128, 160, 224)
SAMPLES = 192


def samples_per_second(size: int) -> float:
    """Whole training samples a second of one core's time."""
    generator = SyntheticGenerator(SyntheticConfig(size=size, backgrounds=32))
    for index in range(64):
        generator.sample(index)  # Compiles, and draws the backgrounds that are kept.
    start = time.process_time()
    for index in range(SAMPLES):
        generator.sample(index)
    return SAMPLES / (time.process_time() - start)


def hand_ms(size: int, samples: int) -> float:
    """Median time to draw the bare template, milliseconds."""
    template = load_template()
    pose = RigidTransform(PALM_TO_CAMERA, np.array([0, 0.08, 0.3]))
    mesh = Mesh(template.vertices, template.faces, np.full(3, 0.4), pose)
    camera = PinholeCamera.from_field_of_view(size, size, 40)
    durations = []
    for _ in range(60):
        start = time.perf_counter()
        render([mesh], camera, size, size, samples=samples)
        durations.append(time.perf_counter() - start)
    return float(np.median(durations)) * 1e3


def main() -> None:
    """Measure and report."""
    rates = {f"samples_per_second_{size}": samples_per_second(size) for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        render_clip(Path(folder) / "clip.mp4", Path(folder) / "clip.npz", seconds=3.0)
        clip_rate = 90 / (time.perf_counter() - start)
    write_report(
        "synthetic",
        {
            **rates,
            "hand_224_ms": hand_ms(224, 1),
            "hand_224_smooth_ms": hand_ms(224, 2),
            "clip_frames_per_second": clip_rate,
        },
        {"samples": SAMPLES, "time": "process time of one core for samples, wall time otherwise"},
    )


if __name__ == "__main__":
    main()
