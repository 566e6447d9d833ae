"""Replay node: an episode's messages published again."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rejshand_ros.errors import ConfigError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.rivals import rivals
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.topics import message_class
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.replay import DueMessage, moves_a_hand, schedule

_TICK_S = 0.001


@dataclass(frozen=True)
class ReplayConfig(NodeConfig):
    """Parameters of the replay node; their descriptions are in the fields."""

    episode: str = parameter("", "folder of the episode")
    topics: tuple[str, ...] = parameter(
        (), "topics to publish, commands among them; none for all but what moves a hand"
    )
    commands: bool = parameter(
        False, "without topics: publish what moves a hand too; it passes no limits"
    )
    rate: float = parameter(1.0, "how much faster than recorded", low=0.01, high=100.0)
    stamps: str = parameter(
        "original", "keep the recorded stamps or make new ones", choices=("original", "new")
    )


class ReplayNode(ChainNode[ReplayConfig]):
    """Publishes each message as it was serialised, when it is due."""

    NAME = "replay"
    CONFIG = ReplayConfig

    def configure(self) -> None:
        """Open the episode and offer its topics as they were offered."""
        if not self.config.episode:
            raise ConfigError("parameter episode is empty; the folder of an episode is needed")
        self._reader = EpisodeReader(Path(self.config.episode).expanduser())
        self._wanted = self.config.topics or self._harmless()
        self._due: Iterator[DueMessage] = iter(())
        self._next: DueMessage | None = None
        self._publishers_of: dict[str, Any] = {}
        for topic in self._reader.recorded_topics:
            if topic.name in self._wanted:
                profile = qos.latched() if topic.latched else qos.stream()
                kind = message_class(topic.msgtype)
                self._publishers_of[topic.name] = self.advertise(kind, topic.name, profile)
        self.every(_TICK_S, self._tick)

    def activate(self) -> None:
        """Start from the first message."""
        start_ns = time.time_ns() if self.config.stamps == "new" else None
        self._due = schedule(
            self._reader,
            topics=self._wanted,
            rate=self.config.rate,
            start_ns=start_ns,
        )
        self._next = next(self._due, None)
        self._started_s = time.monotonic()

    def cleanup(self) -> None:
        """Close the episode."""
        self._reader.close()

    def diagnostics(self) -> dict[str, str]:
        """Who else publishes what is replayed."""
        # On /diagnostics everybody speaks.
        topics = [name for name in getattr(self, "_publishers_of", {}) if name != "/diagnostics"]
        others = "; ".join(rivals(self, topics, own=topics)) if self.active else ""
        if others:
            self.get_logger().warning(
                f"a running chain publishes the same: {others}; who listens hears both",
                throttle_duration_sec=10.0,
            )
        return {"rivals": others}

    def _harmless(self) -> tuple[str, ...]:
        """All topics but those on which a driver that runs would move its hand."""
        left_out = (
            ()
            if self.config.commands
            else tuple(topic.name for topic in self._reader.recorded_topics if moves_a_hand(topic))
        )
        if left_out:
            self.get_logger().info(
                f"left out, because it moves a hand without limits: {', '.join(left_out)}; "
                "name it in topics, or set commands"
            )
        return tuple(name for name in self._reader.topics if name not in left_out)

    def _tick(self) -> None:
        now_s = time.monotonic() - self._started_s
        while self._next is not None and self._next.at_s <= now_s:
            self._publishers_of[self._next.topic].publish(self._next.data)
            self.monitor.handle()
            self._next = next(self._due, None)
        if self._next is None:
            self.end()


def main() -> int:
    """Run the replay node."""
    return run_node(ReplayNode)


def replay_main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand replay EPISODE`: publish it again, with its stamps or new ones.

    Commands to a hand are left out unless asked for: they pass no limits a second time, and a
    driver that runs obeys them at once.
    """
    parser = argparse.ArgumentParser("rejshand replay", description=replay_main.__doc__)
    parser.add_argument("episode", type=Path, help="folder of the episode")
    parser.add_argument("--rate", type=float, default=1.0, help="how much faster than recorded")
    parser.add_argument("--stamps", default="original", help="original or new")
    parser.add_argument(
        "--topics",
        nargs="+",
        default=[],
        help="topics to publish, commands among them (default: all but what moves a hand)",
    )
    parser.add_argument(
        "--commands",
        action="store_true",
        help="without --topics: publish joint_command, and whatever else a driver takes, too",
    )
    options = parser.parse_args(arguments)
    values = {
        "episode": str(options.episode.resolve()),
        "rate": options.rate,
        "stamps": options.stamps,
        "commands": str(options.commands).lower(),
    }
    given = [f"{name}:={value}" for name, value in values.items()]
    if options.topics:
        given.append(f"topics:=[{', '.join(options.topics)}]")
    argv = ["replay", "--ros-args"]
    for text in given:
        argv += ["-p", text]
    status = run_node(ReplayNode, argv)
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    raise SystemExit(main())
