"""Read an episode back, without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from rejshand_ros.errors import RecordingError, reason_of
from rejshand_ros.recording.episode import METADATA_NAME
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.topic import RecordedTopic


@dataclass(frozen=True)
class EpisodeMessage:
    """One message of an episode.

    Attributes:
        topic: Full topic name.
        msgtype: For example ``"sensor_msgs/msg/JointState"``.
        received_ns: When the recorder got it, nanoseconds since the epoch.
        message: The message, with the fields of its definition.
    """

    topic: str
    msgtype: str
    received_ns: int
    message: Any


def _check_connections(connections: Iterable[Connection]) -> None:
    """See that topics have names, types and counts: the library takes whatever the file says.

    Raises:
        TypeError: One has not.
    """
    for connection in connections:
        good = isinstance(connection.topic, str) and isinstance(connection.msgtype, str)
        if not good or not isinstance(connection.msgcount, int):
            raise TypeError(
                f"topic {connection.topic!r} has type {connection.msgtype!r} and "
                f"{connection.msgcount!r} messages; two texts and a number are needed"
            )


def stamp_ns(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


class EpisodeReader:
    """An episode opened for reading; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Open an episode's folder.

        Raises:
            RecordingError: It is no complete episode.
        """
        if not folder.is_dir():
            raise RecordingError(f"{folder} is not an episode: no such folder")
        if not (folder / METADATA_NAME).exists():
            raise RecordingError(
                f"{folder} has no {METADATA_NAME}: the recorder did not finish it; "
                "run 'rejshand repair' on it"
            )
        self.folder = folder
        try:
            self._reader = Reader(folder)
            self._reader.open()
            try:
                _check_connections(self._reader.connections)
            except TypeError:
                self._reader.close()
                raise
        # Damaged files make the library fail in any way; all of them mean the same.
        except Exception as error:
            raise RecordingError(f"cannot read episode {folder}: {reason_of(error)}") from error

    @property
    def topics(self) -> dict[str, str]:
        """Topic name -> message type."""
        return {c.topic: c.msgtype for c in self._reader.connections}

    @property
    def recorded_topics(self) -> tuple[RecordedTopic, ...]:
        """The topics with the quality of service they were offered with."""
        found = []
        for connection in self._reader.connections:
            profiles = getattr(connection.ext, "offered_qos_profiles", [])
            latched = any(p.durability.name == "TRANSIENT_LOCAL" for p in profiles)
            reliable = all(p.reliability.name != "BEST_EFFORT" for p in profiles)
            found.append(RecordedTopic(connection.topic, connection.msgtype, latched, reliable))
        return tuple(found)

    @property
    def message_counts(self) -> dict[str, int]:
        """Topic name -> messages."""
        return {c.topic: c.msgcount for c in self._reader.connections}

    @property
    def start_ns(self) -> int:
        """When the first message was received, nanoseconds since the epoch."""
        return int(self._reader.start_time)

    @property
    def end_ns(self) -> int:
        """When the last message was received, nanoseconds since the epoch."""
        return int(self._reader.end_time)

    def messages(self, topics: Iterable[str] | None = None) -> Iterator[EpisodeMessage]:
        """Messages in the order of their receipt.

        Args:
            topics: Full names; None for all.

        Raises:
            RecordingError: A topic is not in the episode, or the file is damaged.
        """
        store = message_store()
        for connection, received_ns, data in self._raw(topics):
            try:
                message = store.deserialize_cdr(data, connection.msgtype)
            except Exception as error:
                raise RecordingError(
                    f"a message on {connection.topic} in {self.folder} is no "
                    f"{connection.msgtype}: {reason_of(error)}"
                ) from error
            yield EpisodeMessage(connection.topic, connection.msgtype, received_ns, message)

    def serialised(
        self, topics: Iterable[str] | None = None
    ) -> Iterator[tuple[str, str, int, bytes]]:
        """(topic, type, received_ns, CDR bytes) in the order of their receipt."""
        for connection, received_ns, data in self._raw(topics):
            yield connection.topic, connection.msgtype, received_ns, bytes(data)

    def _raw(self, topics: Iterable[str] | None) -> Iterator[tuple[Connection, int, bytes]]:
        connections = self._reader.connections
        if topics is not None:
            wanted = set(topics)
            missing = wanted - {c.topic for c in connections}
            if missing:
                raise RecordingError(
                    f"{self.folder} has no topic {', '.join(sorted(missing))}; it has "
                    + ", ".join(sorted(self.topics))
                )
            connections = [c for c in connections if c.topic in wanted]
        if not connections:
            return
        found = iter(self._reader.messages(connections))
        while True:
            try:
                entry = next(found)
            except StopIteration:
                return
            except Exception as error:
                reason = reason_of(error)
                raise RecordingError(f"episode {self.folder} is damaged: {reason}") from error
            yield entry

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()
