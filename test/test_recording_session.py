"""Episodes begin before their start, end on request, and survive a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_recording_round_trip import serialised_text

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import EpisodeCard, read_card
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.repair import repair_episode, unfinished_episodes
from rejshand_ros.recording.session import RecordingSession, SessionConfig
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig

STREAM = RecordedTopic("/stream", "std_msgs/msg/String")
DESCRIPTION = RecordedTopic("/robot_description", "std_msgs/msg/String", latched=True)
SECOND = 1_000_000_000


def session(root: Path, preroll_s: float = 1.0, preroll_bytes: int = 1_000_000) -> RecordingSession:
    config = SessionConfig(preroll_s=preroll_s, preroll_bytes=preroll_bytes)
    return RecordingSession(root, [STREAM, DESCRIPTION], config)


def contents(folder: Path) -> list[tuple[str, str]]:
    with EpisodeReader(folder) as reader:
        return [(m.topic, m.message.data) for m in reader.messages()]


def test_an_episode_holds_its_preroll_and_what_was_latched_long_ago(
    tmp_path: Path,
) -> None:
    recorder = session(tmp_path, preroll_s=1.0)
    recorder.on_message(DESCRIPTION.name, 0, serialised_text("robot"))
    for tenth in range(40):
        recorder.on_message(STREAM.name, tenth * SECOND // 10, serialised_text(str(tenth)))
    folder = recorder.start(EpisodeCard("take"), 4 * SECOND)
    recorder.on_message(STREAM.name, 4 * SECOND, serialised_text("after"))
    assert recorder.counts == {STREAM.name: 11, DESCRIPTION.name: 1}
    recorder.stop(success=True)
    found = contents(folder)
    assert found[0] == (DESCRIPTION.name, "robot")
    assert [text for topic, text in found if topic == STREAM.name] == [
        *map(str, range(30, 40)),
        "after",
    ]
    assert read_card(folder).success is True


def test_a_type_that_nobody_knows_is_refused_before_an_episode_begins(tmp_path: Path) -> None:
    unknown = RecordedTopic("/strange", "nobody_msgs/msg/Strange")
    with pytest.raises(RecordingError, match="nobody_msgs/msg/Strange"):
        RecordingSession(tmp_path, [STREAM, unknown])


def test_preroll_memory_is_bounded(tmp_path: Path) -> None:
    recorder = session(tmp_path, preroll_s=100.0, preroll_bytes=1000)
    for index in range(1000):
        recorder.on_message(STREAM.name, index, serialised_text("x" * 80))
    recorder.start(EpisodeCard("take"), 1000)
    assert 5 <= recorder.counts[STREAM.name] <= 12
    recorder.stop()


def test_the_next_episode_starts_fresh(tmp_path: Path) -> None:
    recorder = session(tmp_path)
    first = recorder.start(EpisodeCard(""), SECOND)
    recorder.on_message(STREAM.name, SECOND, serialised_text("first"))
    recorder.stop()
    second = recorder.start(EpisodeCard(""), 2 * SECOND)
    recorder.stop()
    assert first != second
    assert contents(second) == []


def test_wrong_order_of_requests_is_refused(tmp_path: Path) -> None:
    recorder = session(tmp_path)
    with pytest.raises(RecordingError, match="nothing to stop"):
        recorder.stop()
    with pytest.raises(RecordingError, match="nothing to discard"):
        recorder.discard()
    recorder.start(EpisodeCard("take"), 0)
    with pytest.raises(RecordingError, match="take is being recorded"):
        recorder.start(EpisodeCard("other"), 0)
    assert recorder.discard() == tmp_path / "take"
    assert not (tmp_path / "take").exists()
    with pytest.raises(RecordingError, match="/unknown"):
        recorder.on_message("/unknown", 0, b"")


def test_a_disk_that_fills_up_ends_the_episode_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = RecordingSession(
        tmp_path, [STREAM], SessionConfig(writer=WriterConfig(flush_period_s=0.0))
    )
    folder = recorder.start(EpisodeCard("take"), 0)
    recorder.on_message(STREAM.name, 1, serialised_text("kept"))
    from rejshand_ros.recording import writer

    class Full:
        free = 1000

    monkeypatch.setattr(writer.shutil, "disk_usage", lambda folder: Full)
    with pytest.raises(RecordingError, match="take ended: only 0 MB free"):
        recorder.on_message(STREAM.name, 2, serialised_text("last"))
    assert not recorder.recording
    assert contents(folder) == [(STREAM.name, "kept"), (STREAM.name, "last")]


def test_a_look_at_the_disk_ends_the_episode_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = session(tmp_path)
    folder = recorder.start(EpisodeCard("take"), 0)
    recorder.on_message(STREAM.name, 1, serialised_text("kept"))
    from rejshand_ros.recording import writer

    class Full:
        free = 1000

    monkeypatch.setattr(writer.shutil, "disk_usage", lambda folder: Full)
    with pytest.raises(RecordingError, match="take ended: only 0 MB free"):
        recorder.flush()
    assert read_card(folder).state == "complete"
    assert contents(folder) == [(STREAM.name, "kept")]
    recorder.flush()


FULL_DISK = """
import resource, sys
from pathlib import Path
from test_recording_session import STREAM, serialised_text
from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import EpisodeCard
from rejshand_ros.recording.session import RecordingSession
recorder = RecordingSession(Path(sys.argv[1]), [STREAM])
recorder.start(EpisodeCard("first"), 0)
recorder.on_message(STREAM.name, 1, serialised_text("whole"))
recorder.stop()
recorder.start(EpisodeCard("cut"), 0)
# From here on the system refuses to write more, as a full disk does.
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(100_000):
        recorder.on_message(STREAM.name, number * 10_000_000, serialised_text(f"{number:0200}"))
