"""The faults: each begins, lasts a while drawn from the seed, and has an end of its own."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from benchmarks.fault_chain import (
    FREE_FLOOR_MB,
    IMAGES,
    NODES,
    FaultChain,
    busy_processes,
    cores,
)
from benchmarks.fault_clock import shift_clock
from benchmarks.fault_messages import KINDS as TOPICS
from rejshand_ros.demo.chain import RECORDER
from rejshand_ros.errors import ProcessError


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: What happens to whom.
        hit: Processes that may end of it; all others must keep running.
        happen: Does it, and returns at its end.
    """

    name: str
    hit: frozenset[str]
    happen: Callable[[], object]


class StrangerProcess:
    """The process that floods topics and sends malformed messages."""

    def __init__(self, environment: dict[str, str], hashes: Path, seed: int) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "benchmarks.fault_messages", "--hashes", str(hashes)]
        self._process = subprocess.Popen(
            [*command, "--seed", str(seed)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def do(self, line: str) -> int:
        """Let it send, and return how many messages it sent."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise ProcessError("the stranger on the topics has died; see its output above")
        return answer

    def __enter__(self) -> StrangerProcess:
        """Return the process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def all_faults(
    chain: FaultChain, stranger: StrangerProcess, rng: random.Random
) -> tuple[Fault, ...]:
    """Every kind of fault that this computer can make."""
    none: frozenset[str] = frozenset()
    faults = []
    for name in NODES:
        only = frozenset({name})
        faults += [
            Fault(f"kill -9 {name}", only, partial(_signal, chain, name, signal.SIGKILL)),
            Fault(f"restart {name}", only, partial(_restart, chain, name)),
            Fault(f"stop and continue {name}", none, partial(_freeze, chain, name, rng)),
        ]
    for topic in TOPICS:
        faults += [
            Fault(f"flood {topic}", none, partial(stranger.do, f"flood {topic} 1.5")),
            Fault(f"malformed {topic}", none, partial(stranger.do, f"malformed {topic}")),
        ]
    faults += [
        Fault("camera unplugged", none, partial(_unplug, chain, rng)),
        Fault("camera gives rubbish", none, partial(_rubbish, chain, rng)),
        Fault("clock forward", none, partial(_clock_forward, rng)),
        Fault("clock back for a while", none, partial(_clock_back, rng)),
        Fault("processor starved", none, partial(_starve, rng)),
    ]
    if chain.disk:
        # The recorder ends its episode and waits; at its most it may be started again.
        recorder = frozenset({RECORDER})
        low, none_left = round(0.5e6 * FREE_FLOOR_MB), 0
        faults += [
            Fault("disk nearly full", recorder, partial(_fill, chain, rng, low)),
            Fault("disk full", recorder, partial(_fill, chain, rng, none_left)),
        ]
    return tuple(faults)


def _signal(chain: FaultChain, name: str, number: signal.Signals) -> None:
    os.kill(chain.group.pid(name), number)


def _restart(chain: FaultChain, name: str) -> None:
    """End it as a person would; the fault is over when it has ended."""
    pid = chain.group.pid(name)
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + 10.0
    while chain.group.pid(name) == pid and Path(f"/proc/{pid}").exists():
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGKILL)
            raise ProcessError(f"{name} did not end within 10 s of SIGTERM")
        time.sleep(0.01)


def _freeze(chain: FaultChain, name: str, rng: random.Random) -> None:
    pid = chain.group.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(rng.uniform(0.3, 3.0))
    finally:
        os.kill(pid, signal.SIGCONT)


def _unplug(chain: FaultChain, rng: random.Random) -> None:
    away = chain.images.with_name("unplugged")
    chain.images.rename(away)
    time.sleep(rng.uniform(0.5, 3.0))
    away.rename(chain.images)


def _rubbish(chain: FaultChain, rng: random.Random) -> None:
    away = chain.images.with_name("unplugged")
    chain.images.rename(away)
    chain.images.mkdir()
    for index in range(IMAGES):
        (chain.images / f"{index:04d}.jpg").write_bytes(rng.randbytes(100))
    time.sleep(rng.uniform(0.5, 2.0))
    shutil.rmtree(chain.images)
    away.rename(chain.images)


def _clock_forward(rng: random.Random) -> None:
    shift_clock(rng.uniform(0.2, 60.0))


def _clock_back(rng: random.Random) -> None:
    """Behind for a while, then right again: two jumps, one each way."""
    by_s = rng.uniform(0.2, 60.0)
    shift_clock(-by_s)
    try:
        time.sleep(rng.uniform(1.0, 3.0))
    finally:
        shift_clock(by_s)


def _starve(rng: random.Random) -> None:
    hungry = busy_processes(6 * cores())
    try:
        time.sleep(rng.uniform(1.0, 3.0))
    finally:
        for process in hungry:
            process.kill()
        for process in hungry:
            process.wait()


def _fill(chain: FaultChain, rng: random.Random, free_bytes: int) -> None:
    chain.resize_disk(free_bytes)
    try:
        time.sleep(rng.uniform(1.5, 3.0))
    finally:
        chain.resize_disk(None)
