"""`rejshand teleop`: the chain on a live camera until Ctrl-C, without a recording."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rejshand_ros.demo.chain import BACKENDS, SIDES, TRANSPORTS, ChainConfig
from rejshand_ros.demo.run import add_view_arguments, run_chain, view_port
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import weights_file
from rejshand_ros.nodes.sources import open_source
from rejshand_ros.retargeting.robot_hand import load_robot_hand


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand teleop`: drive a simulated or real hand from a live camera until Ctrl-C."""
    parser = argparse.ArgumentParser("rejshand teleop", description=main.__doc__)
    parser.add_argument("--input", default="/dev/video0", help="device, video or folder of images")
    parser.add_argument("--hand", default="allegro", help="robot hand (a file in config/hands)")
    parser.add_argument("--side", default="right", help=f"one of {', '.join(SIDES)}")
    parser.add_argument("--mirror", action="store_true", help="flip the input left to right")
    parser.add_argument(
        "--simulator",
        default="mujoco",
        help=f"one of {', '.join(BACKENDS)}; none: a real hand's driver listens on joint_command",
    )
    parser.add_argument(
        "--wait-for-engage",
        action="store_true",
        help="the hand stays still until the service <side>/engage is called",
    )
    parser.add_argument(
        "--transport", default="compressed", help=f"images: one of {', '.join(TRANSPORTS)}"
    )
    parser.add_argument("--camera-info", default="", help="calibration file of the camera (YAML)")
    parser.add_argument("--weights", default="default", help="name or path of the weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--headless", action="store_true", help="no browser view")
    add_view_arguments(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rejshand_") as folder:
        chain = ChainConfig(
            input=options.input,
            hand=options.hand,
            side=options.side,
            flip=options.mirror,
            out=Path(folder),
            transport=options.transport,
            weights=options.weights,
            device=options.device,
            camera_info_url=options.camera_info,
            backend=options.simulator,
            record=False,
            respawn=True,
            # A real hand must not start to move because a hand comes into view.
            auto_engage=options.simulator != "none" and not options.wait_for_engage,
            view_port=0 if options.headless else view_port(options.view_host, options.view_port),
            view_host=options.view_host,
        )
        for side in SIDES[chain.side]:
            load_robot_hand(chain.hand, Side(side))
        open_source(chain.input).close()
        weights_file(chain.weights, ".json")
        run_chain(chain, endless=True)
