"""Episodes become data sets in which everything stands at its capture time."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from episodes import (
    COMMAND,
    JOINT_NAMES,
    JOINTS,
    START_NS,
    command_message,
    joint_message,
    joint_positions,
    serialise,
    write_episode,
)

from rejshand_ros.errors import ConfigError, RecordingError
from rejshand_ros.recording.dataset.alignment import align_episode
from rejshand_ros.recording.dataset.export import FORMATS, ExportConfig, export_dataset
from rejshand_ros.recording.dataset.frames import frames
from rejshand_ros.recording.dataset.statistics import describe, merge
from rejshand_ros.recording.episode import EpisodeCard, read_card, write_card
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.writer import EpisodeWriter


def grey_levels(folder: Path) -> list[int]:
    with EpisodeReader(folder) as reader:
        episode = align_episode(reader, read_card(folder))
        return [round(float(image.mean())) for image in frames(reader, episode)]


def test_joints_are_interpolated_at_the_capture_of_each_image(tmp_path: Path) -> None:
    folder = write_episode(tmp_path / "take", 20)
    with EpisodeReader(folder) as reader:
        episode = align_episode(reader, read_card(folder))
    assert episode.fps == 30
    assert len(episode.times_ns) == 20
    expected = np.array([joint_positions(t) for t in (episode.times_ns - START_NS) * 1e-9])
    np.testing.assert_allclose(episode.state, expected, atol=1e-4)
    np.testing.assert_allclose(episode.action, expected, atol=1e-4)
    assert episode.state_names == tuple(JOINT_NAMES)
    assert episode.joint_error_s.max() <= 0.005 + 1e-9
    assert episode.image_error_s.max() < 0.001


def test_a_lost_image_is_replaced_by_its_nearest_and_reported(tmp_path: Path) -> None:
    whole = grey_levels(write_episode(tmp_path / "whole", 12))
    holed = grey_levels(write_episode(tmp_path / "holed", 12, lost=(5,)))
    assert len(whole) == len(holed) == 12
    assert [i for i in range(12) if abs(whole[i] - holed[i]) > 3] == [5]
    with EpisodeReader(tmp_path / "holed") as reader:
        episode = align_episode(reader, read_card(tmp_path / "holed"))
    assert episode.image_error_s.max() == pytest.approx(1 / 30, abs=1e-3)


def test_an_episode_with_a_long_pause_is_left_out_and_the_pause_named(tmp_path: Path) -> None:
    write_episode(tmp_path / "in/whole", 40)
    write_episode(tmp_path / "in/paused", 40, lost=tuple(range(10, 30)))
    report = export_dataset([tmp_path / "in"], tmp_path / "out", ExportConfig(format="robomimic"))
    assert report.episodes == ("whole",)
    assert re.search(
        r"image_raw\S* pauses for 0\.70 s, 0\.30 s from its start", report.left_out["paused"]
    )
    bridged = ExportConfig(format="robomimic", max_gap_s=1.0)
    assert len(export_dataset([tmp_path / "in"], tmp_path / "out", bridged).episodes) == 2


def test_an_episode_without_joint_states_is_refused(tmp_path: Path) -> None:
    folder = write_episode(tmp_path / "take", 5, joints=False)
    with EpisodeReader(folder) as reader, pytest.raises(RecordingError, match="joint states"):
        align_episode(reader, read_card(folder))


def test_a_message_without_joints_changes_nothing(tmp_path: Path) -> None:
    """A driver that starts, or a command of a hand that nobody has engaged, names none."""
    plain = write_episode(tmp_path / "plain", 6)
    folder = tmp_path / "take"
    with EpisodeReader(plain) as reader, EpisodeWriter(folder, reader.recorded_topics) as writer:
        none = np.zeros(0)
        state = dataclasses.replace(joint_message(START_NS), name=[], position=none)
        command = command_message(START_NS, START_NS, False)
        command = dataclasses.replace(command, names=[], positions=none, velocities=none)
        for topic, message in ((JOINTS, state), (COMMAND, command)):
            writer.write(topic.name, START_NS, serialise(topic, message))
        for name, _, received_ns, data in reader.serialised():
            writer.write(name, received_ns, data)
    episodes = []
    for source in (plain, folder):
        with EpisodeReader(source) as reader:
            episodes.append(align_episode(reader, read_card(source)))
    assert episodes[1].state_names == tuple(JOINT_NAMES)
    np.testing.assert_array_equal(episodes[0].state, episodes[1].state)
    np.testing.assert_array_equal(episodes[0].action, episodes[1].action)


def test_joints_that_change_midway_are_refused(tmp_path: Path) -> None:
    plain = write_episode(tmp_path / "plain", 6)
    folder = tmp_path / "take"
    other = dataclasses.replace(joint_message(START_NS), name=["joint_0", "wrist"])
    with EpisodeReader(plain) as reader, EpisodeWriter(folder, reader.recorded_topics) as writer:
        writer.write(JOINTS.name, START_NS, serialise(JOINTS, other))
        for name, _, received_ns, data in reader.serialised():
            writer.write(name, received_ns, data)
    with EpisodeReader(folder) as reader, pytest.raises(RecordingError, match="midway"):
        align_episode(reader, read_card(folder))


def test_lerobot_data_set_is_complete(tmp_path: Path) -> None:
    for name, task, success in (("a", "pinch", True), ("b", "grasp", True), ("c", "pinch", False)):
        card = EpisodeCard(name, task=task, success=success)
        write_episode(tmp_path / "in" / name, 15, card=card)
    report = export_dataset([tmp_path / "in"], tmp_path / "out", ExportConfig())
    assert report.episodes == ("a", "b", "c")
    assert report.frames == 45
    information = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert information["codebase_version"] == "v3.0"
    assert information["total_frames"] == 45
    rows = [
        row
        for path in sorted((tmp_path / "out/data").rglob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert [row["index"] for row in rows] == list(range(45))
    assert [row["task_index"] for row in rows[::15]] == [0, 1, 0]
    np.testing.assert_allclose(
        [row["timestamp"] for row in rows[15:30]], np.arange(15) / 30, atol=1e-6
    )
    for path in (tmp_path / "out/videos").rglob("*.mp4"):
        with av.open(str(path)) as video:
            times = [frame.time for frame in video.decode(video=0)]
        np.testing.assert_allclose(times, np.arange(15) / 30, atol=1e-4)


def test_a_data_set_has_the_colours_of_its_images(tmp_path: Path) -> None:
    write_episode(tmp_path / "in" / "a", 8)
    export_dataset([tmp_path / "in"], tmp_path / "out")
    (path,) = (tmp_path / "out/videos").rglob("*.mp4")
    with av.open(str(path)) as video:
        images = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    expected = [[20 + 8 * index] * 3 for index in range(8)]
    np.testing.assert_allclose([image.mean((0, 1)) for image in images], expected, atol=1.5)


def test_only_successes_and_a_stable_validation_split(tmp_path: Path) -> None:
    for index in range(10):
        card = EpisodeCard(f"take{index}", success=index != 3)
        write_episode(tmp_path / "in" / f"take{index}", 4, card=card)
    config = ExportConfig(only_success=True, validation_fraction=0.34)
    report = export_dataset([tmp_path / "in"], tmp_path / "out", config)
    assert report.left_out == {"take3": "not marked as a success"}
    assert len(report.episodes) == 9
    assert report.validation == 3
    held_back = set(report.episodes[-3:])
    write_episode(tmp_path / "in" / "new", 4, card=EpisodeCard("new", success=True))
    again = export_dataset([tmp_path / "in"], tmp_path / "out", config)
    assert again.reused == 9
    assert len(held_back - set(again.episodes[-again.validation :])) <= 1


def test_an_interrupted_export_is_taken_up_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_episode(tmp_path / "in" / name, 6)

    told = []

    def interrupt(done: int, total: int, name: str) -> None:
        told.append((done, total, name))
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset([tmp_path / "in"], tmp_path / "out", progress=interrupt)
    assert told == [(0, 2, ""), (1, 2, "a")]
    assert not (tmp_path / "out/meta/info.json").exists()
    report = export_dataset([tmp_path / "in"], tmp_path / "out")
    assert report.reused == 1
    assert report.episodes == ("a", "b")


def test_episodes_of_one_name_in_two_folders_are_both_exported(tmp_path: Path) -> None:
    for day, images in (("monday", 6), ("tuesday", 9)):
        write_episode(tmp_path / day / "take1", images)
    days = [tmp_path / "monday", tmp_path / "tuesday"]
    report = export_dataset(days, tmp_path / "out")
    assert report.episodes == ("monday/take1", "tuesday/take1")
    assert report.frames == 6 + 9
    assert export_dataset(days, tmp_path / "out").reused == 2


def test_a_success_corrected_in_the_card_reaches_the_data_set(tmp_path: Path) -> None:
    folder = write_episode(tmp_path / "in/take", 4, card=EpisodeCard("take", success=True))
    config = ExportConfig(format="robomimic")
    last_rewards = []
    for success in (True, False):
        write_card(folder, read_card(folder).completed(success=success))
        export_dataset([tmp_path / "in"], tmp_path / "out", config)
        with h5py.File(tmp_path / "out/demonstrations.hdf5") as file:
            last_rewards.append(file["data/demo_0/rewards"][-1])
    assert last_rewards == [1.0, 0.0]


@pytest.mark.parametrize("form", FORMATS)
def test_episodes_of_different_robots_are_not_mixed(form: str, tmp_path: Path) -> None:
    plain = write_episode(tmp_path / "in/a", 6)
    folder = tmp_path / "in/b"
    with EpisodeReader(plain) as reader, EpisodeWriter(folder, reader.recorded_topics) as writer:
        for item in reader.messages():
            message = item.message
            if item.topic == JOINTS.name:
                message = dataclasses.replace(message, name=["thumb", "index"])
            data = message_store().serialize_cdr(message, item.msgtype)
            writer.write(item.topic, item.received_ns, bytes(data))
    with pytest.raises(RecordingError, match="differ in state_names"):
        export_dataset([tmp_path / "in"], tmp_path / "out", ExportConfig(format=form))


def test_workers_give_the_same_data_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_episode(tmp_path / "in" / name, 6)
    export_dataset([tmp_path / "in"], tmp_path / "one", ExportConfig(workers=1))
    export_dataset([tmp_path / "in"], tmp_path / "two", ExportConfig(workers=2))
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file() and ".staging" not in path.parts:
            twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert twin.read_bytes() == path.read_bytes(), path


def test_robomimic_file_has_its_layout(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_episode(tmp_path / "in" / name, 6, card=EpisodeCard(name, success=name == "a"))
    config = ExportConfig(format="robomimic", validation_fraction=0.5)
    export_dataset([tmp_path / "in"], tmp_path / "out", config)
    with h5py.File(tmp_path / "out/demonstrations.hdf5") as file:
        assert file["data"].attrs["total"] == 12
        demo = file["data/demo_0"]
        assert demo.attrs["num_samples"] == 6
        assert demo["obs/camera_image"].shape == (6, 240, 320, 3)
        assert demo["actions"].shape == (6, 2)
        assert list(demo["dones"]) == [0, 0, 0, 0, 0, 1]
        assert {bytes(name) for name in file["mask/train"]} == {b"demo_0"}
        assert {bytes(name) for name in file["mask/valid"]} == {b"demo_1"}


def test_nothing_to_export_says_why(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no episode"):
        export_dataset([tmp_path], tmp_path / "out")
    write_episode(tmp_path / "in" / "a", 5, joints=False)
    with pytest.raises(RecordingError, match="joint states"):
        export_dataset([tmp_path / "in"], tmp_path / "out")
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(ConfigError, match="lerobot, robomimic"):
        ExportConfig(format="csv")


def test_merged_statistics_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(30, 3)), rng.normal(2.0, 3.0, size=(70, 3))
    merged = merge([describe(first), describe(second)])
    whole = describe(np.concatenate([first, second]))
    for key in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(merged[key], whole[key])
