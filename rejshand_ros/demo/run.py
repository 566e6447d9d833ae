"""`rejshand demo`: the whole chain on one input, from image to moving robot hand."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rejshand_ros.demo.chain import (
    CAMERA,
    EPISODE,
    RECORDER,
    SIDES,
    TRANSPORTS,
    ChainConfig,
    chain_environment,
    chain_processes,
)
from rejshand_ros.demo.domain import given_domain, reserved_domain
from rejshand_ros.demo.respawning import RespawningGroup
from rejshand_ros.demo.results_folder import results_folder
from rejshand_ros.errors import unknown_choice

if TYPE_CHECKING:
    from rejshand_ros.synthetic.clip import ClipTruth

READY_TIMEOUT_S = 60.0
"""A cold start compiles and caches; a warm one takes a few seconds."""
_POLL_S = 0.02
_DRAIN_S = 0.5
"""After the last image: what is under way either arrives within this time or is stale."""


@dataclass(frozen=True)
class DemoConfig:
    """What the user asked for.

    Attributes:
        input: Video file, folder of images or device; empty for the project's own clip.
        hand: Robot hand.
        side: ``right``, ``left`` or ``both``.
        mirror: Flip the input left to right.
        headless: No view; end with the clip.
        out: Folder of everything that is left behind.
        transport: Form of the images.
        weights: Name or path of the network's weights.
        device: Where the network runs.
        preview: Whether to make preview.mp4 and preview.png.
        view_port: TCP port of the browser view, where there is one; the next free one is taken.
        view_host: Address that the view binds to.
    """

    input: str = ""
    hand: str = "allegro"
    side: str = "right"
    mirror: bool = False
    headless: bool = False
    out: Path = Path("out/demo")
    transport: str = "compressed"
    weights: str = "default"
    device: str = "auto"
    preview: bool = True
    view_port: int = 8080
    view_host: str = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand demo`: run the whole chain on a video, a camera, or a clip of its own."""
    parser = argparse.ArgumentParser("rejshand demo", description=main.__doc__)
    parser.add_argument("--input", default="", help="video file, folder of images or /dev/videoN")
    parser.add_argument("--hand", default="allegro", help="robot hand (a file in config/hands)")
    parser.add_argument("--side", default="right", help=f"one of {', '.join(SIDES)}")
    parser.add_argument("--mirror", action="store_true", help="flip the input left to right")
    parser.add_argument("--headless", action="store_true", help="no view; end with the clip")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder of the results")
    parser.add_argument(
        "--transport", default="compressed", help=f"images: one of {', '.join(TRANSPORTS)}"
    )
    parser.add_argument("--weights", default="default", help="name or path of the weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--no-preview", action="store_true", help="make no preview.mp4")
    add_view_arguments(parser)
    options = parser.parse_args(arguments)
    run_demo(
        DemoConfig(
            input=options.input,
            hand=options.hand,
            side=options.side,
            mirror=options.mirror,
            headless=options.headless,
            out=options.out,
            transport=options.transport,
            weights=options.weights,
            device=options.device,
            preview=not options.no_preview,
            view_port=options.view_port,
            view_host=options.view_host,
        )
    )


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the browser view is served."""
    parser.add_argument("--view-port", type=int, default=8080, help="TCP port of the browser view")
    parser.add_argument(
        "--view-host", default="127.0.0.1",
        help="address of the browser view; beyond this computer its buttons need a token",
    )  # fmt: skip


def run_demo(config: DemoConfig) -> dict[str, object]:
    """Run the chain, then sum it up and draw it.

    Returns:
        The summary, as written to summary.json.

    Raises:
        RejshandError: What went wrong; nothing is left running.
    """
    from rejshand_ros.hand.keypoints import Side
    from rejshand_ros.inference.load import weights_file
    from rejshand_ros.nodes.sources import open_source

    if config.side not in SIDES:
        raise unknown_choice("side", config.side, SIDES)
    if config.transport not in TRANSPORTS:
        raise unknown_choice("transport", config.transport, TRANSPORTS)
    _check_hand(config)
    source, calibration, truth = config.input, "", None
    if not source:
        from rejshand_ros.demo.clip import default_clip

        # Mirrored, the clip must show the other hand to end up with the one that is asked for.
        shown = Side.LEFT if (config.side == "left") != config.mirror else Side.RIGHT
        clip = default_clip(shown)
        source, calibration, truth = str(clip.video), str(clip.calibration), clip.truth
    opened = open_source(source)
    opened.close()
    weights_file(config.weights, ".json")
    out = config.out.resolve()
    with results_folder(out):
        chain = ChainConfig(
            input=source if opened.live else str(Path(source).expanduser().resolve()),
            hand=config.hand,
            side=config.side,
            flip=config.mirror,
            loop=not config.headless and not opened.live,
            out=out,
            transport=config.transport,
            weights=config.weights,
            device=config.device,
            camera_info_url=calibration,
            view_port=0 if config.headless else view_port(config.view_host, config.view_port),
            view_host=config.view_host,
        )
        run_chain(chain, endless=not config.headless)
        return _finish(config, out, truth)


def view_port(host: str, wanted: int) -> int:
    """The port of the browser view: the wanted one, or the next free one.

    Raises:
        ConfigError: None is free, or the address is not one of this computer's.
    """
    from rejshand_ros.viewing.ports import free_port

    return free_port(host, wanted)


def _check_hand(config: DemoConfig) -> None:
    """Fail early, and in this process, on what the nodes would refuse."""
    from rejshand_ros.hand.keypoints import Side
    from rejshand_ros.retargeting.robot_hand import load_robot_hand

    for side in SIDES[config.side]:
        load_robot_hand(config.hand, Side(side))


def run_chain(chain: ChainConfig, *, endless: bool) -> None:
    """Start everything, wait for the end of the input or of patience, stop everything."""
    given = given_domain()
    if given is not None:
        _run_in(given, chain, endless=endless)
        return
    with reserved_domain() as domain:
        _run_in(domain, chain, endless=endless)


def _run_in(domain: int, chain: ChainConfig, *, endless: bool) -> None:
    began = time.monotonic()
    specs = chain_processes(chain)
    environment = chain_environment(domain)
    token = _view_token(chain, environment)
    with (
        _interruptible() as stopped,
        RespawningGroup(environment, chain.out / "logs") as group,
    ):
        group.start(specs)
        group.wait_ready(READY_TIMEOUT_S)
        for spec in specs:
            group.go(spec.name)
        print(
            f"{chain.input} -> {chain.hand} ({chain.side}), started in "
            f"{time.monotonic() - began:.1f} s; ROS_DOMAIN_ID={domain}"
            + ("; Ctrl-C ends it" if endless else ""),
            flush=True,
        )
        if chain.view_port:
            print(_view_words(chain, token), flush=True)
        watch = group.tend if chain.respawn else group.check
        while not (stopped or group.has_ended(CAMERA)):
            watch(may_end=(CAMERA,))
            time.sleep(_POLL_S)
        if not stopped:
            time.sleep(_DRAIN_S)
        watch(may_end=(CAMERA,))
        group.stop(last=(RECORDER,))


def _view_token(chain: ChainConfig, environment: dict[str, str]) -> str:
    """Token of the view's controls, put into its environment; empty where none is needed.

    Raises:
        ConfigError: The one given by the user is too short.
    """
    from rejshand_ros.viewing.access import TOKEN_VARIABLE, Access

    if not chain.view_port:
        return ""
    access = Access(chain.view_host, environment.get(TOKEN_VARIABLE, ""))
    environment[TOKEN_VARIABLE] = access.token
    return access.token


def _view_words(chain: ChainConfig, token: str) -> str:
    host = chain.view_host if token else "localhost"
    opens = f"; token of its buttons: {token}" if token else ""
    return f"browser view: http://{host}:{chain.view_port}{opens}"


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list; the second one interrupts as usual."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _finish(config: DemoConfig, out: Path, truth: ClipTruth | None) -> dict[str, object]:
    """Sum up the bag and draw it; there may be none where somebody discarded the episode."""
    if not (out / EPISODE).is_dir():
        print("the episode was discarded: nothing to sum up", flush=True)
        return {}
    from rejshand_ros.command.robot_limits import joint_limits
    from rejshand_ros.demo.bag_facts import gather
    from rejshand_ros.demo.summary import as_text, summarise, write_summary
    from rejshand_ros.hand.keypoints import Side

    sides = SIDES[config.side]
    summary = summarise(
        gather(out / EPISODE, sides, meshes=truth is not None),
        {side: joint_limits(config.hand, Side(side)) for side in sides},
        bag=out / EPISODE,
        hand=config.hand,
        side=config.side,
        truth=truth,
    )
    write_summary(out / "summary.json", summary)
    print(as_text(summary), flush=True)
    if config.preview:
        _draw(config, out)
    print(f"results     {out}: {', '.join(sorted(p.name for p in out.iterdir()))}", flush=True)
    return summary


def _draw(config: DemoConfig, out: Path) -> None:
    from rejshand_ros.hand.keypoints import Side
    from rejshand_ros.viewing.preview import write_preview
    from rejshand_ros.viewing.robot_view import robot_renderer

    print("drawing preview.mp4 ...", flush=True)
    renderers = {Side(side): robot_renderer(config.hand, Side(side)) for side in SIDES[config.side]}
    write_preview(out / EPISODE, out, renderers)


if __name__ == "__main__":
    main(sys.argv[1:])
