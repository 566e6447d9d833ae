"""The folder of a run's results: one run at a time, nothing left of the one before."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rejshand_ros.demo.chain import EPISODE
from rejshand_ros.errors import ConfigError

_OURS = (".mcap", ".yaml", ".json", ".png")
"""Endings of what an episode's folder may hold, a contact sheet included."""
_RESULTS = ("summary.json", "preview.mp4", "preview.png")


@contextmanager
def results_folder(out: Path) -> Iterator[None]:
    """Hold a folder against other runs, and clear it of what an earlier one left.

    Args:
        out: The folder; made where it is missing. A lock lies among its logs and goes with the
            process that holds it, however that ends.

    Raises:
        ConfigError: Another run writes into it, it cannot be used, or holds something else.
    """
    try:
        (out / "logs").mkdir(parents=True, exist_ok=True)
        lock = os.open(out / "logs/running", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error.strerror}") from error
    try:
        _take(lock, out)
        _make_room(out)
        yield
    finally:
        os.close(lock)


def _take(lock: int, out: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 200, 0).decode(errors="replace").strip() or "another process"
        raise ConfigError(f"{holder} writes into {out}; end it, or choose another --out") from None
    os.ftruncate(lock, 0)
    since = time.strftime("%H:%M:%S")
    os.pwrite(lock, f"process {os.getpid()}, running since {since},\n".encode(), 0)


def _make_room(out: Path) -> None:
    """Remove what an earlier run left, and nothing else.

    Raises:
        ConfigError: The folder cannot be used.
    """
    try:
        bag = out / EPISODE
        if bag.is_dir():
            foreign = [p for p in bag.iterdir() if p.suffix not in _OURS]
            if foreign:
                raise ConfigError(f"{bag} holds {foreign[0].name}, no bag of ours; choose --out")
            shutil.rmtree(bag)
        for name in _RESULTS:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error.strerror}") from error
