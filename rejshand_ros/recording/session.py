"""Episodes started and stopped while messages keep coming: pre-roll, latched topics, disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import EpisodeCard
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig, channel_metadata


@dataclass(frozen=True)
class SessionConfig:
    """How episodes of a session are recorded.

    Attributes:
        preroll_s: How much of the time before the start belongs to an episode.
        preroll_bytes: Most memory that the pre-roll may take.
        writer: How each episode is written.
    """

    preroll_s: float = 1.0
    preroll_bytes: int = 256_000_000
    writer: WriterConfig = field(default_factory=WriterConfig)


@dataclass(frozen=True)
class _Kept:
    topic: str
    received_ns: int
    data: bytes
    published_ns: int | None


class RecordingSession:
    """Records episodes one after the other below one folder; safe to use from several threads."""

    def __init__(
        self,
        root: Path,
        topics: Sequence[RecordedTopic],
        config: SessionConfig = SessionConfig(),
    ) -> None:
        """Prepare a session; nothing is written before `start`.

        Args:
            root: Folder below which each episode gets its own.
            topics: What is recorded.
            config: How.

        Raises:
            RecordingError: A topic's type is unknown.
        """
        for topic in topics:
            # Looking a type up takes milliseconds, which the start of an episode cannot spare.
            channel_metadata(topic)
        self.root = root
        self._topics = {topic.name: topic for topic in topics}
        self._config = config
        self._preroll: deque[_Kept] = deque()
        self._preroll_bytes = 0
        self._latched: dict[str, _Kept] = {}
        self._writer: EpisodeWriter | None = None
        self._lock = threading.Lock()

    @property
    def recording(self) -> bool:
        """Whether an episode is being written."""
        return self._writer is not None

    @property
    def counts(self) -> dict[str, int]:
        """Messages of the episode being written, by topic; empty between episodes."""
        writer = self._writer
        return writer.counts if writer is not None else {}

    def on_message(
        self, topic: str, received_ns: int, data: bytes, published_ns: int | None = None
    ) -> None:
        """Take one serialised message.

        Args:
            topic: Its topic.
            received_ns: When it was received, nanoseconds since the epoch.
            data: The message in CDR.
            published_ns: When it was published, where known.

        Raises:
            RecordingError: The topic is not part of the session, or the disk is full: the
                episode was completed with what it held.
        """
        known = self._topics.get(topic)
        if known is None:
            raise RecordingError(f"topic {topic} is not recorded: {', '.join(self._topics)}")
        kept = _Kept(topic, received_ns, data, published_ns)
        with self._lock:
            if known.latched:
                self._latched[topic] = kept
            if self._writer is None:
                if not known.latched:
                    self._keep(kept)
                return
            try:
                self._writer.write(topic, received_ns, data, published_ns)
            except RecordingError as error:
                raise self._ended_by(error) from error

    def start(self, card: EpisodeCard, now_ns: int) -> Path:
        """Begin an episode, with what came during the pre-roll.

        Args:
            card: Facts about it; an empty name stands for one made of the time.
            now_ns: The time, nanoseconds since the epoch.

        Returns:
            The episode's folder.

        Raises:
            RecordingError: One is being recorded already, the name is taken, or the disk full.
        """
        with self._lock:
            if self._writer is not None:
                raise RecordingError(
                    f"episode {self._writer.folder.name} is being recorded; stop it first"
                )
            name = card.name or datetime.fromtimestamp(now_ns * 1e-9, UTC).strftime(
                "episode_%Y%m%d_%H%M%S_%f"
            )
            writer = EpisodeWriter(
                self.root / name,
                tuple(self._topics.values()),
                card,
                self._config.writer,
            )
            self._trim(now_ns)
            begin_ns = self._preroll[0].received_ns if self._preroll else now_ns
            try:
                for kept in self._latched.values():
                    writer.write(kept.topic, begin_ns, kept.data)
                for kept in self._preroll:
                    writer.write(kept.topic, kept.received_ns, kept.data, kept.published_ns)
            except RecordingError:
                writer.discard()
                raise
            self._preroll.clear()
            self._preroll_bytes = 0
            self._writer = writer
            return writer.folder

    def stop(self, success: bool | None = None, drops: dict[str, int] | None = None) -> Path:
        """Complete the episode being recorded and return its folder.

        Raises:
            RecordingError: None is being recorded, or it cannot be completed.
        """
        with self._lock:
            return self._take_writer("stop").close(success, drops)

    def discard(self) -> Path:
        """Throw the episode being recorded away and return where it was.

        Raises:
            RecordingError: None is being recorded.
        """
        with self._lock:
            writer = self._take_writer("discard")
            writer.discard()
            return writer.folder

    def flush(self) -> None:
        """Hand everything written so far to the operating system.

        Raises:
            RecordingError: The disk is full: the episode was completed with what it held.
        """
        with self._lock:
            if self._writer is None:
                return
            try:
                self._writer.flush()
            except RecordingError as error:
                raise self._ended_by(error) from error

    def _ended_by(self, error: RecordingError) -> RecordingError:
        """Complete the episode that cannot go on, and say so."""
        writer = self._take_writer("end")
        writer.close()
        return RecordingError(f"episode {writer.folder.name} ended: {error}")

    def _take_writer(self, action: str) -> EpisodeWriter:
        if self._writer is None:
            raise RecordingError(f"no episode is being recorded; nothing to {action}")
        writer, self._writer = self._writer, None
        return writer

    def _keep(self, kept: _Kept) -> None:
        self._preroll.append(kept)
        self._preroll_bytes += len(kept.data)
        self._trim(kept.received_ns)

    def _trim(self, now_ns: int) -> None:
        oldest = now_ns - round(self._config.preroll_s * 1e9)
        while self._preroll and (
            self._preroll[0].received_ns < oldest
            or self._preroll[0].received_ns > now_ns  # the clock was set back
            or self._preroll_bytes > self._config.preroll_bytes
        ):
            self._preroll_bytes -= len(self._preroll.popleft().data)
