"""Bring a trained network to crops of another size, to be trained further there.

    python scripts/resize_network.py IN.safetensors OUT.safetensors --input-size 160

Convolutions and attention know no size. What does is the linear map over the cells of the 2D
keypoint generator's maps: its weights are a map too, and are interpolated like one, so that what
it makes of a smooth map stays about the same. The result sees hands smaller than it learnt to, and
is a beginning rather than an end.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from torch.nn.functional import interpolate

from rejshand_ros.errors import ConfigError, RejshandError
from rejshand_ros.network.build import build_network
from rejshand_ros.network.checkpoint import load_network, save_network
from rejshand_ros.network.rejshand import ReJSHand

_CELLS = "keypoint_generator_2d.cells.weight"


def resized(network: ReJSHand, input_size: int) -> ReJSHand:
    """A copy of a network for crops of another side, pixels.

    Args:
        network: With the paper's head; it stays as it is.
        input_size: A multiple of 32.

    Raises:
        ConfigError: The size is none, or the head is the published one, whose layers are made
            for one size.
    """
    if network.config.head != "paper":
        raise ConfigError(f"head {network.config.head!r} is made for one size; valid: 'paper'")
    config = replace(network.config, input_size=input_size)
    state = network.state_dict()
    before, after = network.config.map_size, config.map_size
    cells = state[_CELLS].reshape(2, -1, before, before)
    even = interpolate(cells, size=(after, after), mode="bilinear", align_corners=False)
    # About as much in all, over another number of cells.
    even *= (before / after) ** 2
    copy = build_network(config)
    copy.load_state_dict({**state, _CELLS: even.reshape(2, -1)})
    return copy.eval()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path, help=".safetensors with its .json beside it")
    parser.add_argument("out", type=Path, help=".safetensors; the .json goes beside it")
    parser.add_argument("--input-size", type=int, required=True, help="side of the crops, pixels")
    given = parser.parse_args()
    try:
        save_network(resized(load_network(given.source)[0], given.input_size), given.out)
    except RejshandError as error:
        raise SystemExit(f"resize_network: {error}") from None
    print(given.out)


if __name__ == "__main__":
    main()
