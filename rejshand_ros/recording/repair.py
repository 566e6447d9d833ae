"""Recover an episode whose recorder was killed before it could finish."""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import (
    CARD_NAME,
    METADATA_NAME,
    EpisodeCard,
    read_card,
)
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig, hold

# What the parser raises on bytes that are no MCAP.
_DAMAGE = (
    McapError,
    struct.error,
    ValueError,
    EOFError,
    OverflowError,
    KeyError,
    TypeError,
    MemoryError,
)
_WORKSHOP = ".repair"


@dataclass(frozen=True)
class RepairReport:
    """What a repair found.

    Attributes:
        folder: The episode.
        messages: Messages recovered.
        seconds: Time between the first and the last of them.
        damage: What ended the readable part; empty if the file was whole.
    """

    folder: Path
    messages: int
    seconds: float
    damage: str


@dataclass(frozen=True)
class _Recovered:
    topic: RecordedTopic
    message: Message


def needs_repair(folder: Path) -> bool:
    """Whether a folder is an episode that was never completed."""
    return folder.is_dir() and not (folder / METADATA_NAME).exists() and any(folder.glob("*.mcap"))


def _topic(channel: Channel, schema: Schema) -> RecordedTopic:
    offered = channel.metadata.get("offered_qos_profiles", "")
    return RecordedTopic(
        channel.topic,
        schema.name,
        latched="transient_local" in offered,
        reliable="best_effort" not in offered,
    )


class _BoundedFile(io.BufferedReader):
    """A file that is never asked for more than it holds: damaged lengths may name terabytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class _Salvage:
    """Iterates over the readable messages of a file and remembers where reading ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damage = ""

    def __iter__(self) -> Iterator[_Recovered]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        size = self._path.stat().st_size
        with _BoundedFile(self._path) as stream:
            try:
                # A length read from damaged bytes must not become an allocation.
                reader = StreamReader(stream, emit_chunks=True, record_size_limit=size)
                for record in reader.records:
                    parts = breakup_chunk(record, True) if isinstance(record, Chunk) else [record]
                    for part in parts:
                        if isinstance(part, Schema):
                            schemas[part.id] = part
                        elif isinstance(part, Channel):
                            channels[part.id] = part
                        elif isinstance(part, Message):
                            channel = channels[part.channel_id]
                            yield _Recovered(_topic(channel, schemas[channel.schema_id]), part)
            except _DAMAGE as error:
                self.damage = f"{type(error).__name__}: {error}".rstrip(": ")


def repair_episode(folder: Path) -> RepairReport:
    """Rebuild an unfinished episode from everything readable in its MCAP file.

    The repaired file replaces the damaged one only when it is complete.

    Args:
        folder: The episode's folder.

    Raises:
        RecordingError: It is no episode, is complete already, is still being recorded, or holds
            nothing readable.
    """
    if not folder.is_dir():
        raise RecordingError(f"{folder} is not an episode: no such folder")
    files = sorted(folder.glob("*.mcap"))
    if len(files) != 1:
        raise RecordingError(f"{folder} holds {len(files) or 'no'} MCAP files; an episode has one")
    with files[0].open("rb") as stream:
        if not hold(stream):
            raise RecordingError(f"{folder} is being recorded or repaired; stop the recorder first")
        if not needs_repair(folder):
            raise RecordingError(f"{folder} is complete; there is nothing to repair")
        return _rebuild(folder, files[0])


def _rebuild(folder: Path, path: Path) -> RepairReport:
    """Repair an episode that nobody else has open.

    Raises:
        RecordingError: It holds nothing readable.
    """
    card = read_card(folder) if (folder / CARD_NAME).exists() else EpisodeCard(folder.name)
    workshop = folder.parent / _WORKSHOP
    shutil.rmtree(workshop / folder.name, ignore_errors=True)
    salvage = _Salvage(path)
    first = last = None
    writer = EpisodeWriter(
        workshop / folder.name,
        card=card,
        config=WriterConfig(flush_period_s=10.0, minimum_free_bytes=path.stat().st_size),
    )
    try:
        for item in salvage:
            writer.add_topic(item.topic)
            received = item.message.log_time
            data, published = item.message.data, item.message.publish_time
            writer.write(item.topic.name, received, data, published)
            first = received if first is None else min(first, received)
            last = received if last is None else max(last, received)
        if first is None or last is None:
            raise RecordingError(f"{path} holds no readable message ({salvage.damage})")
        rebuilt = writer.close()
    except BaseException:
        writer.discard()
        raise
    finally:
        if not any(workshop.iterdir()):
            workshop.rmdir()
    # The data first, the metadata that declares it complete last.
    (rebuilt / f"{folder.name}_0.mcap").replace(path)
    _rewrite_metadata(rebuilt / METADATA_NAME, path.name)
    (rebuilt / CARD_NAME).replace(folder / CARD_NAME)
    (rebuilt / METADATA_NAME).replace(folder / METADATA_NAME)
    shutil.rmtree(rebuilt, ignore_errors=True)
    if not any(workshop.iterdir()):
        workshop.rmdir()
    return RepairReport(folder, sum(writer.counts.values()), (last - first) * 1e-9, salvage.damage)


def _rewrite_metadata(path: Path, mcap_name: str) -> None:
    """Name the MCAP file as it was called in the damaged episode."""
    document = yaml.safe_load(path.read_text())
    information = document["rosbag2_bagfile_information"]
    information["relative_file_paths"] = [mcap_name]
    information["files"][0]["path"] = mcap_name
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def unfinished_episodes(root: Path) -> list[Path]:
    """Folders of the episodes below a folder that were never completed, in order of name."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [f for f in folders if not f.name.startswith(".") and needs_repair(f)]


def repair_all(root: Path) -> list[RepairReport]:
    """Repair every unfinished episode below a folder that can be repaired.

    Episodes with nothing readable are left as they are.
    """
    reports = []
    for folder in unfinished_episodes(root):
        try:
            reports.append(repair_episode(folder))
        except RecordingError as error:
            reports.append(RepairReport(folder, 0, 0.0, str(error)))
    return reports
