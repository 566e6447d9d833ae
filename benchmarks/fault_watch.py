"""What the chain does, seen by a bystander on its topics: commands, joints, and how soon after."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from benchmarks.bystander import Bystander
from benchmarks.fault_invariants import FOLLOWING, CommandRules, SeenCommand
from rejshand_msgs.msg import HandCommand
from rejshand_ros.nodes.joint_conversions import command_from_message
from rejshand_ros.nodes.stamps import nanoseconds

_FRESH_S = 0.3
"""An image older than this at its command belongs to what was left over from the fault."""


@dataclass
class Recovery:
    """When each part worked again after a fault, seconds after its end; None where it did not.

    Attributes:
        command: A fresh command that follows the operator.
        joints: The robot hand's own report.
        recording: Growth of the newest episode.
        processes: All processes up.
    """

    command: float | None = None
    joints: float | None = None
    recording: float | None = None
    processes: float | None = None

    @property
    def complete(self) -> bool:
        """Whether everything works again."""
        return None not in (self.command, self.joints, self.recording, self.processes)

    @property
    def seconds(self) -> float:
        """When the last part did; infinite where one does not."""
        parts = (self.command, self.joints, self.recording, self.processes)
        return max(float("inf") if part is None else part for part in parts)


@dataclass(frozen=True)
class Receipt:
    """That a command came.

    Attributes:
        at: When, seconds of the steady clock.
        issued_ns: Its own stamp.
        digest: Hash of its bytes.
    """

    at: float
    issued_ns: int
    digest: str


class Watch:
    """A node that listens and judges, in a thread of its own.

    Attributes:
        rules: Judge of every command.
        seen: Every command's receipt.
    """

    def __init__(self, rules: CommandRules, joint_names: tuple[str, ...], domain: int) -> None:
        """Subscribe.

        Args:
            rules: Judge of every command.
            joint_names: Of the robot hand.
            domain: ROS domain.
        """
        self.rules = rules
        self.seen: list[Receipt] = []
        self._names = joint_names
        self._bystander = Bystander("bystander", domain)
        self._lock = threading.Lock()
        self._fresh_commands: list[tuple[float, int]] = []
        self._joints_at = 0.0
        deep = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=2000, reliability=ReliabilityPolicy.RELIABLE
        )
        node = self._bystander.node
        node.create_subscription(
            HandCommand, "right/hand_command", self._on_command, deep, raw=True
        )
        node.create_subscription(JointState, "right/joint_states", self._on_joints, deep)
        self._bystander.start()

    def _on_command(self, data: bytes, facts: Any) -> None:
        message = deserialize_message(data, HandCommand)
        command = command_from_message(message)
        seen = SeenCommand(
            int(facts["publication_sequence_number"]),
            command.issued_ns,
            nanoseconds(message.capture_stamp),
            command.phase,
            np.asarray(command.positions, float),
            np.asarray(command.velocities, float),
        )
        now = time.monotonic()
        fresh = seen.phase in FOLLOWING and 0 <= seen.issued_ns - seen.capture_ns <= _FRESH_S * 1e9
        with self._lock:
            self.rules.see(seen)
            digest = hashlib.sha1(data).hexdigest()
            self.seen.append(Receipt(now, seen.issued_ns, digest))
            if fresh:
                self._fresh_commands.append((now, seen.capture_ns))
                del self._fresh_commands[:-50]

    def _on_joints(self, message: JointState) -> None:
        if tuple(message.name) != self._names or len(message.position) != len(self._names):
            return
        with self._lock:
            self.rules.measured(np.asarray(message.position, float))
            self._joints_at = time.monotonic()

    def follow_recovery(self, ended: float, timeout_s: float, chain: Any) -> Recovery:
        """Watch the chain come back.

        Args:
            ended: When the fault ended, by the steady clock.
            timeout_s: How long to watch.
            chain: The `FaultChain`.
        """
        recovery, ended_ns = Recovery(), time.time_ns()
        before = chain.newest_recording()
        while not recovery.complete and time.monotonic() - ended < timeout_s:
            chain.check()
            now = time.monotonic()
            with self._lock:
                after = [
                    at for at, capture in self._fresh_commands if at > ended and capture > ended_ns
                ]
                joints_at = self._joints_at
            # Ten, which is three images or a tenth of a second of the steady rate: no straggler.
            if recovery.command is None and len(after) >= 10:
                recovery.command = after[0] - ended
            if recovery.joints is None and joints_at > ended:
                recovery.joints = joints_at - ended
            newest = chain.newest_recording()
            if recovery.recording is None and newest[0] == before[0] and newest[1] > before[1]:
                recovery.recording = now - ended
            elif newest[0] != before[0]:
                before = newest
            if not chain.all_up():
                recovery.processes = None
            elif recovery.processes is None:
                recovery.processes = now - ended
            time.sleep(0.02)
        return recovery

    def longest_pause(self, since: float) -> float:
        """The longest time between two commands from then on, seconds.

        Args:
            since: Seconds of the steady clock.
        """
        with self._lock:
            times = [receipt.at for receipt in self.seen if receipt.at >= since]
        return max((later - earlier for earlier, later in pairwise(times)), default=float("inf"))

    def close(self) -> None:
        """Cease to listen."""
        self._bystander.close()