except RecordingError as error:
    print(number, error)
assert not recorder.recording
recorder.start(EpisodeCard("third"), 0)
recorder.on_message(STREAM.name, 1, serialised_text("whole"))
recorder.stop()
"""


def test_a_disk_that_refuses_costs_no_more_than_what_it_refused(tmp_path: Path) -> None:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    written, _, reason = done.stdout.partition(" ")
    assert "cannot complete episode" in reason and "'rejshand repair'" in reason
    assert [contents(tmp_path / name) for name in ("first", "third")] == [
        [(STREAM.name, "whole")]
    ] * 2
    repair_episode(tmp_path / "cut")
    found = [int(text) for _, text in contents(tmp_path / "cut")]
    assert found == list(range(len(found)))
    # A flush every half second, of messages 10 ms apart.
    assert len(found) >= int(written) - 100


def test_an_episode_that_cannot_be_completed_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock would keep a repair away for as long as the recorder lives."""
    writer = EpisodeWriter(tmp_path / "take", [STREAM])
    writer.write(STREAM.name, 1, serialised_text("whole"))
    writer.flush()

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer._writer, "finish", full)
    with pytest.raises(RecordingError, match="No space left"):
        writer.close()
    assert repair_episode(tmp_path / "take").messages == 1


def test_a_topic_of_unknown_type_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nobody/msg/Knows"):
        EpisodeWriter(tmp_path / "take", [RecordedTopic("/x", "nobody/msg/Knows")])
    assert not (tmp_path / "take").exists()
    EpisodeWriter(tmp_path / "take", [STREAM]).close()


def test_an_episode_whose_folder_is_taken_away_ends_with_a_reason(tmp_path: Path) -> None:
    recorder = session(tmp_path)
    folder = recorder.start(EpisodeCard("take"), SECOND)
    shutil.rmtree(folder)
    with pytest.raises(RecordingError, match="take"):
        recorder.flush()
    assert not recorder.recording
    recorder.start(EpisodeCard("take"), 2 * SECOND)
    recorder.stop()


def test_a_message_that_could_not_be_written_does_not_count(tmp_path, monkeypatch) -> None:
    writer = EpisodeWriter(tmp_path / "take", [STREAM])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer._writer, "add_message", full)
    with pytest.raises(RecordingError, match="No space left"):
        writer.write(STREAM.name, 1, serialised_text("lost"))
    assert writer.counts == {STREAM.name: 0}
    writer.discard()


DISCARDER = """
import os, shutil, sys
from pathlib import Path
from test_recording_session import STREAM
from test_recording_round_trip import serialised_text
from rejshand_ros.recording.writer import EpisodeWriter
writer = EpisodeWriter(Path(sys.argv[1]) / "take", [STREAM])
writer.write(STREAM.name, 1, serialised_text("not wanted"))
writer.flush()
shutil.rmtree = lambda *_, **__: os._exit(9)
writer.discard()
"""


def test_what_was_thrown_away_does_not_come_back(tmp_path: Path) -> None:
    """A kill while the files are being removed leaves nothing that a repair would complete."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", DISCARDER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        timeout=60,
    )
    assert done.returncode == 9
    assert unfinished_episodes(tmp_path) == []
    # Its name is free again.
    EpisodeWriter(tmp_path / "take", [STREAM]).discard()
    assert not (tmp_path / "take").exists()
