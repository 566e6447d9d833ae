import cv2
import numpy as np
import pytest

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.kinematics import joint_limits
from rejshand_ros.hand.sampling import TOLERANCE_M, self_penetration
from rejshand_ros.synthetic import clip
from rejshand_ros.synthetic.motion import demo_keys, interpolate

pytest.importorskip("av", reason="PyAV is needed to write video")


def frames(path):
    capture = cv2.VideoCapture(str(path))
    images = []
    while (answer := capture.read())[0]:
        images.append(answer[1])
    return images


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    for side in Side:
        clip.render_clip(
            folder / f"{side}.mp4", folder / f"{side}.npz", 0.5, 20, 320, 240, side=side
        )
    return folder


@pytest.mark.parametrize("side", list(Side))
def test_truth_lies_on_the_pictured_hand(rendered, side):
    truth = clip.load_clip_truth(rendered / f"{side}.npz")
    images = frames(rendered / f"{side}.mp4")
    assert len(images) == len(truth.uv) == 10
    assert truth.side is side
    assert truth.rate_hz == 20
    assert truth.vertices.shape == (10, 778, 3)
    projected = truth.xyz @ truth.camera_matrix.T
    np.testing.assert_allclose(projected[..., :2] / projected[..., 2:], truth.uv, atol=1e-2)
    for image, uv in zip(images, truth.uv, strict=True):
        # Wrist and middle knuckle: skin is redder than the room.
        for u, v in np.rint(uv[[0, 9]]).astype(int):
            blue, _, red = image[v, u].astype(int)
            assert red > blue + 25


def test_the_left_hand_mirrors_the_right_one(rendered):
    right, left = (
        clip.load_clip_truth(rendered / f"{side}.npz") for side in (Side.RIGHT, Side.LEFT)
    )
    np.testing.assert_allclose(left.xyz, right.xyz * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(left.uv[..., 0], 319 - right.uv[..., 0], atol=1e-3)


def test_the_same_clip_comes_again(rendered, tmp_path):
    clip.render_clip(tmp_path / "a.mp4", tmp_path / "a.npz", 0.5, 20, 320, 240)
    again = frames(tmp_path / "a.mp4")
    for one, other in zip(frames(rendered / "right.mp4"), again, strict=True):
        # The pictures are the same; the encoder may decide otherwise in a block here and there.
        assert np.abs(one.astype(int) - other).mean() < 0.5


def test_the_motion_is_smooth_and_possible():
    times = np.arange(360) / 30
    keys = demo_keys(12.0)
    motion = interpolate(keys, times)
    limits = joint_limits()
    assert np.all(motion.angles >= limits[:, 0] - 1e-9)
    assert np.all(motion.angles <= limits[:, 1] + 1e-9)
    assert self_penetration(motion.angles).max() < 2 * TOLERANCE_M
    assert np.abs(np.diff(motion.angles, axis=0)).max() * 30 < 8.0
    assert np.linalg.norm(np.diff(motion.position, axis=0), axis=1).max() * 30 < 0.8
    np.testing.assert_allclose(np.linalg.det(motion.camera_from_wrist), 1)
    at_keys = interpolate(keys, [key.time_s for key in keys])
    np.testing.assert_allclose(at_keys.angles, [key.angles for key in keys], atol=1e-9)
    np.testing.assert_allclose(at_keys.position, [key.position for key in keys], atol=1e-9)


def test_the_whole_hand_stays_in_the_picture():
    motion = interpolate(demo_keys(12.0), np.arange(0, 12, 0.1))
    from rejshand_ros.geometry import PinholeCamera
    from rejshand_ros.hand.kinematics import HandParameters, pose_hand
    from rejshand_ros.hand.template import load_template

    posed = pose_hand(load_template(), HandParameters.of(motion.angles)).keypoints
    points = posed @ np.swapaxes(motion.camera_from_wrist, 1, 2) + motion.position[:, None]
    uv = PinholeCamera.from_field_of_view(640, 480, clip.FIELD_OF_VIEW_DEG).project(points)
    assert uv.min() > 10
    assert uv[..., 0].max() < 630
    assert uv[..., 1].max() < 470


def test_the_default_clip_is_rendered_once(tmp_path, monkeypatch):
    calls = []

    def draft(video, truth, *, side):
        calls.append(side)
        video.write_bytes(b"video")
        truth.write_bytes(b"truth")

    monkeypatch.setattr(clip, "render_clip", draft)
    first = clip.ensure_default_clip(tmp_path / "cache")
    assert clip.ensure_default_clip(tmp_path / "cache") == first
    assert clip.ensure_default_clip(tmp_path / "cache", Side.LEFT) != first
    assert calls == [Side.RIGHT, Side.LEFT]
    assert first[0].read_bytes() == b"video"
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_a_failed_render_leaves_nothing(tmp_path, monkeypatch):
    def failing(video, truth, *, side):
        video.write_bytes(b"half")
        raise InputError("no")

    monkeypatch.setattr(clip, "render_clip", failing)
    with pytest.raises(InputError):
        clip.ensure_default_clip(tmp_path)
    assert not list(tmp_path.iterdir())


def test_wrong_input_is_named(tmp_path):
    with pytest.raises(InputError, match="no frame"):
        clip.render_clip(tmp_path / "a.mp4", tmp_path / "a.npz", 0.0)
    (tmp_path / "a.npz").write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match="truth"):
        clip.load_clip_truth(tmp_path / "a.npz")
