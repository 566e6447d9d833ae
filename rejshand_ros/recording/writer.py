"""Write an episode: rosbag2 in MCAP, from serialised messages as they came."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import yaml
from mcap.writer import CompressionType, Writer

from rejshand_ros import __version__
from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import (
    METADATA_NAME,
    EpisodeCard,
    check_episode_name,
    write_atomically,
    write_card,
)
from rejshand_ros.recording.message_types import message_definition
from rejshand_ros.recording.metadata import rosbag2_metadata
from rejshand_ros.recording.topic import RecordedTopic

_DISCARDED = ".discarded_"
"""Before the name of an episode that is being removed: hidden, as no episode's name may be."""


@dataclass(frozen=True)
class WriterConfig:
    """How an episode is written.

    Attributes:
        flush_period_s: At most this much of the newest data is lost when the process is killed.
        chunk_bytes: Size at which a chunk is closed earlier.
        minimum_free_bytes: Free space of the disk below which nothing is written.
    """

    flush_period_s: float = 0.5
    chunk_bytes: int = 1 << 20
    minimum_free_bytes: int = 500_000_000


def hold(stream: BinaryIO) -> bool:
    """Mark a file as being written for as long as it is open, however the process may end.

    Returns:
        False where another process holds it, or the file system knows no locks.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@cache
def channel_metadata(topic: RecordedTopic) -> Mapping[str, str]:
    """What rosbag2 wants to find beside a topic's messages.

    Raises:
        RecordingError: The topic's type is unknown.
    """
    _, digest = message_definition(topic.msgtype)
    offered = yaml.safe_dump(topic.offered_qos())
    return {"offered_qos_profiles": offered, "topic_type_hash": digest}


class EpisodeWriter:
    """One episode being written.

    Used as a context manager it completes the episode, also when the body raises.
    """

    def __init__(
        self,
        folder: Path,
        topics: Sequence[RecordedTopic] = (),
        card: EpisodeCard | None = None,
        config: WriterConfig = WriterConfig(),
    ) -> None:
        """Create the episode's folder and files.

        Args:
            folder: Folder of the new episode; its name is the episode's name.
            topics: Topics known from the start; more may be added later.
            card: Facts about the episode.
            config: How to write.

        Raises:
            RecordingError: The folder exists or cannot be made, or the disk is nearly full.
        """
        name = check_episode_name(folder.name)
        self.folder = folder
        self.card = (card or EpisodeCard(name)).completed(name=name, state="recording")
        self._config = config
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._topics: dict[str, RecordedTopic] = {}
        self._counts: dict[str, int] = {}
        self._first_ns: int | None = None
        self._last_ns = 0
        self._flushed_ns = 0
        self._closed = False
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise RecordingError(f"episode {folder} exists already; choose another name") from None
        except OSError as error:
            raise RecordingError(f"cannot create episode {folder}: {error.strerror}") from error
        try:
            self._check_disk()
            write_card(folder, self.card)
            self._path = folder / f"{name}_0.mcap"
            self._stream: BinaryIO = self._path.open("wb")
            hold(self._stream)
        except (OSError, RecordingError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, RecordingError):
                raise
            raise RecordingError(f"cannot write episode {folder}: {error.strerror}") from error
        self._writer = Writer(
            self._stream,
            chunk_size=config.chunk_bytes,
            compression=CompressionType.NONE,
        )
        self._writer.start(profile="ros2", library=f"rejshand_ros {__version__}")
        try:
            for topic in topics:
                self.add_topic(topic)
        except RecordingError:
            self.discard()
            raise

    @property
    def counts(self) -> dict[str, int]:
        """Messages written so far, by topic."""
        return dict(self._counts)

    def add_topic(self, topic: RecordedTopic) -> None:
        """Make a topic known; again with the same type it changes nothing.

        Raises:
            RecordingError: The type is unknown, or differs from the one given before.
        """
        known = self._topics.get(topic.name)
        if known is not None:
            if known.msgtype != topic.msgtype:
                raise RecordingError(
                    f"topic {topic.name} is {known.msgtype} in this episode, not {topic.msgtype}"
                )
            return
        definition, _ = message_definition(topic.msgtype)
        if topic.msgtype not in self._schemas:
            self._schemas[topic.msgtype] = self._writer.register_schema(
                topic.msgtype, "ros2msg", definition.encode()
            )
        self._channels[topic.name] = self._writer.register_channel(
            topic.name, "cdr", self._schemas[topic.msgtype], dict(channel_metadata(topic))
        )
        self._topics[topic.name] = topic
        self._counts[topic.name] = 0

    def write(
        self, topic: str, received_ns: int, data: bytes, published_ns: int | None = None
    ) -> None:
        """Append one serialised message.

        Args:
            topic: Name of a topic made known before.
            received_ns: When the recorder got it, nanoseconds since the epoch.
            data: The message in CDR, as it came.
            published_ns: When it was published, where known.

        Raises:
            RecordingError: The topic is unknown, the episode closed, or the disk full.
        """
        if self._closed:
            raise RecordingError(f"episode {self.folder} is closed")
        if topic not in self._channels:
            raise RecordingError(
                f"topic {topic} is not part of this episode: {', '.join(self._channels) or 'none'}"
            )
        try:
            self._writer.add_message(
                self._channels[topic],
                log_time=received_ns,
                data=data,
                publish_time=received_ns if published_ns is None else published_ns,
                sequence=self._counts[topic] + 1,
            )
        except OSError as error:
            raise RecordingError(f"cannot write {self._path}: {error.strerror}") from error
        self._counts[topic] += 1
        self._first_ns = received_ns if self._first_ns is None else min(self._first_ns, received_ns)
        self._last_ns = max(self._last_ns, received_ns)
        if abs(received_ns - self._flushed_ns) >= self._config.flush_period_s * 1e9:
            self._flushed_ns = received_ns
            self.flush()

    def flush(self) -> None:
        """Hand everything written so far to the operating system.

        Raises:
            RecordingError: The disk is (nearly) full.
        """
        try:
            self._writer.flush()
        except OSError as error:
            raise RecordingError(f"cannot write {self._path}: {error.strerror}") from error
        self._check_disk()

    def close(self, success: bool | None = None, drops: dict[str, int] | None = None) -> Path:
        """Complete the episode and return its folder.

        Args:
            success: Whether the demonstration succeeded; None leaves what the card says.
            drops: Messages known to be lost, by topic.

        Raises:
            RecordingError: The index cannot be written; what was flushed stays repairable.
        """
        if self._closed:
            return self.folder
        self._closed = True
        try:
            self._writer.finish()
            self._stream.close()
            write_atomically(self.folder / METADATA_NAME, self._metadata())
            self.card = self.card.completed(
                state="complete",
                success=self.card.success if success is None else success,
                message_counts=self.counts,
                drops=dict(drops or {}),
            )
            write_card(self.folder, self.card)
        except OSError as error:
            # Its lock would keep a repair away for as long as this process lives.
            with contextlib.suppress(OSError):
                self._stream.close()
            raise RecordingError(
                f"cannot complete episode {self.folder}: {error.strerror}; "
                "free some space and run 'rejshand repair' on it"
            ) from error
        return self.folder

    def discard(self) -> None:
        """Throw the episode away."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._stream.close()
        # In one step, so that a kill on the way leaves nothing that a repair would complete.
        doomed = self.folder.with_name(f"{_DISCARDED}{self.folder.name}")
        if doomed.exists():
            shutil.rmtree(doomed, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the episode."""
        self.close()

    def _check_disk(self) -> None:
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise RecordingError(f"episode {self.folder} is gone: {error.strerror}") from error
        if free < self._config.minimum_free_bytes:
            raise RecordingError(
                f"only {free / 1e6:.0f} MB free on the disk of {self.folder}; "
                f"recording needs {self._config.minimum_free_bytes / 1e6:.0f} MB"
            )

    def _metadata(self) -> str:
        first_ns = self._last_ns if self._first_ns is None else self._first_ns
        topics = tuple(self._topics.values())
        return rosbag2_metadata(self._path.name, topics, self._counts, first_ns, self._last_ns)
