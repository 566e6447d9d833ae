"""One crop at a time on an NVIDIA GPU: the paper's network and the default, every way of running.

    PYTHONPATH=. python -m benchmarks.inference_gpu --seconds 90 --out out/bench/inference_gpu.json

Runs from a checkout with torch, timm, numpy, OpenCV and safetensors alone. The file is written
anew after every variant, so that a run that is cut off keeps what it has measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from rejshand_ros.inference.load import WEIGHTS_FOLDER
from rejshand_ros.inference.network_input import network_input
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.inference.torch_runtime import TorchRuntime
from rejshand_ros.network.build import build_network
from rejshand_ros.network.checkpoint import save_network
from rejshand_ros.network.config import network_preset

CROPS = 200
_WARM_RUNS = 20


@dataclass(frozen=True)
class Variant:
    """A way of running a network.

    Attributes:
        name: For the table.
        mode: Of `TorchRuntime`.
        half: Half precision.
        shortened: Leave torch its default of shortened (tf32) products in convolutions.
        needs_s: It is left out where less time than this is left.
        runs: Timed runs.
    """

    name: str
    mode: str
    half: bool
    shortened: bool = False
    needs_s: float = 4.0
    runs: int = 300


REFERENCE = Variant("eager f32", "eager", half=False, runs=60)
ON_GPU = (
    Variant("eager tf32 (torch's default)", "eager", half=False, shortened=True, runs=60),
    Variant("graph f16", "graph", half=True),
    Variant("eager f16", "eager", half=True, runs=60),
    Variant("graph f32", "graph", half=False, runs=60),
)
COMPILED = (
    Variant("compiled, graph f16", "compiled", half=True, needs_s=20.0),
    Variant("tuned, graph f16", "tuned", half=True, needs_s=35.0),
)
ON_CPU = (Variant("eager f16", "eager", half=True),)


def drawn_crops(count: int, size: int) -> np.ndarray:
    """Soft blobs on soft blobs (count, size, size, 3) uint8, where no rendered hands are given."""
    rng = np.random.default_rng(0)
    cells = (rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in [3, 6, 12] * count)
    layers = (cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in cells)
    return np.stack(
        [np.mean([next(layers) for _ in range(3)], axis=0) for _ in range(count)]
    ).astype(np.uint8)


def read_crops(path: Path, size: int) -> np.ndarray:
    """Rendered hands (n, size, size, 3) uint8 of a file that `write_crops` has made."""
    with np.load(path) as data:
        pictures = data["crops"]
    return np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in pictures])


def write_crops(path: Path) -> None:
    """Render `CROPS` hands into a file, for computers where the renderer does not run."""
    from rejshand_ros.synthetic.generator import SyntheticGenerator
    from rejshand_ros.synthetic.sample import SyntheticConfig

    generator = SyntheticGenerator(SyntheticConfig(size=224, backgrounds=8))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, crops=np.stack([generator.sample(i).image for i in range(CROPS)]))


def paper_network(path: Path, crops: np.ndarray) -> None:
    """Save the paper's network with random weights.

    Norms are set by what they see of the crops, and layer scales to a tenth, as if trained: at
    their start of 1e-5 the blocks count for nothing, and no runtime could be wrong about them.
    """
    torch.manual_seed(0)
    network = build_network(network_preset("paper"))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
        elif hasattr(module, "gamma"):
            torch.nn.init.constant_(module.gamma, 0.1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.no_grad():
        network.train().to(device)(torch.from_numpy(network_input(crops)).to(device))
    save_network(network.cpu().eval(), path)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    p50, p99 = np.percentile(1e3 * np.asarray(seconds), [50, 99])
    return {"p50": round(float(p50), 4), "p99": round(float(p99), 4)}


def timed(step: Callable[[], object], runs: int) -> dict[str, float]:
    """Wall clock of a step that waits for its own result."""
    for _ in range(min(_WARM_RUNS, runs)):
        step()
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return percentiles(seconds)


def timed_on_gpu(step: Callable[[], object], runs: int) -> dict[str, float]:
    """The GPU's own clock from before a step to after it."""
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(runs)]
    for begin, end in pairs:
        begin.record()
        step()
        end.record()
        end.synchronize()
    return percentiles([1e-3 * begin.elapsed_time(end) for begin, end in pairs])


def measure(
    variant: Variant, path: Path, crops: np.ndarray, device: str, expected: np.ndarray | None
) -> tuple[dict[str, Any], np.ndarray]:
    """Times, memory and vertices of a network run in one way."""
    on_gpu = device == "cuda"
    if on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    runtime = TorchRuntime(path, device=device, half=variant.half, mode=variant.mode)
    torch.backends.cudnn.allow_tf32 = variant.shortened
    predictor = Predictor(runtime)
    predictor.predict(crops[:1])
    row: dict[str, Any] = {"start_s": round(time.perf_counter() - begin, 2)}
    runs = variant.runs if on_gpu else 3
    planes = network_input(crops[:1])
    row["picture_in_hand_out_ms"] = timed(lambda: predictor.predict(crops[:1]), runs)
    row["copies_and_network_ms"] = timed(lambda: runtime.run(crops[:1]), runs)
    if on_gpu:
        with torch.inference_mode(), on_the_gpu(runtime, planes) as step:
            row["network_ms"] = timed(lambda: (step(), torch.cuda.synchronize()), runs)
            row["network_gpu_clock_ms"] = timed_on_gpu(step, runs)
        row["frames_per_s"] = round(1e3 / row["copies_and_network_ms"]["p50"], 1)
        row["frames_per_s_network"] = round(1e3 / row["network_ms"]["p50"], 1)
        row["gpu_memory_mb"] = round(torch.cuda.max_memory_reserved() / 1e6, 1)
    vertices = np.stack([predictor.predict(crop[None])[0].vertices for crop in crops])
    if expected is not None:
        row |= agreement(vertices, expected)
    return row, vertices


