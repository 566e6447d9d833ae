"""Episodes that a power cut, a full disk or a bad sector has damaged: repaired, and read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import yaml

from benchmarks.fuzz_mutations import damaged_bytes, damaged_text
from benchmarks.fuzz_run import Attempt
from rejshand_ros.recording.episode import CARD_NAME, METADATA_NAME, EpisodeCard, read_card
from rejshand_ros.recording.inspection import as_text, summarise
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.repair import repair_episode
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter, WriterConfig

_STATES = RecordedTopic("/right/joint_states", "sensor_msgs/msg/JointState")
_NOTE = RecordedTopic("/note", "std_msgs/msg/String", latched=True)
_PLENTY = WriterConfig(chunk_bytes=600, minimum_free_bytes=1)


def _state(number: int) -> bytes:
    types = message_store().types
    stamp = types["builtin_interfaces/msg/Time"](sec=number, nanosec=5)
    message = types[_STATES.msgtype](
        header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="base"),
        name=["joint_0", "joint_1"],
        position=np.array([0.1, 0.2]),
        velocity=np.zeros(0),
        effort=np.zeros(0),
    )
    return bytes(message_store().serialize_cdr(message, _STATES.msgtype))


def _episode(folder: Path, messages: int = 12) -> Path:
    note = message_store().types[_NOTE.msgtype](data="hello")
    card = EpisodeCard(folder.name, task="pinch")
    with EpisodeWriter(folder, [_STATES, _NOTE], card, _PLENTY) as writer:
        writer.write(_NOTE.name, 0, bytes(message_store().serialize_cdr(note, _NOTE.msgtype)))
        for number in range(messages):
            writer.write(_STATES.name, number * 10_000_000, _state(number))
    return folder


def repairs(folder: Path) -> Attempt:
    """MCAP files of unfinished episodes, and what a repair makes of them."""
    source = _episode(folder / "whole")
    content = (source / "whole_0.mcap").read_bytes()
    damaged = folder / "cut"

    def attempt(number: int) -> None:
        shutil.rmtree(damaged, ignore_errors=True)
        damaged.mkdir()
        (damaged / "cut_0.mcap").write_bytes(damaged_bytes(content, number))
        shutil.copyfile(source / CARD_NAME, damaged / CARD_NAME)
        repair_episode(damaged)
        # What a repair calls whole must be readable.
        as_text(summarise(damaged))

    return attempt


def episodes(folder: Path) -> Attempt:
    """Cards, metadata and files of complete episodes; messages that are not what they claim."""
    source = _episode(folder / "whole")
    names = (CARD_NAME, METADATA_NAME, "whole_0.mcap")
    whole = {name: (source / name).read_bytes() for name in names}
    card = json.loads(whole[CARD_NAME])
    metadata = yaml.safe_load(whole[METADATA_NAME])
    payload = _state(3)

    def attempt(number: int) -> None:
        which, rest = number % 4, number // 4
        for name, content in whole.items():
            (source / name).write_bytes(content)
        if which == 0:
            (source / CARD_NAME).write_bytes(damaged_text(card, rest, json.dumps))
        elif which == 1:
            (source / METADATA_NAME).write_bytes(damaged_text(metadata, rest))
        elif which == 2:
            (source / names[2]).write_bytes(damaged_bytes(whole[names[2]], rest))
        else:
            content = whole[names[2]].replace(payload, damaged_bytes(payload, rest), 1)
            (source / names[2]).write_bytes(content)
        as_text(summarise(source))
        read_card(source)
        with EpisodeReader(source) as reader:
            for _ in reader.messages():
                pass

    return attempt
