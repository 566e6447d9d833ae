"""Rigid-body and camera mathematics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import (
    PinholeCamera,
    RigidTransform,
    align_similarity,
    quaternion_from_rotation,
    rotation_between,
    rotation_from_quaternion,
    rotation_from_vector,
    rotation_vector,
)

ROTATION_VECTORS = arrays(float, 3, elements=st.floats(-3.0, 3.0))
POINTS = arrays(float, 3, elements=st.floats(-10.0, 10.0))


@given(ROTATION_VECTORS)
def test_rotation_vectors_give_rotations(vector: np.ndarray) -> None:
    rotation = rotation_from_vector(vector)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(rotation @ vector, vector, atol=1e-8)
    # Many at once are worked out another way.
    np.testing.assert_allclose(rotation, rotation_from_vector(vector[None])[0], atol=1e-12)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_rotation_vectors_that_are_none_give_no_number(broken: float) -> None:
    assert np.isnan(rotation_from_vector([broken, 0.0, 0.0])).all()


def test_rotation_vector_turns_by_the_right_hand_rule() -> None:
    np.testing.assert_allclose(
        rotation_from_vector([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-12
    )


@given(ROTATION_VECTORS)
def test_quaternions_round_trip(vector: np.ndarray) -> None:
    rotation = rotation_from_vector(vector)
    quaternion = quaternion_from_rotation(rotation)
    assert quaternion[3] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(quaternion), rotation, atol=1e-7)


def test_a_quaternion_without_direction_is_refused() -> None:
    with pytest.raises(InputError, match="no direction"):
        rotation_from_quaternion([0, 0, 0, 0])


@given(ROTATION_VECTORS, POINTS, ROTATION_VECTORS, POINTS, POINTS)
def test_transforms_form_a_group(
    r1: np.ndarray, t1: np.ndarray, r2: np.ndarray, t2: np.ndarray, point: np.ndarray
) -> None:
    a = RigidTransform(rotation_from_vector(r1), t1)
    b = RigidTransform(rotation_from_vector(r2), t2)
    np.testing.assert_allclose((a @ b).apply(point), a.apply(b.apply(point)), atol=1e-8)
    np.testing.assert_allclose((a @ a.inverse()).apply(point), point, atol=1e-8)


@given(ROTATION_VECTORS, st.sampled_from([(1, 0, 0), (0, 1, 0), (1, 1, 1), (0, 0, -1)]))
def test_rotation_between_takes_one_direction_onto_the_other(
    vector: np.ndarray, start: tuple[int, int, int]
) -> None:
    target = rotation_from_vector(vector) @ np.asarray(start, float)
    turned = rotation_between(start, target) @ np.asarray(start, float)
    np.testing.assert_allclose(turned, target, atol=1e-7)


def test_rotation_between_opposite_directions_is_half_a_turn() -> None:
    rotation = rotation_between([0, 1, 0], [0, -2, 0])
    np.testing.assert_allclose(rotation @ [0, 1, 0], [0, -1, 0], atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@given(st.floats(20, 120), arrays(float, 3, elements=st.floats(0.1, 2.0)))
def test_rays_pass_through_what_is_projected(fov: float, point: np.ndarray) -> None:
    camera = PinholeCamera.from_field_of_view(640, 480, fov)
    ray = camera.rays(camera.project(point))
    np.testing.assert_allclose(ray * point[2], point, atol=1e-8)


def test_the_assumed_camera_sees_its_field_of_view() -> None:
    camera = PinholeCamera.from_field_of_view(640, 480, 90.0)
    edge = camera.rays([[-0.5, 239.5], [639.5, 239.5]])
    np.testing.assert_allclose(edge[:, 0], [-1.0, 1.0])
    assert camera.assumed
    with pytest.raises(InputError, match="field of view"):
        PinholeCamera.from_field_of_view(640, 480, 0.0)


@given(ROTATION_VECTORS, POINTS, st.floats(0.2, 5.0))
def test_alignment_undoes_a_similarity(vector: np.ndarray, shift: np.ndarray, s: float) -> None:
    source = np.random.default_rng(0).normal(size=(21, 3))
    target = s * source @ rotation_from_vector(vector).T + shift
    np.testing.assert_allclose(align_similarity(source, target), target, atol=1e-6)


def test_alignment_without_rotation_leaves_a_turned_hand_wrong() -> None:
    source = np.random.default_rng(0).normal(size=(21, 3))
    np.testing.assert_allclose(
        align_similarity(source, 3 * source + 1, rotate=False), 3 * source + 1, atol=1e-6
    )
    turned = source @ rotation_from_vector([0, 0, 1.5]).T
    assert np.abs(align_similarity(source, turned, rotate=False) - turned).max() > 0.1


@given(st.tuples(*[st.floats(-1.7, 1.7)] * 3))
def test_rotation_vector_inverts_the_exponential(vector: tuple[float, ...]) -> None:
    rotation = rotation_from_vector(vector)
    np.testing.assert_allclose(rotation_from_vector(rotation_vector(rotation)), rotation, atol=1e-7)


@pytest.mark.parametrize("axis", np.eye(3))
def test_rotation_vector_of_a_half_turn(axis: np.ndarray) -> None:
    rotation = rotation_from_vector(np.pi * axis)
    np.testing.assert_allclose(rotation_from_vector(rotation_vector(rotation)), rotation, atol=1e-6)
