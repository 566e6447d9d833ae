"""Feed inputs to one reader and see that nothing but the project's own errors comes out."""

from __future__ import annotations

import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rejshand_ros.errors import RejshandError

LONGEST_S = 10.0
"""What one input may take before it counts as a hang; a shared machine may be ten times slower."""
MOST_GROWTH_MB = 700.0
"""What one input may add to the memory of the process at most."""
_KEPT = 10
_LARGEST = 2**48
Attempt = Callable[[int], None]
"""Makes the input of a number, the same each time, and reads it."""


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        name: What it reads.
        share: Of all inputs.
        prepare: From a folder for files to what is done with the number of an input.
    """

    name: str
    share: float
    prepare: Callable[[Path], Attempt]


@dataclass
class Outcome:
    """What came of a target.

    Attributes:
        inputs: How many were tried.
        refused: How many of them were refused by an error of the project's own.
        escaped: How many crashed, hung or took too much memory.
        kinds: Up to ten of those: what and where -> the number of the input.
        memory_mb: Largest growth of the process's memory by one input.
    """

    inputs: int = 0
    refused: int = 0
    escaped: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    memory_mb: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class Hang(BaseException):
    """An input took longer than it may; not an Exception, so that no reader takes it for one."""


def run_target(target: Target, inputs: int, folder: Path, start: int = 0) -> Outcome:
    """Try inputs, each under a limit of time and memory.

    Args:
        target: What reads them.
        inputs: How many.
        folder: For files; removed by the caller.
        start: Of the random numbers.
    """
    outcome = Outcome()
    attempt = target.prepare(folder)

    @seed(start)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, _LARGEST))
    def try_one(value: int) -> None:
        outcome.inputs += 1
        before_mb = _peak_mb()
        try:
            with _time_limit():
                attempt(value)
        except RejshandError:
            outcome.refused += 1
        except (Exception, Hang) as error:
            _note(outcome, _where(error), value)
        grown_mb = _peak_mb() - before_mb
        outcome.memory_mb = max(outcome.memory_mb, grown_mb)
        # The first inputs fill caches and load libraries.
        if grown_mb > MOST_GROWTH_MB:
            _note(outcome, f"memory grew by {grown_mb:.0f} MB", value)

    try_one()
    return outcome


def _note(outcome: Outcome, kind: str, value: int) -> None:
    outcome.escaped += 1
    if len(outcome.kinds) < _KEPT:
        outcome.kinds.setdefault(kind, value)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "rejshand_ros/" in frame.filename] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} in {place}: {' '.join(str(error).split())[:120]}"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _time_limit:  # noqa: N801 - reads as a word
    """Interrupts what takes too long."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._too_long)
        signal.setitimer(signal.ITIMER_REAL, LONGEST_S)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._before)

    @staticmethod
    def _too_long(number: int, frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST_S:g} s")
