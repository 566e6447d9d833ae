"""Fuzzing: 100,000 damaged inputs to everything that reads what others wrote.

Each reader runs in a process of its own, two at a time: a crash of a library ends only that one,
and counts as an escape. ``INPUTS=...`` in the environment changes the number. An input is made from
a number that the report tells: ``python -m benchmarks.fuzz READER NUMBER`` tries that one alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import fuzz_episodes, fuzz_files, fuzz_messages
from benchmarks.fuzz_run import Target, run_target
from benchmarks.report import write_report

TARGETS = (
    Target("images", 0.20, fuzz_messages.images),
    Target("messages", 0.24, fuzz_messages.messages),
    Target("serialised", 0.10, fuzz_messages.serialised),
    Target("configs", 0.06, fuzz_files.configs),
    Target("urdfs", 0.06, fuzz_files.urdfs),
    Target("checkpoints", 0.06, fuzz_files.checkpoints),
    Target("hand_models", 0.14, fuzz_files.hand_models),
    Target("repairs", 0.07, fuzz_episodes.repairs),
    Target("episodes", 0.07, fuzz_episodes.episodes),
)
_LONGEST_S = 3600.0


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in memory where there is one: a disk would be the slowest part."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rejshand_fuzz_", dir=memory) as folder:
        yield Path(folder)


def _in_own_process(target: Target, inputs: int) -> dict[str, Any]:
    """Outcome of a target; a process that dies is one more escape."""
    with _scratch() as folder:
        report = folder / "outcome.json"
        command = [sys.executable, "-m", "benchmarks.fuzz", "--worker", target.name, str(inputs)]
        done = subprocess.run(
            [*command, str(report)], capture_output=True, text=True, timeout=_LONGEST_S
        )
        if done.returncode == 0 and report.exists():
            outcome: dict[str, Any] = json.loads(report.read_text())
            return outcome
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    kind = f"the process ended with status {done.returncode}: {last[:200]}"
    return {"inputs": 0, "refused": 0, "escaped": 1, "kinds": {kind: 0}, "memory_mb": 0.0}


def main() -> None:
    """Run the benchmark and write out/bench/fuzz.json."""
    inputs = int(os.environ.get("INPUTS", "104000"))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        # The long ones first, so that none is left to run alone at the end.
        ordered = sorted(TARGETS, key=lambda target: -target.share)
        work = {
            target.name: pool.submit(_in_own_process, target, round(inputs * target.share))
            for target in ordered
        }
        outcomes = {name: future.result() for name, future in work.items()}
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome}", flush=True)
    write_report(
        "fuzz",
        {
            "inputs_tried": sum(outcome["inputs"] for outcome in outcomes.values()),
            "escaped": sum(outcome["escaped"] for outcome in outcomes.values()),
        },
        {"readers": outcomes},
    )


def _worker(arguments: list[str]) -> None:
    by_name = {target.name: target for target in TARGETS}
    with _scratch() as folder:
        if arguments[0] == "--worker":
            outcome = run_target(by_name[arguments[1]], int(arguments[2]), folder)
            Path(arguments[3]).write_text(json.dumps(outcome.as_dict()))
        else:
            by_name[arguments[0]].prepare(folder)(int(arguments[1]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _worker(sys.argv[1:])
    else:
        main()
