"""`rejshand info`: versions, weights and robot hands of this installation."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence

from rejshand_ros import __version__
from rejshand_ros.inference.load import WEIGHTS_FOLDER
from rejshand_ros.retargeting.robot_hand import available_hands


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand info`: versions, weights and robot hands of this installation."""
    parser = argparse.ArgumentParser("rejshand info", description=main.__doc__)
    parser.add_argument(
        "--network",
        metavar="PRESET",
        nargs="?",
        const="all",
        help="only count the parameters of a network preset, or of all of them (needs the"
        " training extra)",
    )
    given = parser.parse_args(arguments)
    if given.network:
        from rejshand_ros.training.commands import network_table

        print(network_table(given.network))
        return
    print(f"rejshand_ros {__version__}, Python {platform.python_version()}")
    for hand, sides in available_hands().items():
        print(f"robot hand   {hand} ({', '.join(sides)})")
    for card in sorted(WEIGHTS_FOLDER.glob("*.json")):
        facts = json.loads(card.read_text())
        told = {key: value for key, value in facts.items() if isinstance(value, str | int | float)}
        print(f"weights      {card.stem}: " + ", ".join(f"{k} {v}" for k, v in told.items()))
