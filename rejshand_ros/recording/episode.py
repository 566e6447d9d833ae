"""What an episode is on disk: a rosbag2 folder with a card beside the messages.

``<name>/<name>_0.mcap``, ``<name>/metadata.yaml`` (rosbag2's own, written last) and
``<name>/episode.json`` (this card, written first and completed at the end).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rejshand_ros.errors import RecordingError, reason_of

CARD_NAME = "episode.json"
METADATA_NAME = "metadata.yaml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class EpisodeCard:
    """Facts about one episode that the messages do not tell.

    Attributes:
        name: Name of the episode and of its folder.
        state: ``recording`` or ``complete``.
        task: What was demonstrated, in words.
        operator: Who demonstrated.
        success: Whether the demonstration succeeded; None if nobody said.
        parent: Name of the episode this one was made from; empty for a recorded one.
        versions: Names of software -> version.
        hashes: Names of files (config, weights, calibration) -> SHA-256.
        message_counts: Topic -> messages written.
        drops: Topic -> messages known to be lost.
        extra: Anything else, by name.
    """

    name: str
    state: str = "recording"
    task: str = ""
    operator: str = ""
    success: bool | None = None
    parent: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    message_counts: dict[str, int] = field(default_factory=dict)
    drops: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def completed(self, **changes: Any) -> EpisodeCard:
        """A copy with some fields changed."""
        return replace(self, **changes)


def check_episode_name(name: str) -> str:
    """Return the name if it can be a folder's name.

    Raises:
        RecordingError: It could leave the episodes' folder or confuse a shell.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise RecordingError(
            f"episode name {name!r} is not valid; letters, digits, '_', '-' and '.', "
            "at most 128, starting with a letter or digit"
        )
    return name


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one step, so that a crash leaves the old or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def write_card(folder: Path, card: EpisodeCard) -> None:
    """Write the card into the episode's folder."""
    write_atomically(folder / CARD_NAME, json.dumps(asdict(card), indent=2) + "\n")


def read_card(folder: Path) -> EpisodeCard:
    """Read an episode's card.

    Raises:
        RecordingError: There is none or it is not one.
    """
    path = folder / CARD_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _checked(EpisodeCard(**values))
    except FileNotFoundError:
        raise RecordingError(f"{folder} holds no {CARD_NAME}; is it an episode?") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RecordingError(f"{path} is not an episode's card: {reason_of(error)}") from error


def _checked(card: EpisodeCard) -> EpisodeCard:
    """The card, if every field holds what it should.

    Raises:
        TypeError: One does not.
    """
    texts = (card.name, card.state, card.task, card.operator, card.parent)
    by_name = (card.versions, card.hashes, card.message_counts, card.drops, card.extra)
    good = all(isinstance(text, str) for text in texts)
    good = good and all(isinstance(values, dict) for values in by_name)
    if good:
        good = all(isinstance(v, str) for v in (*card.versions.values(), *card.hashes.values()))
        counts = (*card.message_counts.values(), *card.drops.values())
        good = good and all(isinstance(count, int) for count in counts)
    if not good or not (card.success is None or isinstance(card.success, bool)):
        raise TypeError("a field holds a value of another kind")
    return card
