"""The real chain, as real processes, with handles by which it can be hurt."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import cv2

from rejshand_ros.demo.chain import (
    CAMERA,
    EPISODE,
    HAND_POSE,
    RECORDER,
    ChainConfig,
    chain_environment,
    chain_processes,
)
from rejshand_ros.demo.clip import default_clip
from rejshand_ros.demo.respawning import RespawningGroup
from rejshand_ros.errors import ProcessError
from rejshand_ros.hand.keypoints import Side

RETARGETING, COMMAND, SIMULATION = "right/retargeting", "right/command", "right/simulation"
NODES = (CAMERA, HAND_POSE, RETARGETING, COMMAND, SIMULATION, RECORDER)
IMAGES = 300
FREE_FLOOR_MB = 20.0
_TEND_S = 0.02


class FaultChain:
    """A chain on a folder of images, kept alive by what keeps `rejshand teleop` alive.

    Attributes:
        images: The camera's folder.
        episodes: The recorder's folder.
        disk: Whether the episodes have a disk of their own, that can be filled.
        environment: Of the chain's processes.
        group: The processes.
    """

    def __init__(self, root: Path, domain: int) -> None:
        """Lay out the folders.

        Args:
            root: Folder for everything.
            domain: ROS domain.
        """
        self.images = root / "camera"
        self.episodes = root / "episodes"
        self._logs = root / "logs"
        self._write_images()
        self.episodes.mkdir()
        self.disk = self._mount()
        self.environment = chain_environment(domain)
        self.group = RespawningGroup(self.environment, self._logs)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="tend")
        self.failure: Exception | None = None

    def _write_images(self) -> None:
        self.images.mkdir()
        capture = cv2.VideoCapture(str(default_clip(Side.RIGHT).video))
        for index in range(IMAGES):
            good, image = capture.read()
            if not good:
                break
            cv2.imwrite(str(self.images / f"{index:04d}.jpg"), image)
        capture.release()

    def _mount(self) -> bool:
        """Give the episodes a disk of their own, in memory; only root may."""
        command = ["mount", "-t", "tmpfs", "-o", "size=4g", "rejshand", str(self.episodes)]
        with contextlib.suppress(OSError):
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        return False

    def resize_disk(self, free_bytes: int | None) -> None:
        """Leave so much room on the episodes' disk; None: plenty.

        Raises:
            ProcessError: The system refuses.
        """
        size = "4g"
        if free_bytes is not None:
            usage = shutil.disk_usage(self.episodes)
            size = str(usage.used + free_bytes)
        command = ["mount", "-o", f"remount,size={size}", str(self.episodes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProcessError(f"the disk could not be resized: {done.stderr.strip()}")

    def start(self) -> None:
        """Start all processes and keep them alive from then on."""
        chain = ChainConfig(
            input=str(self.images), loop=True, respawn=True, out=self.episodes, threads=1
        )
        changes: Mapping[str, Mapping[str, bool | int | float | str]] = {
            RECORDER: {"minimum_free_mb": FREE_FLOOR_MB, "preroll_s": 0.0},
        }
        specs = [
            dataclasses.replace(spec, parameters={**spec.parameters, **changes.get(spec.name, {})})
            for spec in chain_processes(chain)
        ]
        self.group.start(specs)
        self.group.wait_ready(120.0)
        for spec in specs:
            self.group.go(spec.name)
        self._thread.start()

    def _tend(self) -> None:
        while not self._stop.wait(_TEND_S):
            try:
                self.group.tend()
            except Exception as error:  # told to whoever asks `check`
                self.failure = error
                return

    def check(self) -> None:
        """See that somebody still takes care of the processes.

        Raises:
            ProcessError: The care has ended.
        """
        if self.failure is not None:
            raise ProcessError(f"the chain is not tended any more: {self.failure}")

    def pids(self) -> dict[str, int]:
        """Numbers of the processes, by name."""
        return {name: self.group.pid(name) for name in NODES}

    def all_up(self) -> bool:
        """Whether every process runs and works."""
        return all(self.group.is_up(name) for name in NODES)

    def newest_recording(self) -> tuple[str, int]:
        """The newest episode and the size of its file; the file grows while it is recorded."""
        numbers = {path.name: path for path in self.episodes.glob(f"{EPISODE}*") if path.is_dir()}
        newest = max(numbers, key=lambda name: (len(name), name), default="")
        size = 0
        if newest:
            with contextlib.suppress(OSError):
                size = (numbers[newest] / f"{newest}_0.mcap").stat().st_size
        return newest, size

    def stop(self) -> None:
        """Stop everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.group.stop(last=(RECORDER,))

    def __enter__(self) -> FaultChain:
        """Return the chain itself, not started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what still runs and take the disk away."""
        try:
            self.stop()
        finally:
            if self.disk:
                subprocess.run(["umount", "-l", str(self.episodes)], check=False)


def busy_processes(count: int) -> list[subprocess.Popen[bytes]]:
    """Processes that do nothing but take the processor."""
    return [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(count)]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
