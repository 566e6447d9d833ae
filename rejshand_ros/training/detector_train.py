"""Train the detector and write it as a runtime file.

Run: ``python -m rejshand_ros.training.detector_train --photographs <folder> --out <folder>``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from rejshand_ros.network.backbone import freeze_stages
from rejshand_ros.training.detector_data import load_photographs, load_rendered
from rejshand_ros.training.detector_frames import DetectorFrames
from rejshand_ros.training.detector_network import (
    INPUT_HEIGHT,
    INPUT_WIDTH,
    STRIDE,
    DetectorNetwork,
    detector_loss,
)

_BACKBONE_RATE = 0.4
"""Learning rate of the pretrained backbone, relative to the new layers'."""
_RENDERED = 8000
"""Rendered hands kept in memory."""


def train(
    photographs: Path, rendered: Path | None, out: Path, *, minutes: float, batch: int,
    rate: float, seed: int, resume: Path | None = None, pretrained: str = "",
    frozen_stages: int = 0,
) -> DetectorNetwork:  # fmt: skip
    """Train for a given time with a one-cycle rate over it.

    Args:
        photographs: Folder of labels.jsonl.
        rendered: Folder of synthetic shards, or None.
        out: Checkpoint `detector.pt` goes here.
        minutes: Wall time of the training.
        batch: Frames a step.
        rate: Highest learning rate.
        seed: Of the data and the first weights.
        resume: A checkpoint to start from.
        pretrained: Local file of the backbone's ImageNet weights; empty for random ones.
        frozen_stages: First stages of the backbone that stay as they are.
    """
    torch.manual_seed(seed)
    network = DetectorNetwork(pretrained_file=pretrained)
    network = network.to(memory_format=torch.channels_last)
    if resume is not None:
        network.load_state_dict(torch.load(resume, weights_only=True))
    # A running mean of the weights: a small batch's noise averages out.
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    pictures = load_photographs(photographs, held_out=False)
    if rendered is not None:
        pictures += load_rendered(rendered, _RENDERED)
    frames = DetectorFrames(pictures, seed)
    frozen = freeze_stages(network.backbone, frozen_stages)
    ours = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    theirs = [p for p in network.backbone.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": ours, "share": 1.0}, {"params": theirs, "share": _BACKBONE_RATE}],
        lr=rate, weight_decay=0.02,
    )  # fmt: skip
    sums: dict[str, float] = {}
    start, step = time.monotonic(), 0
    network.train()
    for module in frozen:
        module.eval()
    while (done := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        warm = min(1.0, (step + 1) / 100)
        for group in optimiser.param_groups:
            cosine = max(0.02, 0.5 * (1 + np.cos(np.pi * done)))
            group["lr"] = rate * group["share"] * warm * cosine
        images, targets = frames.batch(batch)
        batch_images = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
        losses = detector_loss(network(batch_images), torch.from_numpy(targets))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + float(loss.detach())
        step += 1
        if step % 100 == 0:
            shown = "  ".join(f"{name} {value / 100:.3f}" for name, value in sums.items())
            print(f"{done:6.1%}  step {step}  {shown}", flush=True)
            sums = {}
            torch.save(average.module.state_dict(), out / "detector.pt")
    torch.save(average.module.state_dict(), out / "detector.pt")
    result = average.module
    assert isinstance(result, DetectorNetwork)
    return result.eval()


def export(network: DetectorNetwork, out: Path, facts: dict[str, object]) -> None:
    """Write detector.xml, detector.bin (half-precision weights) and detector.json."""
    import openvino

    example = torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH)
    model = openvino.convert_model(network.eval(), example_input=example)
    model.reshape([1, 3, INPUT_HEIGHT, INPUT_WIDTH])
    openvino.save_model(model, out / "detector.xml", compress_to_fp16=True)
    description = {
        "kind": "hand detector",
        "input": {"height": INPUT_HEIGHT, "width": INPUT_WIDTH, "scaling": "RGB/255 - 0.5"},
        "stride": STRIDE,
        **facts,
    }
    (out / "detector.json").write_text(json.dumps(description, indent=2) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--rendered", type=Path, help="folder of synthetic shards")
    parser.add_argument("--out", type=Path, default=Path("out/detector"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--pretrained", default="", help="file of the backbone's ImageNet weights")
    parser.add_argument("--frozen-stages", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    network = train(
        given.photographs, given.rendered, given.out, minutes=given.minutes, batch=given.batch,
        rate=given.rate, seed=given.seed, resume=given.resume, pretrained=given.pretrained,
        frozen_stages=given.frozen_stages,
    )  # fmt: skip
    export(network, given.out, {"training": {"minutes": given.minutes, "seed": given.seed}})


if __name__ == "__main__":
    main()
