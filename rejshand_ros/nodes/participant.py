"""For every DDS participant a number that nobody has had of late.

Fast DDS numbers the participants of a computer from 0, and the ports of each follow from its
number: who replaces a killed process gets the dead one's. Its ports in shared memory are then
taken over while the others, who still write to the dead one, make them anew. Where both meet, Fast
DDS 3.2 now and then blocks every writer for 2 s, or leaves the newcomer with a port to which
nobody writes any more: it runs, and hears nothing. So numbers are taken in turn here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROFILES_FILE = "FASTDDS_DEFAULT_PROFILES_FILE"
FIRST, LAST = 8, 31
"""Lower numbers are left to others' tools, which take the lowest that is free; discovery on one
computer alone asks for no higher ones (rmw_fastrtps, range LOCALHOST)."""
_OURS, _INSIDE = 'profile_name="rejshand"', "<rtps>"


@contextlib.contextmanager
def numbered_participant(domain: int, folder: Path | None = None) -> Iterator[int | None]:
    """Give the participant that is created meanwhile the next number; yields it.

    It is written into a copy of this project's Fast DDS profile. Under another profile, or none,
    and where all numbers are in use, Fast DDS numbers as it likes, and None is yielded.

    Args:
        domain: The participant's ROS domain.
        folder: Where the latest numbers are remembered; a folder for all users by default.
    """
    given = os.environ.get(PROFILES_FILE, "")
    profile = Path(given).read_text("utf-8") if given and Path(given).is_file() else ""
    number = next_number(domain, folder) if _OURS in profile else None
    if number is None:
        yield None
        return
    numbered = profile.replace(_INSIDE, f"{_INSIDE}<participantID>{number}</participantID>", 1)
    with tempfile.NamedTemporaryFile("w", prefix="rejshand_fastdds_", suffix=".xml") as file:
        file.write(numbered)
        file.flush()
        os.environ[PROFILES_FILE] = file.name
        try:
            yield number
        finally:
            os.environ[PROFILES_FILE] = given


def next_number(domain: int, folder: Path | None = None) -> int | None:
    """The first free number after the one that was given out last; None where all are in use.

    Args:
        domain: The participant's ROS domain.
        folder: Where the latest numbers are remembered.
    """
    folder = folder or Path(tempfile.gettempdir()) / "rejshand_ros_participants"
    with _latest(folder / str(domain)) as latest:
        count = LAST - FIRST + 1
        for step in range(1, count + 1):
            number = FIRST + (latest[0] - FIRST + step) % count
            if _is_free(domain, number):
                latest[0] = number
                return number
    return None


@contextlib.contextmanager
def _latest(path: Path) -> Iterator[list[int]]:
    """The number given out last, in a list to be changed, while no other process reads it."""
    try:
        path.parent.mkdir(mode=0o1777, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        # Another user's: anywhere will mostly do.
        yield [os.getpid()]
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        text = os.read(descriptor, 16).strip()
        latest = [int(text) if text.isdigit() else LAST]
        yield latest
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(latest[0]).encode(), 0)
    finally:
        os.close(descriptor)


def _is_free(domain: int, number: int) -> bool:
    """Whether nobody listens at the ports of a participant (DDSI-RTPS 2.5, 9.6.2.4)."""
    port = 7400 + 250 * domain + 10 + 2 * number
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except (OSError, OverflowError):
            return False
    return True