@contextmanager
def on_the_gpu(runtime: TorchRuntime, planes: np.ndarray) -> Iterator[Callable[[], object]]:
    """A step that runs the network on crops that lie on the GPU already."""
    graph = runtime.graph
    if graph is not None:
        yield lambda: graph.replay(planes.shape)
    else:
        crops = torch.from_numpy(planes).cuda()
        yield lambda: runtime.flat(crops)


def agreement(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """How far the vertices lie from the reference's, millimetres."""
    distance = 1e3 * np.linalg.norm(ours - theirs, axis=2)
    return {
        "vertices_mm_mean": round(float(distance.mean()), 5),
        "vertices_mm_worst_crop": round(float(distance.mean(1).max()), 5),
        "vertices_mm_worst": round(float(distance.max()), 5),
    }


class Report:
    """What was measured, on the screen and in the file after every variant."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self._path = path
        self.content: dict[str, Any] = {**facts, "networks": {}}

    def add(self, network: str, variant: str, row: dict[str, Any]) -> None:
        """Keep a variant's figures."""
        rows = self.content["networks"].setdefault(network, {})
        rows[variant] = row
        if "p50" in (best := _fastest(rows)):
            self.content[f"{network}_frames_per_s"] = round(1e3 / best["p50"], 1)
            self.content[f"{network}_fastest"] = best["variant"]
            for name, label in (("eager f32", "f32"), (ON_GPU[0].name, "tf32")):
                if (slow := rows.get(name, {}).get("copies_and_network_ms")) is not None:
                    ratio = slow["p50"] / best["p50"]
                    self.content[f"{network}_speedup_to_eager_{label}"] = round(ratio, 2)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.content, indent=2) + "\n")
        print(network, variant, json.dumps(row), flush=True)


def _fastest(rows: dict[str, Any]) -> dict[str, Any]:
    """The quickest variant of a network, copies included."""
    times = {n: r["copies_and_network_ms"]["p50"] for n, r in rows.items() if "start_s" in r}
    if not times:
        return {}
    name = min(times, key=lambda n: times[n])
    return {"variant": name, "p50": times[name]}


def main() -> None:
    """Measure while there is time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0, help="begin nothing new after this")
    parser.add_argument("--out", type=Path, default=Path("out/bench/inference_gpu.json"))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--crops", type=Path, help="file of rendered hands")
    parser.add_argument("--write-crops", type=Path, help="render that file, and end")
    asked = parser.parse_args()
    if asked.write_crops:
        write_crops(asked.write_crops)
        return
    end = time.monotonic() + asked.seconds
    on_gpu = asked.device == "cuda"
    facts = {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "torch": torch.__version__,
        "crops": "rendered hands" if asked.crops else "drawn blobs",
        "runs": "20 warm runs, then as many timed ones as `Variant.runs` says",
    }
    report = Report(asked.out, facts)
    count = CROPS if on_gpu else 8
    with tempfile.TemporaryDirectory() as folder:
        networks: dict[str, tuple[Path, np.ndarray]] = {}
        for name, size in (("ma36", 224), ("default", 0)):
            path = WEIGHTS_FOLDER / "default.safetensors"
            size = size or json.loads(path.with_suffix(".json").read_text())["input_size"]
            crops = read_crops(asked.crops, size) if asked.crops else drawn_crops(CROPS, size)
            if name == "ma36":
                path = Path(folder) / "paper.safetensors"
                paper_network(path, crops[:16])
            networks[name] = path, crops[:count]
        expected: dict[str, np.ndarray] = {}
        groups = [(REFERENCE, *ON_GPU), COMPILED[:1], COMPILED[1:]]
        if not on_gpu:
            groups = [(REFERENCE, *ON_CPU)]
        for group in groups:
            for name, (path, crops) in networks.items():
                for variant in group:
                    left = end - time.monotonic()
                    if left < variant.needs_s:
                        report.add(name, variant.name, {"left_out": f"{left:.0f} s left"})
                        continue
                    try:
                        row, vertices = measure(
                            variant, path, crops, asked.device, expected.get(name)
                        )
                    except Exception as error:  # one variant's failure must not cost the others
                        row = {"failed": f"{type(error).__name__}: {str(error)[:400]}"}
                    else:
                        expected.setdefault(name, vertices)
                    report.add(name, variant.name, row)


main()
