"""The chain under faults: killed, unplugged, flooded, starved, its clock set, its disk full.

The real chain runs as real processes, kept alive as by `rejshand teleop`. Faults are drawn from a
seed, one at a time; after each the others must run on, every command must keep the rules of
docs/safety.md, all must work again within 5 s of the fault's end, and what was recorded until then
must be whole. ``COUNT``, ``SEED`` and ``ONLY`` (part of a fault's name) in the environment change
what is drawn. The disk's faults need root.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.fault_chain import FaultChain
from benchmarks.fault_clock import OFFSET, clock_environment
from benchmarks.fault_invariants import CommandRules
from benchmarks.fault_kinds import Fault, StrangerProcess, all_faults
from benchmarks.fault_recordings import examine
from benchmarks.fault_watch import Watch
from benchmarks.report import table, write_report
from rejshand_ros.command.robot_limits import joint_limits
from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.hand.keypoints import Side

RECOVERY_S = 5.0
_PATIENCE_S = 60.0
"""After this the chain is given up, and with it the benchmark."""
_UNFLUSHED_S = 1.0
"""What a recorder may still hold in memory when it dies, and the time until that is noticed."""


def drawn(faults: tuple[Fault, ...], count: int, rng: random.Random) -> Iterator[Fault]:
    """Faults in random order, each kind as often as any other."""
    left: list[Fault] = []
    for _ in range(count):
        if not left:
            left = list(faults)
            rng.shuffle(left)
        yield left.pop()


def one_fault(fault: Fault, chain: FaultChain, watch: Watch) -> dict[str, Any]:
    """Let one fault happen and watch what becomes of the chain."""
    before = chain.pids()
    began = time.monotonic()
    broken_before = len(watch.rules.violations)
    fault.happen()
    ended = time.monotonic()
    recovery = watch.follow_recovery(ended, _PATIENCE_S, chain)
    after = chain.pids()
    died = sorted(n for n, pid in before.items() if after[n] != pid and n not in fault.hit)
    return {
        "fault": fault.name,
        "began": began,
        "lasted_s": ended - began,
        "recovered_s": recovery.seconds,
        "parts_s": asdict(recovery),
        "command_pause_s": watch.longest_pause(began),
        "bystanders_died": died,
        "violations": watch.rules.violations[broken_before:],
        "recovered": recovery.seconds <= RECOVERY_S and not died,
    }


def run(
    chain: FaultChain, watch: Watch, stranger: StrangerProcess, count: int, seed: int
) -> list[dict[str, Any]]:
    """Let the faults happen."""
    rng = random.Random(seed)
    faults = tuple(
        fault
        for fault in all_faults(chain, stranger, rng)
        if os.environ.get("ONLY", "") in fault.name
    )
    done: list[dict[str, Any]] = []
    for number, fault in enumerate(drawn(faults, count, rng), 1):
        calm_from = time.monotonic()
        time.sleep(rng.uniform(0.3, 1.0))
        watch.rules.describe_now = f"fault {number}: {fault.name}"
        done.append({"number": number, "calm_from": calm_from} | one_fault(fault, chain, watch))
        told = done[-1]
        print(
            f"{number:4d} {fault.name:36s} lasted {told['lasted_s']:5.2f} s, recovered after "
            f"{told['recovered_s']:5.2f} s{'' if told['recovered'] else '  NOT IN TIME'}"
            f"{'  died: ' + ', '.join(told['bystanders_died']) if told['bystanders_died'] else ''}"
            f"{'  ' + '; '.join(told['violations'][:2]) if told['violations'] else ''}",
            flush=True,
        )
        if told["recovered_s"] == float("inf"):
            print(f"faults: the chain did not come back: {told['parts_s']}", file=sys.stderr)
            break
    return done


def by_kind(done: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How long the recovery from each kind took, and the longest pause of the commands."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for fault in done:
        kinds.setdefault(fault["fault"], []).append(fault)
    return {
        name: {
            "count": len(faults),
            "mean_s": sum(fault["recovered_s"] for fault in faults) / len(faults),
            "max_s": max(fault["recovered_s"] for fault in faults),
            "command_pause_s": max(fault["command_pause_s"] for fault in faults),
        }
        for name, faults in sorted(kinds.items())
    }


def main() -> None:
    """Run the benchmark, under a clock that can be set, and write out/bench/faults.json."""
    if OFFSET in os.environ:
        measure()
        return
    with tempfile.TemporaryDirectory(prefix="rejshand_clock_") as folder:
        command = [sys.executable, "-m", "benchmarks.faults"]
        done = subprocess.run(command, env=clock_environment(Path(folder)), check=False)
    sys.exit(done.returncode)


def measure() -> None:
    """Hurt the chain and report."""
    count, seed = int(os.environ.get("COUNT", "105")), int(os.environ.get("SEED", "0"))
    limits = joint_limits("allegro", Side.RIGHT)
    rules = CommandRules(limits)
    with (
        tempfile.TemporaryDirectory(prefix="rejshand_faults_") as folder,
        reserved_domain() as domain,
        FaultChain(Path(folder), domain) as chain,
    ):
        hashes = Path(folder) / "hashes"
        hashes.touch()
        os.environ.update(chain.environment)
        with StrangerProcess(chain.environment, hashes, seed) as stranger:
            watch = Watch(rules, limits.names, domain)
            chain.start()
            first = watch.follow_recovery(time.monotonic(), _PATIENCE_S, chain)
            print(f"the chain works {first.seconds:.1f} s after its start", flush=True)
            done = run(chain, watch, stranger, count, seed)
            calm = [(f["calm_from"], f["began"] - _UNFLUSHED_S) for f in done]
            restarts = dict(chain.group.restarts)
            chain.stop()
            watch.close()
        foreign = set(hashes.read_text().split())
        facts = examine(chain.episodes, chain.images, foreign, watch.seen, calm)
        disk = chain.disk
    kinds = by_kind(done)
    print(
        table(
            ("fault", "times", "mean [s]", "max [s]", "longest pause of commands [s]"),
            [(n, *k.values()) for n, k in kinds.items()],
        )
    )
    recovered = [fault["recovered_s"] for fault in done]
    write_report(
        "faults",
        {
            "faults_injected": len(done),
            "unrecovered": sum(not fault["recovered"] for fault in done),
            "invariant_violations": len(rules.violations),
            "messages_corrupted": len(facts.corrupted) + len(facts.unreadable) + facts.missing,
        },
        {
            "seed": seed,
            "recovery_s_mean": sum(recovered) / len(recovered),
            "recovery_s_max": max(recovered),
            "by_kind": kinds,
            "restarts": restarts,
            "commands_checked": rules.checked,
            "violations": rules.violations[:50],
            "disk_faults_possible": disk,
            "episodes": facts.episodes,
            "episodes_unreadable": facts.unreadable,
            "messages_of_the_chain": facts.messages,
            "messages_of_the_stranger": facts.foreign,
            "messages_corrupted": facts.corrupted[:50],
            "commands_missing": facts.missing,
            "faults": done,
        },
    )


if __name__ == "__main__":
    main()
