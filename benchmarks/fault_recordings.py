"""What was recorded between and before the faults, held against what was sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault_watch import Receipt
from rejshand_ros.errors import RecordingError
from rejshand_ros.nodes.images import jpeg_message
from rejshand_ros.nodes.sources import ImageFolder
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns
from rejshand_ros.recording.repair import needs_repair, repair_episode

IMAGE_TOPIC, COMMAND_TOPIC = "/image_raw/compressed", "/right/hand_command"


@dataclass
class RecordingFacts:
    """What a look at all episodes found.

    Attributes:
        episodes: How many there are.
        unreadable: Those that cannot be read, and why.
        messages: Messages of the chain's own.
        foreign: Those that the stranger sent.
        corrupted: Messages of the chain's own that cannot be read, or differ from what was sent.
        missing: Commands seen while nothing was wrong that no episode holds.
        commands: Hashes of the recorded commands.
    """

    episodes: int = 0
    unreadable: list[str] = field(default_factory=list)
    messages: int = 0
    foreign: int = 0
    corrupted: list[str] = field(default_factory=list)
    missing: int = 0
    commands: set[str] = field(default_factory=set)


def expected_images(folder: Path) -> set[str]:
    """Hash of every image as the camera node compresses it."""
    source = ImageFolder(folder)
    hashes = set()
    while (frame := source.read()) is not None:
        hashes.add(hashlib.sha1(jpeg_message(frame.image, 90).data.tobytes()).hexdigest())
    return hashes


def examine(
    episodes: Path,
    images: Path,
    foreign: set[str],
    seen: Sequence[Receipt],
    calm: Sequence[tuple[float, float]],
) -> RecordingFacts:
    """Read every episode.

    Args:
        episodes: The recorder's folder.
        images: The camera's folder.
        foreign: Hashes of what the stranger sent.
        seen: Receipts of the commands as they were sent.
        calm: Times at which nothing was wrong and every command must have been recorded.
    """
    facts = RecordingFacts()
    pictures = expected_images(images)
    sent: dict[int, set[str]] = {}
    for receipt in seen:
        sent.setdefault(receipt.issued_ns, set()).add(receipt.digest)
    for folder in sorted(path for path in episodes.iterdir() if not path.name.startswith(".")):
        facts.episodes += 1
        try:
            if needs_repair(folder):
                repair_episode(folder)
            _examine_one(folder, facts, pictures, foreign, sent)
        except RecordingError as error:
            facts.unreadable.append(f"{folder.name}: {error}")
    for receipt in seen:
        if any(begin <= receipt.at <= end for begin, end in calm):
            facts.missing += receipt.digest not in facts.commands
    return facts


def _examine_one(
    folder: Path,
    facts: RecordingFacts,
    pictures: set[str],
    foreign: set[str],
    sent: dict[int, set[str]],
) -> None:
    store = message_store()
    with EpisodeReader(folder) as reader:
        for topic, msgtype, _, data in reader.serialised():
            digest = hashlib.sha1(data).hexdigest()
            if digest in foreign:
                facts.foreign += 1
                continue
            facts.messages += 1
            try:
                message: Any = store.deserialize_cdr(data, msgtype)
            except Exception as error:  # whatever the reader of damaged bytes stumbles over
                facts.corrupted.append(f"{folder.name} {topic}: {type(error).__name__}: {error}")
                continue
            if topic == COMMAND_TOPIC:
                facts.commands.add(digest)
                # The very first ones may have been recorded before the bystander was connected.
                if digest not in sent.get(stamp_ns(message.header.stamp), {digest}):
                    facts.corrupted.append(f"{folder.name} {topic}: another command than was sent")
            if topic == IMAGE_TOPIC:
                picture = hashlib.sha1(message.data.tobytes()).hexdigest()
                if picture not in pictures:
                    facts.corrupted.append(f"{folder.name} {topic}: an image nobody took")
