"""The shipped template is a sound, plausible hand, and a damaged file is refused."""

import numpy as np
import pytest

from rejshand_ros.errors import ModelFileError
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import FINGERTIPS, PARENTS
from rejshand_ros.hand.mesh import check_mesh, measure_hand
from rejshand_ros.hand.template import (
    FACE_COUNT,
    TEMPLATE_PATH,
    VERTEX_COUNT,
    load_template,
    save_template,
)


@pytest.fixture(scope="module")
def template():
    return load_template()


def test_mesh_is_one_closed_surface_wound_outwards_without_self_intersection(template):
    assert template.vertices.shape == (VERTEX_COUNT, 3) == (778, 3)
    assert template.faces.shape == (FACE_COUNT, 3)
    report = check_mesh(template.vertices, template.faces)
    assert report.watertight
    assert report.euler_characteristic == 2
    assert report.volume_m3 > 0
    assert len(report.intersecting_pairs) == 0
    assert np.degrees(report.smallest_angle_rad) > 15


def test_measures_are_those_of_an_adult(template):
    measures = measure_hand(template.vertices, template.rest_keypoints)
    assert 0.175 < measures.length < 0.195
    assert 0.078 < measures.breadth < 0.092
    assert 0.025 < measures.thickness < 0.042
    report = check_mesh(template.vertices, template.faces)
    # Hands displace a third to half a litre of water.
    assert 3.0e-4 < report.volume_m3 < 5.0e-4
    lengths = np.linalg.norm(
        template.rest_keypoints[1:] - template.rest_keypoints[PARENTS[1:]], axis=1
    ).reshape(5, 4)
    fingers = lengths[1:, 1:].sum(axis=1)
    assert fingers.argmax() == 1
    assert fingers.argmin() == 3
    # Each phalanx is shorter than the one before it, except that the ends are much alike.
    assert (lengths[1:, 1] > lengths[1:, 2]).all()


def test_keypoints_lie_inside_the_skin_and_tips_on_it(template):
    for keypoint in range(21):
        gap = np.linalg.norm(template.vertices - template.rest_keypoints[keypoint], axis=1).min()
        if keypoint in FINGERTIPS:
            assert gap < 1e-6
        else:
            assert gap > 0.003


def test_template_rests_in_its_own_wrist_frame(template):
    frame = wrist_frame(template.rest_keypoints, "right")
    np.testing.assert_allclose(frame.rotation, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(frame.translation, 0, atol=1e-9)


def test_joint_regressor_is_sparse_convex_and_exact_at_rest(template):
    regressor = template.joint_regressor
    assert (regressor >= 0).all()
    np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-12)
    assert (regressor > 0).sum(axis=1).max() <= 20
    assert all((regressor[tip] > 0).sum() == 1 for tip in FINGERTIPS)
    error = np.linalg.norm(regressor @ template.vertices - template.rest_keypoints, axis=1)
    assert error.max() < 1e-4
    assert len(set(template.fingertip_vertices)) == 5


def test_skinning_weights_are_convex(template):
    weights = template.skinning_weights
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_arrays_are_read_only(template):
    with pytest.raises(ValueError, match="read-only"):
        template.vertices[0] = 0


def test_round_trip(template, tmp_path):
    save_template(template, tmp_path / "hand.npz")
    again = load_template(tmp_path / "hand.npz")
    np.testing.assert_allclose(again.vertices, template.vertices, atol=1e-8)
    assert (again.faces == template.faces).all()


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load_template(tmp_path / "none.npz")


@pytest.mark.parametrize("kept", [0, 10, 2000, 20000])
def test_file_cut_short(tmp_path, kept):
    path = tmp_path / "short.npz"
    path.write_bytes(TEMPLATE_PATH.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match="short"):
        load_template(path)


def test_file_of_another_kind(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, vertices=np.zeros((10, 3)))
    with pytest.raises(ModelFileError, match="vertices has shape"):
        load_template(path)
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(ModelFileError, match="lacks vertices"):
        load_template(path)
