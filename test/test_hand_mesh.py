"""Mesh tools against shapes whose answers are known."""

import numpy as np
import pytest

from rejshand_ros.errors import InputError
from rejshand_ros.hand.mesh import (
    check_mesh,
    is_watertight,
    measure_hand,
    mesh_volume,
    mirror_mesh,
    self_intersections,
    vertex_normals,
)
from rejshand_ros.hand.template import load_template

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
OCTAHEDRON_FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def test_octahedron():
    report = check_mesh(OCTAHEDRON, OCTAHEDRON_FACES)
    assert report.watertight
    assert report.euler_characteristic == 2
    assert report.volume_m3 == pytest.approx(4 / 3)
    assert report.area_m2 == pytest.approx(8 * np.sqrt(3) / 2)
    assert report.smallest_angle_rad == pytest.approx(np.pi / 3)
    assert len(report.intersecting_pairs) == 0
    np.testing.assert_allclose(vertex_normals(OCTAHEDRON, OCTAHEDRON_FACES), OCTAHEDRON, atol=1e-12)


def test_inside_out_has_negative_volume():
    assert mesh_volume(OCTAHEDRON, OCTAHEDRON_FACES[:, ::-1]) == pytest.approx(-4 / 3)


@pytest.mark.parametrize(
    "faces",
    [
        OCTAHEDRON_FACES[1:],  # a hole
        np.concatenate([OCTAHEDRON_FACES[:1, ::-1], OCTAHEDRON_FACES[1:]]),  # one turned over
        np.concatenate([OCTAHEDRON_FACES, OCTAHEDRON_FACES[:1]]),  # one twice
    ],
)
def test_faults_are_found(faces):
    assert not is_watertight(faces)


def test_two_bodies_that_overlap_are_found_and_two_apart_are_not():
    faces = np.concatenate([OCTAHEDRON_FACES, OCTAHEDRON_FACES + 6])
    overlapping = np.concatenate([OCTAHEDRON, OCTAHEDRON + np.array([0.9, 0.2, 0.1])])
    assert len(self_intersections(overlapping, faces)) > 0
    apart = np.concatenate([OCTAHEDRON, OCTAHEDRON + np.array([2.1, 0, 0])])
    assert len(self_intersections(apart, faces)) == 0


def test_batched_normals():
    batch = np.stack([OCTAHEDRON, 2 * OCTAHEDRON])
    normals = vertex_normals(batch, OCTAHEDRON_FACES)
    np.testing.assert_allclose(normals[0], normals[1])


def test_mirrored_hand_is_the_same_solid_wound_outwards():
    template = load_template()
    vertices, faces = mirror_mesh(template.vertices, template.faces)
    assert is_watertight(faces)
    assert mesh_volume(vertices, faces) == pytest.approx(
        mesh_volume(template.vertices, template.faces)
    )
    twice, faces_again = mirror_mesh(vertices, faces)
    np.testing.assert_allclose(twice, template.vertices)
    assert (faces_again == template.faces).all()


def test_measures_scale_with_the_hand():
    template = load_template()
    one = measure_hand(template.vertices, template.rest_keypoints)
    larger = measure_hand(1.02 * template.vertices, 1.02 * template.rest_keypoints)
    assert larger.length == pytest.approx(1.02 * one.length)


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        (np.zeros((3, 2)), [[0, 1, 2]]),
        (np.zeros((3, 3)), [[0, 1]]),
        (np.zeros((3, 3)), [[0, 1, 3]]),
        (np.zeros((3, 3)), [[0, 1, -1]]),
    ],
)
def test_wrong_shapes_and_indices_are_refused(vertices, faces):
    with pytest.raises(InputError):
        vertex_normals(vertices, faces)
