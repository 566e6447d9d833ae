"""A killed recorder loses little, and a damaged file never more than its damaged part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import read_card
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.repair import needs_repair, repair_all, repair_episode
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig, hold

TEXT = RecordedTopic("/note", "std_msgs/msg/String")
MILLISECOND = 1_000_000
SMALL = WriterConfig(flush_period_s=0.1, chunk_bytes=400)


def serialised_text(text: str) -> bytes:
    store = message_store()
    message = store.types["std_msgs/msg/String"](data=text)
    return bytes(store.serialize_cdr(message, "std_msgs/msg/String"))


def texts(folder: Path) -> list[str]:
    with EpisodeReader(folder) as reader:
        return [m.message.data for m in reader.messages([TEXT.name])]


def abandon(writer: EpisodeWriter) -> None:
    """What a kill does: the file is closed, with its lock, and nothing more written."""
    writer._stream.close()


RECORDER = """
import sys, time
from pathlib import Path
from test_recording_repair import TEXT, serialised_text
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig
writer = EpisodeWriter(Path(sys.argv[1]), [TEXT], config=WriterConfig(flush_period_s=0.1))
number = 0
while True:
    writer.write(TEXT.name, time.time_ns(), serialised_text(str(number)))
    number += 1
    if number % 100 == 0:
        print(number, flush=True)
    time.sleep(0.001)
"""


def test_a_killed_recorder_leaves_all_but_the_last_moment(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stdout is not None
    written = 0
    while written < 500:
        line = process.stdout.readline()
        assert line, "the recorder ended on its own"
        written = int(line)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert needs_repair(folder)
    report = repair_episode(folder)
    recovered = [int(text) for text in texts(folder)]
    assert recovered == list(range(len(recovered)))
    # A flush every 0.1 s of messages a millisecond apart.
    assert report.messages == len(recovered) >= written - 150
    assert read_card(folder).state == "complete"
    assert not (tmp_path / ".repair").exists()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cut=st.floats(0, 1), flips=st.lists(st.floats(0, 1), max_size=3), data=st.data())
def test_damage_costs_only_what_follows_it(
    tmp_path_factory: pytest.TempPathFactory,
    cut: float,
    flips: list[float],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("episodes") / "damaged"
    writer = EpisodeWriter(folder, [TEXT], config=SMALL)
    for index in range(60):
        writer.write(TEXT.name, index * MILLISECOND, serialised_text(f"message {index}"))
    writer.flush()
    abandon(writer)
    path = folder / "damaged_0.mcap"
    content = bytearray(path.read_bytes())
    content = content[: round(cut * len(content))]
    for flip in flips:
        if content:
            content[min(int(flip * len(content)), len(content) - 1)] ^= data.draw(
                st.integers(1, 255)
            )
    path.write_bytes(content)
    before = bytes(content)
    refused = ""
    try:
        repair_episode(folder)
    except RecordingError as error:
        refused = str(error)
    if refused:
        assert "no readable message" in refused
        assert path.read_bytes() == before
        assert needs_repair(folder)
        return
    recovered = texts(folder)
    if not flips:
        assert recovered == [f"message {index}" for index in range(len(recovered))]


def test_complete_and_empty_folders_are_refused(tmp_path: Path) -> None:
    EpisodeWriter(tmp_path / "whole", [TEXT]).close()
    with pytest.raises(RecordingError, match="complete"):
        repair_episode(tmp_path / "whole")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="no MCAP"):
        repair_episode(tmp_path / "empty")
    with pytest.raises(RecordingError, match="no such folder"):
        repair_episode(tmp_path / "nothing")


def test_every_unfinished_episode_is_repaired_and_others_left(tmp_path: Path) -> None:
    whole = EpisodeWriter(tmp_path / "whole", [TEXT])
    whole.write(TEXT.name, 1, serialised_text("whole"))
    whole.close()
    before = (tmp_path / "whole" / "whole_0.mcap").read_bytes()
    for name in ("first", "second"):
        writer = EpisodeWriter(tmp_path / name, [TEXT])
        writer.write(TEXT.name, 1, serialised_text(name))
        writer.flush()
        abandon(writer)
    reports = repair_all(tmp_path)
    assert [(r.folder.name, r.messages) for r in reports] == [
        ("first", 1),
        ("second", 1),
    ]
    assert texts(tmp_path / "second") == ["second"]
    assert (tmp_path / "whole" / "whole_0.mcap").read_bytes() == before


def test_two_recorders_do_not_repair_one_episode_at_once(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "take", [TEXT])
    writer.write(TEXT.name, 1, serialised_text("once"))
    writer.flush()
    abandon(writer)
    with (tmp_path / "take/take_0.mcap").open("rb") as elsewhere:
        assert hold(elsewhere)
        with pytest.raises(RecordingError, match="being recorded or repaired"):
            repair_episode(tmp_path / "take")
    assert repair_episode(tmp_path / "take").messages == 1


def test_an_episode_of_several_files_is_left_as_it_is(tmp_path: Path) -> None:
    """Ours have one; of a foreign recorder's only the first would be kept."""
    writer = EpisodeWriter(tmp_path / "take", [TEXT])
    writer.write(TEXT.name, 1, serialised_text("first"))
    writer.flush()
    abandon(writer)
    first = tmp_path / "take/take_0.mcap"
    (tmp_path / "take/take_1.mcap").write_bytes(first.read_bytes())
    with pytest.raises(RecordingError, match="2 MCAP files"):
        repair_episode(tmp_path / "take")
    assert needs_repair(tmp_path / "take")
