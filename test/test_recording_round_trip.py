"""What is written into an episode comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.episode import check_episode_name, read_card
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig

STATE = RecordedTopic("/right/teleop_state", "rejshand_msgs/msg/TeleopState")
TEXT = RecordedTopic("/note", "std_msgs/msg/String", latched=True)


def serialised_text(text: str) -> bytes:
    store = message_store()
    message = store.types["std_msgs/msg/String"](data=text)
    return bytes(store.serialize_cdr(message, "std_msgs/msg/String"))


def test_messages_come_back_in_order_and_whole(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "first", [STATE, TEXT]) as writer:
        for index in range(50):
            writer.write(TEXT.name, 1_000_000_000 * index, serialised_text(f"message {index}"))
    with EpisodeReader(tmp_path / "first") as reader:
        texts = [m.message.data for m in reader.messages([TEXT.name])]
        assert reader.topics == {STATE.name: STATE.msgtype, TEXT.name: TEXT.msgtype}
        assert reader.message_counts == {STATE.name: 0, TEXT.name: 50}
    assert texts == [f"message {index}" for index in range(50)]
    card = read_card(tmp_path / "first")
    assert card.state == "complete"
    assert card.message_counts[TEXT.name] == 50


def test_a_file_holds_the_definitions_of_all_its_messages(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "first", [STATE, TEXT]):
        pass
    with (tmp_path / "first/first_0.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    schemas = {schema.name: schema for schema in summary.schemas.values()}
    assert {schema.encoding for schema in schemas.values()} == {"ros2msg"}
    own = schemas[STATE.msgtype].data.decode()
    # A program that has never heard of rejshand_msgs reads it, nested messages included.
    assert "std_msgs/Header header" in own.split("=" * 10)[0].splitlines()
    assert {"MSG: std_msgs/Header", "MSG: builtin_interfaces/Time"} <= set(own.splitlines())
    channels = {channel.topic: channel for channel in summary.channels.values()}
    assert channels[TEXT.name].message_encoding == "cdr"
    assert "transient_local" in channels[TEXT.name].metadata["offered_qos_profiles"]


def test_an_existing_episode_is_never_overwritten(tmp_path: Path) -> None:
    EpisodeWriter(tmp_path / "first", [TEXT]).close()
    before = (tmp_path / "first" / "episode.json").read_bytes()
    with pytest.raises(RecordingError, match="exists already"):
        EpisodeWriter(tmp_path / "first", [TEXT])
    assert (tmp_path / "first" / "episode.json").read_bytes() == before


def test_a_nearly_full_disk_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    config = WriterConfig(minimum_free_bytes=1 << 62)
    with pytest.raises(RecordingError, match="MB free"):
        EpisodeWriter(tmp_path / "first", [TEXT], config=config)
    assert not (tmp_path / "first").exists()


def test_wrong_topics_and_types_are_named(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "first", [TEXT]) as writer:
        with pytest.raises(RecordingError, match="/note"):
            writer.write("/nothing", 0, b"")
        with pytest.raises(RecordingError, match="no_msgs/msg/Nothing"):
            writer.add_topic(RecordedTopic("/x", "no_msgs/msg/Nothing"))
        with pytest.raises(RecordingError, match="std_msgs/msg/String"):
            writer.add_topic(RecordedTopic(TEXT.name, "std_msgs/msg/Bool"))


def test_an_unfinished_episode_is_refused_by_the_reader(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "first", [TEXT])
    writer.flush()
    with pytest.raises(RecordingError, match="repair"):
        EpisodeReader(tmp_path / "first")
    writer.discard()
    assert not (tmp_path / "first").exists()


@settings(max_examples=200)
@given(st.text())
def test_names_never_leave_the_folder(name: str) -> None:
    try:
        accepted = check_episode_name(name)
    except RecordingError:
        return
    assert (Path("/episodes") / accepted).resolve().parent == Path("/episodes")
