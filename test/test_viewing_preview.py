"""Previews show what an episode holds."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, RecordingError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.writer import EpisodeWriter, RecordedTopic
from rejshand_ros.viewing.overlay import draw_skeleton
from rejshand_ros.viewing.preview import write_preview
from rejshand_ros.viewing.timeline import moments
from rejshand_ros.viewing.video import VideoWriter

IMAGE = RecordedTopic("/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
HAND = RecordedTopic("/right/hand_pose", "rejshand_msgs/msg/HandPose")
COMMAND = RecordedTopic("/right/hand_command", "rejshand_msgs/msg/HandCommand")
PERIOD_NS = 33_000_000
RNG = np.random.default_rng(0)
KEYPOINTS = RNG.uniform([40, 40], [280, 200], (21, 2))


def serialise(topic: RecordedTopic, message: object) -> bytes:
    return bytes(message_store().serialize_cdr(message, topic.msgtype))


def header(stamp: int) -> object:
    types = message_store().types
    time = types["builtin_interfaces/msg/Time"](sec=0, nanosec=stamp)
    return types["std_msgs/msg/Header"](stamp=time, frame_id="camera_optical_frame")


def write_episode(folder: Path, images: int) -> Path:
    types = message_store().types
    point = types["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=0.0)
    pose = types["geometry_msgs/msg/Pose"](
        position=point,
        orientation=types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
    )
    with EpisodeWriter(folder, [IMAGE, HAND, COMMAND]) as writer:
        for index in range(images):
            stamp = index * PERIOD_NS
            jpeg = cv2.imencode(".jpg", np.full((240, 320, 3), 90, np.uint8))[1].ravel()
            image = types[IMAGE.msgtype](header=header(stamp), format="jpeg", data=jpeg)
            writer.write(IMAGE.name, stamp, serialise(IMAGE, image))
            hand = types[HAND.msgtype](
                header=header(stamp),
                side="right",
                state=1 if index % 2 == 0 else 2,
                score=0.9,
                keypoints_2d=KEYPOINTS.astype(np.float32).ravel(),
                keypoints_3d=[point] * 21,
                wrist=pose,
                hand_length=0.18,
                intrinsics_assumed=True,
            )
            writer.write(HAND.name, stamp + 10_000_000, serialise(HAND, hand))
            state = types["rejshand_msgs/msg/TeleopState"](
                header=header(stamp), state=2, name="tracking", reason=""
            )
            command = types[COMMAND.msgtype](
                header=header(stamp + 12_000_000),
                capture_stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=stamp),
                state=state,
                names=["joint"],
                positions=np.array([0.01 * index]),
                velocities=np.zeros(1),
                first_for_capture=True,
            )
            writer.write(COMMAND.name, stamp + 12_000_000, serialise(COMMAND, command))
    return folder


def grey_robot(names: tuple[str, ...], positions: Array) -> NDArray[np.uint8]:
    assert names == ("joint",)
    assert positions.shape == (1,)
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
    assert shown[2].hands[0].positions == pytest.approx([0.02])


def test_preview_is_a_video_and_a_picture_of_the_same_size(tmp_path: Path) -> None:
    episode = write_episode(tmp_path / "episode", 12)
    files = write_preview(episode, tmp_path, {Side.RIGHT: grey_robot})
    picture = cv2.imread(str(files.picture))
    assert picture is not None
    assert picture.shape == (480, 640 + 480, 3)
    with av.open(str(files.video)) as video:
        assert sum(1 for _ in video.decode(video=0)) == files.images == 6
    assert not list(tmp_path.glob(".*.part"))


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
