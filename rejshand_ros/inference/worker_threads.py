"""Keeps the worker threads of the CPU runtime off the core of the thread that waits for them.

A kernel wakes a sleeping thread where it last ran or where its waker runs, and on some machines
(virtual ones with two cores, measured) leaves it there although another core idles. The thread
that asked for the inference then does the workers' share as well, while they wait for its core: a
crop took 4.2 ms instead of 2.9 in one frame of three, for seconds on end. Pinning each to a core
for good would cure this too, but fights with every other process for that core.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_TASKS = Path("/proc/self/task")
"""A folder for each thread of this process, named by its number; Linux alone has it."""


class WorkerThreads:
    """Threads that a library started, and the cores on which they may run.

    Does nothing where the system does not tell threads or cores, or lends only one core.
    """

    def __init__(self) -> None:
        self._noted: set[int] = set()
        self._allowed: set[int] = set()
        system = ctypes.CDLL(None)
        self._current_core = getattr(system, "sched_getcpu", None)
        self._send_signal = getattr(system, "tgkill", None)

    @property
    def numbers(self) -> frozenset[int]:
        """The system's numbers of the threads noted so far."""
        return frozenset(self._noted)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note the threads that start meanwhile and are not Python's own."""
        before = _thread_numbers()
        try:
            yield
        finally:
            python = {thread.native_id for thread in threading.enumerate()}
            self._noted |= _thread_numbers() - before - python
            self._allowed = os.sched_getaffinity(0) if self._noted else set()

    def keep_apart(self) -> None:
        """Leave the noted threads all cores but the one on which this is called.

        To be called before each use of the library: its threads may give themselves all cores
        again once they are awake, as OpenVINO's do, and then stay where they woke.
        """
        if len(self._allowed) < 2 or self._current_core is None or self._send_signal is None:
            return
        others, process = self._allowed - {self._current_core()}, os.getpid()
        for number in tuple(self._noted):
            try:
                # The number of one that has ended may be another process's thread by now; signal
                # 0 asks, at a tenth of what looking into /proc takes, and reaches nobody.
                if self._send_signal(process, number, 0) != 0:
                    raise ProcessLookupError(number)
                os.sched_setaffinity(number, others)
            except OSError:
                # Ended, or these cores were taken from the process: the system places the
                # library's threads again, which costs time and nothing else.
                self._noted.discard(number)


def _thread_numbers() -> set[int]:
    """All threads of this process."""
    return {int(task.name) for task in _TASKS.iterdir()} if _TASKS.is_dir() else set()
