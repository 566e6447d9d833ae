"""What an episode holds: topics, rates, gaps, and messages missing from a sequence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rejshand_ros.recording.episode import CARD_NAME, EpisodeCard, read_card
from rejshand_ros.recording.reader import EpisodeReader

_GAP_PERIODS = 2.5


@dataclass(frozen=True)
class TopicSummary:
    """One topic of an episode.

    Attributes:
        name: Full topic name.
        msgtype: For example ``"sensor_msgs/msg/JointState"``.
        messages: How many there are.
        rate_hz: Of the median period between receipts; 0 for fewer than two messages.
        longest_gap_s: Longest time between two of them.
        gaps: Times between two that exceed two and a half median periods.
        megabytes: Size of the serialised messages.
    """

    name: str
    msgtype: str
    messages: int
    rate_hz: float
    longest_gap_s: float
    gaps: int
    megabytes: float


@dataclass(frozen=True)
class EpisodeSummary:
    """An episode at a glance.

    Attributes:
        card: Its facts.
        duration_s: First to last message.
        topics: One entry a topic, by name.
    """

    card: EpisodeCard
    duration_s: float
    topics: tuple[TopicSummary, ...]


def summarise(folder: Path) -> EpisodeSummary:
    """Go through an episode's messages without decoding them.

    Raises:
        RecordingError: It is no complete episode.
    """
    received: dict[str, list[int]] = defaultdict(list)
    size: dict[str, int] = defaultdict(int)
    with EpisodeReader(folder) as reader:
        for topic, _, stamp, data in reader.serialised():
            received[topic].append(stamp)
            size[topic] += len(data)
        topics = []
        for name, msgtype in sorted(reader.topics.items()):
            periods = np.diff(np.array(received[name], float)) * 1e-9
            median = float(np.median(periods)) if len(periods) else 0.0
            topics.append(
                TopicSummary(
                    name=name,
                    msgtype=msgtype,
                    messages=len(received[name]),
                    rate_hz=1.0 / median if median > 0 else 0.0,
                    longest_gap_s=float(periods.max()) if len(periods) else 0.0,
                    gaps=int((periods > _GAP_PERIODS * median).sum()) if median > 0 else 0,
                    megabytes=size[name] / 1e6,
                )
            )
        everything = [stamp for stamps in received.values() for stamp in stamps]
        duration = (max(everything) - min(everything)) * 1e-9 if everything else 0.0
    card = read_card(folder) if (folder / CARD_NAME).exists() else EpisodeCard(folder.name)
    return EpisodeSummary(card, duration, tuple(topics))


def as_text(summary: EpisodeSummary) -> str:
    """The summary as a table for a terminal."""
    card = summary.card
    success = {None: "nobody said", True: "success", False: "no success"}[card.success]
    lines = [
        f"{card.name}: {summary.duration_s:.1f} s, {card.state}, {success}"
        + (f", task: {card.task}" if card.task else "")
        + (f", operator: {card.operator}" if card.operator else "")
        + (f", made from {card.parent}" if card.parent else "")
    ]
    width = max((len(topic.name) for topic in summary.topics), default=5)
    kinds = max((len(topic.msgtype) for topic in summary.topics), default=4)
    lines.append(f"{'topic':{width}}  {'type':{kinds}}  messages  rate Hz  gap s  gaps       MB")
    lines += [
        f"{topic.name:{width}}  {topic.msgtype:{kinds}}  {topic.messages:8d}  "
        f"{topic.rate_hz:7.1f}  {topic.longest_gap_s:5.2f}  {topic.gaps:4d}  "
        f"{topic.megabytes:7.2f}"
        for topic in summary.topics
    ]
    lines += [f"lost on {topic}: {count}" for topic, count in card.drops.items() if count]
    return "\n".join(lines)
