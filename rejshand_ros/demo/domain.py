"""A ROS domain that nobody else on this computer uses."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rejshand_ros.errors import ConfigError, ProcessError

FIRST, LAST = 30, 101
"""Above 101 the ports would meet Linux's ephemeral ones; low numbers are what people choose."""


def given_domain() -> int | None:
    """The domain that the environment names, or None.

    Raises:
        ConfigError: ROS_DOMAIN_ID is no number from 0 to 232.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if not text:
        return None
    if not text.isdigit() or int(text) > 232:
        raise ConfigError(f"ROS_DOMAIN_ID is {text!r}; valid: 0 to 232")
    return int(text)


@contextmanager
def reserved_domain() -> Iterator[int]:
    """Hold a domain of one's own against other users of this function.

    Raises:
        ProcessError: All of them are taken.
    """
    folder = Path(tempfile.gettempdir()) / "rejshand_ros_domains"
    folder.mkdir(mode=0o1777, exist_ok=True)
    # Starting from the process's number spreads concurrent runs, so few locks are tried.
    count = LAST - FIRST + 1
    for offset in range(count):
        domain = FIRST + (os.getpid() + offset) % count
        try:
            lock = os.open(folder / str(domain), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except PermissionError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield domain
        finally:
            os.close(lock)
        return
    raise ProcessError(f"all ROS domains from {FIRST} to {LAST} are in use on this computer")
