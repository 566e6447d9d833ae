"""Average two trained networks of one architecture, weight by weight.

    python scripts/average_weights.py FIRST.safetensors SECOND.safetensors OUT.safetensors

A network that was trained further on other data is better at those and worse at the rest; the mean
of its weights and of those that it began with keeps most of both (Wortsman et al., Robust
fine-tuning of zero-shot models, CVPR 2022). Only networks of one beginning can be averaged so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rejshand_ros.errors import InputError, RejshandError
from rejshand_ros.network.checkpoint import load_network, save_network
from rejshand_ros.network.rejshand import ReJSHand


def averaged(first: ReJSHand, second: ReJSHand, share: float = 0.5) -> ReJSHand:
    """The first network with the mean of both weights; its running statistics are averaged too.

    Args:
        first: Changed and returned.
        second: The other one.
        share: Of the second, 0..1.

    Raises:
        InputError: The share is none, or the two are of different architectures.
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(f"share {share}; valid: 0..1")
    if first.config != second.config:
        raise InputError(f"networks of two architectures: {first.config} and {second.config}")
    mean, other = first.state_dict(), second.state_dict()
    for name, value in mean.items():
        if value.is_floating_point():
            value.lerp_(other[name], share)
    return first


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("first", type=Path, help=".safetensors with its .json beside it")
    parser.add_argument("second", type=Path, help="likewise")
    parser.add_argument("out", type=Path, help=".safetensors; the .json goes beside it")
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0..1")
    given = parser.parse_args()
    try:
        networks = [load_network(path)[0] for path in (given.first, given.second)]
        save_network(averaged(networks[0], networks[1], given.share), given.out)
    except RejshandError as error:
        raise SystemExit(f"average_weights: {error}") from None
    print(given.out)


if __name__ == "__main__":
    main()
