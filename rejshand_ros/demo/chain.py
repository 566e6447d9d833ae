"""Which processes make up the chain, with which parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rejshand_ros.demo.processes import ProcessSpec
from rejshand_ros.errors import unknown_choice
from rejshand_ros.resources import resource_path

SIDES: Mapping[str, tuple[str, ...]] = {
    "right": ("right",),
    "left": ("left",),
    "both": ("right", "left"),
}
TRANSPORTS = ("compressed", "raw")
BACKENDS = ("mujoco", "scripted", "none")
CAMERA, RECORDER, HAND_POSE, VIEWER = "camera", "recorder", "hand_pose", "viewer"
EPISODE = "bag"
_NODES = "rejshand_ros.nodes"


@dataclass(frozen=True)
class ChainConfig:
    """What the chain runs on.

    Attributes:
        input: Video file, folder of images, or device.
        hand: Robot hand.
        side: ``right``, ``left`` or ``both``.
        flip: Flip the input left to right.
        loop: Play a file again and again.
        out: Folder for the bag.
        transport: Form of the recorded images: compressed or raw.
        weights: Name or path of the network's weights.
        device: Where the network runs.
        threads: CPU threads of the network.
        camera_info_url: Calibration file; empty for none.
        backend: Physics of the simulated hand; ``none`` where a real hand's driver listens.
        record: Whether to record.
        auto_engage: Whether the operator's hand takes over by itself.
        respawn: Whether a process that dies is started again; otherwise its death ends the chain,
            as for a measurement, half of which would be wrong.
        view_port: TCP port of the browser view; 0: no view.
        view_host: Address that the view binds to.
    """

    input: str
    hand: str = "allegro"
    side: str = "right"
    flip: bool = False
    loop: bool = False
    out: Path = Path("out/demo")
    transport: str = "compressed"
    weights: str = "default"
    device: str = "auto"
    threads: int = 2
    camera_info_url: str = ""
    backend: str = "mujoco"
    record: bool = True
    auto_engage: bool = True
    respawn: bool = False
    view_port: int = 0
    view_host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise unknown_choice("side", self.side, SIDES)
        if self.transport not in TRANSPORTS:
            raise unknown_choice("transport", self.transport, TRANSPORTS)
        if self.backend not in BACKENDS:
            raise unknown_choice("simulator", self.backend, BACKENDS)


def chain_processes(config: ChainConfig) -> tuple[ProcessSpec, ...]:
    """The processes, in the order in which they are to begin: the camera last."""
    specs = []
    if config.record:
        recorder: dict[str, bool | int | float | str] = {
            "folder": str(config.out),
            "episode": EPISODE,
            "side": config.side,
            "transport": config.transport,
            "repair": config.respawn,
            "resume": config.respawn,
            "hand": config.hand,
            "weights": config.weights,
            "calibration": config.camera_info_url,
        }
        specs.append(ProcessSpec(RECORDER, f"{_NODES}.recorder", recorder))
    for side in SIDES[config.side]:
        which: dict[str, bool | int | float | str] = {"hand": config.hand, "side": side}
        command = {
            **which,
            "auto_engage": config.auto_engage,
            "joint_naming": "driver" if config.backend == "none" else "chain",
        }
        if config.backend != "none":
            physics = {**which, "backend": config.backend}
            specs.append(ProcessSpec(f"{side}/simulation", f"{_NODES}.simulation", physics, side))
        specs += [
            ProcessSpec(f"{side}/command", f"{_NODES}.command", command, side),
            ProcessSpec(f"{side}/retargeting", f"{_NODES}.retargeting", which, side),
        ]
    specs += [
        ProcessSpec(
            HAND_POSE,
            f"{_NODES}.hand_pose",
            {
                "side": config.side,
                "image_transport": "raw",
                "weights": config.weights,
                "device": config.device,
                "threads": config.threads,
            },
        ),
        ProcessSpec(
            CAMERA,
            f"{_NODES}.camera",
            {
                "input": config.input,
                "flip": config.flip,
                "loop": config.loop,
                # Raw to the network, which spares it compressing and decompressing; compressed to
                # the recorder, which spares the disk.
                "transport": "raw" if config.transport == "raw" else "both",
                "camera_info_url": config.camera_info_url,
                # The network and the recorder: an image before they listen would be lost.
                "wait_for_subscribers": 1 + config.record,
            },
        ),
    ]
    # What is published before two nodes have found each other is lost to an episode.
    together: dict[str, bool | int | float | str] = {
        "await_recorder": RECORDER if config.record else "",
        # A real hand's driver may be started later than the chain.
        "await_inputs": config.backend != "none",
    }
    specs = [replace(one, parameters={**one.parameters, **together}) for one in specs]
    if config.view_port:
        view: dict[str, bool | int | float | str] = {
            "hand": config.hand,
            "side": config.side,
            "host": config.view_host,
            "port": config.view_port,
            "image_transport": config.transport,
            "joint_naming": "driver" if config.backend == "none" else "chain",
        }
        # Whoever only looks on must not end what it looks at.
        specs.insert(0, ProcessSpec(VIEWER, f"{_NODES}.viewer", view, essential=False))
    return tuple(specs)


def chain_environment(domain: int) -> dict[str, str]:
    """The environment of the chain's processes: own domain, this computer only, large images."""
    environment = dict(os.environ)
    environment["ROS_DOMAIN_ID"] = str(domain)
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault(
        "FASTDDS_DEFAULT_PROFILES_FILE", str(resource_path("config/fastdds.xml"))
    )
    # Each process has its own small matrices; threads of theirs would only fight for the cores.
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        environment.setdefault(f"{library}_NUM_THREADS", "1")
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
