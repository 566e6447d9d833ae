"""The shipped template is the one that the description and its tools make."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the hand's maker needs the development extra")
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import hand_description
import remeshing

from rejshand_ros.hand.keypoints import FINGERTIPS
from rejshand_ros.hand.mesh import check_mesh
from rejshand_ros.hand.template import load_template


def test_template_and_description_are_of_one_hand():
    template, skeleton = load_template(), hand_description.build_skeleton()
    inner = [k for k in range(21) if k not in FINGERTIPS]
    np.testing.assert_allclose(template.rest_keypoints[inner], skeleton.keypoints[inner], atol=1e-6)
    np.testing.assert_allclose(template.flexion_axes, skeleton.flexion_axes, atol=1e-6)
    distance = hand_description.hand_distance(skeleton, template.vertices)
    # The five tip vertices are moved onto the keypoints; all others lie on the solid's surface.
    moved = np.isin(np.arange(len(template.vertices)), template.fingertip_vertices)
    assert np.abs(distance[~moved]).max() < 5e-4
    assert np.abs(distance[moved]).max() < 2e-3


def icosphere():
    golden = (1 + 5**0.5) / 2
    points = np.array(
        [(0, a, b) for a in (-1, 1) for b in (-golden, golden)]
        + [(a, b, 0) for a in (-1, 1) for b in (-golden, golden)]
        + [(b, 0, a) for a in (-1, 1) for b in (-golden, golden)]
    )
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    near = np.linalg.norm(points[:, None] - points[None], axis=-1) < 1.2
    faces = [
        (i, j, k) if np.linalg.det(points[[i, j, k]]) > 0 else (i, k, j)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]
    for _ in range(2):
        middle, finer = {}, []
        points = list(points)
        for a, b, c in faces:
            halves = []
            for p, q in ((a, b), (b, c), (c, a)):
                key = (min(p, q), max(p, q))
                if key not in middle:
                    between = points[p] + points[q]
                    middle[key] = len(points)
                    points.append(between / np.linalg.norm(between))
                halves.append(middle[key])
            ab, bc, ca = halves
            finer += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        points, faces = np.array(points), finer
    return points, np.array(faces, np.int32)


def test_remeshing_reaches_the_count_and_keeps_a_sphere_a_sphere():
    points, faces = icosphere()

    def size(at):
        return np.ones(len(at))

    def project(at):
        return at / np.linalg.norm(at, axis=1, keepdims=True)

    points, faces = remeshing.collapse_to(points, faces, 80, size)
    faces = remeshing.flip_edges(points, faces)
    points = remeshing.relax(points, faces, project, size)
    assert points.shape == (80, 3)
    assert len(faces) == 2 * 80 - 4
    report = check_mesh(points, faces)
    assert report.watertight
    assert report.volume_m3 == pytest.approx(4 / 3 * np.pi, rel=0.1)
    assert np.degrees(report.smallest_angle_rad) > 25
    assert len(report.intersecting_pairs) == 0
