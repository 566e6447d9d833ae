"""The chain on three computers, and what becomes of the hand when a cable is cut.

Camera, network and robot are hosts of their own (see host_network.py); they find each other by a
list of peers (docs/several_machines.md), without multicast. Each cable is cut for several times;
the hand must hold within 100 ms of the cut, and follow again within 5 s of the mending. Judged by
what the robot's host has recorded. Needs root and iproute2.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.fault_invariants import FOLLOWING, CommandRules, SeenCommand, Timing
from benchmarks.host_network import ADDRESSES, HostNetwork
from benchmarks.report import table, write_report
from rejshand_ros.command.command import TeleopPhase
from rejshand_ros.command.robot_limits import joint_limits
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
from rejshand_ros.demo.processes import ProcessSpec
from rejshand_ros.demo.respawning import RespawningGroup
from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns

PLACES = {CAMERA: "camera", HAND_POSE: "network", "right/retargeting": "network"}
"""Where each node runs; the others are on the robot's host."""
CABLES = (("camera", "network"), ("network", "robot"))
CUTS_S = (0.5, 1.0, 3.0, 8.0, 25.0)
"""The last one outlives the lease after which two hosts forget each other."""
SETTLED_S = 8.0
HOLD_WITHIN_MS, RECOVERY_WITHIN_S = 100.0, 5.0
HOLD_AFTER_S = 0.075
"""The command node's setting: what was on its way when the cable was cut still arrives, and the
node looks a hundred times a second, so it must wait for less than the 100 ms."""


@dataclasses.dataclass(frozen=True)
class HostSpec(ProcessSpec):
    """A process on one of the hosts."""

    prefix: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """The command line, entered into its host."""
        return [*self.prefix, *super().command()]


@dataclasses.dataclass(frozen=True)
class Cut:
    """One cut of a cable.

    Attributes:
        cable: The hosts at its ends.
        cut_ns: When it was cut.
        mended_ns: When it was mended.
    """

    cable: tuple[str, str]
    cut_ns: int
    mended_ns: int


def environment() -> dict[str, str]:
    """What lets the hosts find each other without multicast."""
    found = chain_environment(domain=42)
    found["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    found["ROS_STATIC_PEERS"] = ";".join(ADDRESSES)
    return found


def specs(network: HostNetwork, out: Path) -> list[HostSpec]:
    """The chain's processes, each on its host."""
    chain = ChainConfig(
        input=str(default_clip(Side.RIGHT).video), loop=True, respawn=True, out=out, threads=1
    )
    changes = {"right/command": {"hold_after_s": HOLD_AFTER_S}}
    return [
        HostSpec(
            spec.name,
            spec.module,
            {**spec.parameters, **changes.get(spec.name, {})},
            spec.namespace,
            prefix=network.prefix(PLACES.get(spec.name, "robot")),
        )
        for spec in chain_processes(chain)
    ]


def cut_cables(network: HostNetwork, group: RespawningGroup) -> list[Cut]:
    """Cut and mend every cable for every time."""

    def wait(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            group.tend()
            time.sleep(min(left, 0.05))

    wait(SETTLED_S)
    cuts = []
    for seconds in CUTS_S:
        for cable in CABLES:
            cut_ns = time.time_ns()
            network.cut(*cable)
            wait(seconds)
            network.mend(*cable)
            cuts.append(Cut(cable, cut_ns, time.time_ns()))
            wait(SETTLED_S)
            print(f"cut {'-'.join(cable)} for {seconds:g} s", flush=True)
    return cuts


def recorded_commands(episode: Path) -> list[SeenCommand]:
    """The commands of an episode."""
    found = []
    with EpisodeReader(episode) as reader:
        for number, item in enumerate(reader.messages(["/right/hand_command"]), 1):
            message = item.message
            found.append(
                SeenCommand(
                    number,
                    stamp_ns(message.header.stamp),
                    stamp_ns(message.capture_stamp),
                    TeleopPhase(message.state.state),
                    message.positions,
                    message.velocities,
                )
            )
    return found


def judged(cut: Cut, commands: list[SeenCommand]) -> dict[str, Any]:
    """What the hand did about one cut."""
    during = [c for c in commands if cut.cut_ns <= c.issued_ns <= cut.mended_ns]
    followed = [c.issued_ns for c in during if c.phase in FOLLOWING]
    held = [c.issued_ns for c in during if c.phase not in FOLLOWING]
    after = [
        c.issued_ns
        for c in commands
        if c.issued_ns > cut.mended_ns and c.phase in FOLLOWING and c.capture_ns > cut.mended_ns
    ]
    return {
        "cable": "-".join(cut.cable),
        "cut_s": (cut.mended_ns - cut.cut_ns) * 1e-9,
        "last_followed_ms": (max(followed, default=cut.cut_ns) - cut.cut_ns) * 1e-6,
        "hold_ms": (min(held) - cut.cut_ns) * 1e-6 if held else float("inf"),
        "recovered_s": (min(after) - cut.mended_ns) * 1e-9 if after else float("inf"),
    }


def needless_holds(cuts: list[Cut], commands: list[SeenCommand]) -> int:
    """How often the hand held although no cable was cut, once it had followed again."""
    holds = 0
    for before, after in itertools.pairwise(commands):
        near = any(
            cut.cut_ns <= after.issued_ns <= cut.mended_ns + RECOVERY_WITHIN_S * 1e9 for cut in cuts
        )
        ceased = before.phase is TeleopPhase.TRACKING and after.phase is TeleopPhase.HOLDING
        holds += ceased and not near and after.issued_ns < cuts[-1].mended_ns
    return holds


def main() -> int:
    """Run the benchmark and write out/bench/hosts.json."""
    try:
        network = HostNetwork()
    except MissingDependencyError as error:
        print(f"hosts: {error}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="rejshand_hosts_") as folder,
        network,
        RespawningGroup(environment(), Path(folder) / "logs") as group,
    ):
        out = Path(folder) / "out"
        chain = specs(network, out)
        group.start(chain)
        group.wait_ready(60.0)
        for spec in chain:
            group.go(spec.name)
        cuts = cut_cables(network, group)
        restarts = dict(group.restarts)
        group.stop(last=(RECORDER,))
        commands = recorded_commands(out / EPISODE)
    rules = CommandRules(joint_limits("allegro", Side.RIGHT), Timing(hold_after_s=HOLD_AFTER_S))
    for command in commands:
        rules.see(command)
    results = [judged(cut, commands) for cut in cuts]
    print(table(list(results[0]), [tuple(result.values()) for result in results]))
    hold_ms = max(result["hold_ms"] for result in results)
    recovery_s = max(result["recovered_s"] for result in results)
    write_report(
        "hosts",
        {
            "cuts": len(results),
            "hold_ms_max": hold_ms,
            "recovery_s_max": recovery_s,
            "held_in_time": hold_ms <= HOLD_WITHIN_MS,
            "recovered_in_time": recovery_s <= RECOVERY_WITHIN_S,
            "invariant_violations": len(rules.violations),
        },
        {
            "hold_after_s": HOLD_AFTER_S,
            "needless_holds": needless_holds(cuts, commands),
            "cuts": results,
            "commands_checked": rules.checked,
            "violations": rules.violations[:50],
            "restarts": restarts,
            "environment": json.dumps(
                {k: v for k, v in environment().items() if k.startswith("ROS_")}
            ),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
