"""The verbs for episodes, as a person types them."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest
from episodes import JOINTS, write_episode

from rejshand_ros.errors import ConfigError, RecordingError
from rejshand_ros.hand.template import load_template
from rejshand_ros.recording.commands import (
    export_main,
    inspect_main,
    repair_main,
    retarget_main,
)
from rejshand_ros.recording.episode import EpisodeCard, read_card
from rejshand_ros.recording.inspection import summarise
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.retargeting.robot_hand import load_robot_hand

REST = load_template().rest_keypoints


def test_inspect_tells_rates_and_gaps_and_draws_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = EpisodeCard("take", task="pinch", success=True)
    folder = write_episode(tmp_path / "take", 30, lost=(10, 11), card=card)
    topics = {topic.name: topic for topic in summarise(folder).topics}
    assert topics[JOINTS.name].rate_hz == pytest.approx(100, rel=0.01)
    assert topics["/image_raw/compressed"].gaps == 1
    assert topics["/image_raw/compressed"].longest_gap_s == pytest.approx(0.1, abs=0.005)
    inspect_main([str(folder)])
    printed = capsys.readouterr().out
    assert "success" in printed
    assert "task: pinch" in printed
    sheet = cv2.imread(str(folder / "contact_sheet.png"))
    assert sheet is not None
    assert sheet.shape == (4 * 240, 4 * 320, 3)


def test_repair_recovers_a_folder_of_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_episode(tmp_path / "take", 5)
    (folder / "metadata.yaml").unlink()
    repair_main([str(tmp_path)])
    assert "recovered" in capsys.readouterr().out
    assert (folder / "metadata.yaml").exists()
    repair_main([str(tmp_path)])
    assert "nothing to repair" in capsys.readouterr().out
    with pytest.raises(RecordingError, match="no such folder"):
        repair_main([str(tmp_path / "nothing")])


@pytest.mark.parametrize("entry", ["type: 5", "name: 5", "message_count: many"])
def test_facts_of_the_wrong_kind_are_refused(tmp_path: Path, entry: str) -> None:
    folder = write_episode(tmp_path / "take", 5)
    facts = folder / "metadata.yaml"
    key = entry.split(":", maxsplit=1)[0]
    changed, times = re.subn(rf"(?m)\b{key}: .*$", entry, facts.read_text())
    assert times > 0
    facts.write_text(changed)
    with pytest.raises(RecordingError, match="cannot read episode"):
        inspect_main([str(folder)])


def test_retargeting_an_episode_is_deterministic_and_names_its_parent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_episode(tmp_path / "take", 12, keypoints_3d=REST)
    for number in range(2):
        out = tmp_path / f"again{number}"
        retarget_main([str(folder), "--hand", "shadow", "--out", str(out)])
    assert "6 joint targets" in capsys.readouterr().out
    card = read_card(tmp_path / "again0")
    assert card.parent == "take"
    assert card.extra["hand"] == "shadow"
    assert list(card.hashes) == ["hand/shadow_right.yaml", "hand/shadow_right.urdf"]
    with EpisodeReader(tmp_path / "again0") as first, EpisodeReader(tmp_path / "again1") as second:
        assert "/right/hand_command" not in first.topics
        (description,) = first.messages(["/right/robot_description"])
        assert description.message.data == load_robot_hand("shadow", "right").urdf_path.read_text()
        assert list(first.serialised()) == list(second.serialised())
        targets = [m.message for m in first.messages(["/right/joint_target"])]
    assert targets[0].hand == "shadow"
    assert len(targets[0].positions) == 24
    with pytest.raises(ConfigError, match="shadow"):
        retarget_main([str(folder), "--hand", "gripper", "--out", str(tmp_path / "third")])


def test_export_reports_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_episode(tmp_path / "in" / "take", 6)
    export_main([str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    assert "1 episodes" in shown.out
    assert re.search(r"alignment error: images \d\.\d+ ms, joints \d\.\d+ ms", shown.out)
    assert "take" in shown.err and "episode" in shown.err  # the progress bar
    assert (tmp_path / "out/meta/info.json").exists()
