"""Previews show what an episode holds."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from episodes import HAND, KEYPOINTS, START_NS, joint_positions, write_episode
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, RecordingError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.writer import EpisodeWriter
from rejshand_ros.viewing.overlay import draw_skeleton
from rejshand_ros.viewing.preview import PreviewConfig, write_preview
from rejshand_ros.viewing.timeline import moments
from rejshand_ros.viewing.video import VideoWriter


def grey_robot(names: tuple[str, ...], positions: Array) -> NDArray[np.uint8]:
    assert names == ("joint_0", "joint_1")
    assert positions.shape == (2,)
    return np.full((480, 480, 3), 128, np.uint8)


def test_each_image_gets_the_hand_of_its_own_stamp(tmp_path: Path) -> None:
    with EpisodeReader(write_episode(tmp_path / "episode", 5)) as reader:
        shown = list(moments(reader))
    assert [hand.seen for m in shown for hand in m.hands] == [True, False, True, False, True]
    first = shown[0].hands[0]
    assert first.keypoints_2d is not None
    assert first.latency_s is not None
    np.testing.assert_allclose(first.keypoints_2d, KEYPOINTS, atol=1e-3)
    assert first.latency_s == pytest.approx(0.012)
    # The joint state just after its command (12 ms) has had 30 ms to arrive.
    time_s = (shown[2].stamp_ns - START_NS) * 1e-9 + 0.042
    np.testing.assert_allclose(shown[2].hands[0].positions, joint_positions(time_s), atol=0.01)


def test_preview_is_a_video_and_a_picture_of_the_same_size(tmp_path: Path) -> None:
    episode = write_episode(tmp_path / "episode", 12)
    files = write_preview(episode, tmp_path, {Side.RIGHT: grey_robot})
    picture = cv2.imread(str(files.picture))
    assert picture is not None
    # A tenth of the height is words.
    assert picture.shape == (534, 640 + 480, 3)
    with av.open(str(files.video)) as video:
        assert sum(1 for _ in video.decode(video=0)) == files.images == 6
    assert not list(tmp_path.glob(".*.part"))


def test_of_a_long_episode_the_last_seconds_are_shown(tmp_path: Path) -> None:
    episode = write_episode(tmp_path / "episode", 30)
    short = PreviewConfig(longest_s=0.5)
    assert 6 <= write_preview(episode, tmp_path, {Side.RIGHT: grey_robot}, short).images <= 8


def test_an_episode_without_images_is_refused(tmp_path: Path) -> None:
    EpisodeWriter(tmp_path / "empty", [HAND]).close()
    with pytest.raises(RecordingError, match="no images"):
        write_preview(tmp_path / "empty", tmp_path, {})


def test_skeleton_is_drawn_where_the_keypoints_are() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    draw_skeleton(image, KEYPOINTS)
    assert all(image[round(v), round(u)].any() for u, v in KEYPOINTS)
    assert not draw_skeleton(np.zeros((240, 320, 3), np.uint8), KEYPOINTS * np.nan).any()


def test_an_interrupted_video_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="uint8"), VideoWriter(tmp_path / "x.mp4", 64, 64, 30) as v:
        v.write(np.zeros((64, 64, 3), np.float32))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
