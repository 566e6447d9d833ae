"""Compiled axes and rotations are those of the library's decompositions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.compiled_geometry import (
    nearest_rotation,
    principal_axes,
    turn_between,
    turned,
)
from rejshand_ros.geometry import rotation_from_vector, rotation_vector

seeds = st.integers(0, 10**6)


@given(seeds, st.integers(2, 6))
def test_principal_axes_are_the_eigenvectors(seed, size):
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    symmetric = matrix + matrix.T
    values, vectors = principal_axes(symmetric)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(symmetric), atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(vectors * values @ vectors.T, symmetric, atol=1e-12)


def test_principal_axes_of_what_has_none_or_knows_them():
    for matrix in (np.zeros((3, 3)), np.eye(3), np.diag([1.0, 2.0, 3.0])):
        values, vectors = principal_axes(matrix)
        np.testing.assert_array_equal(values, np.diag(matrix))
        np.testing.assert_array_equal(vectors, np.eye(3))


@given(seeds, st.booleans())
def test_the_nearest_rotation_is_kabschs(seed, mirrored):
    matrix = np.random.default_rng(seed).normal(size=(3, 3))
    matrix[0] *= np.sign(np.linalg.det(matrix)) * (-1.0 if mirrored else 1.0)
    rotation = nearest_rotation(matrix)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0
    u, _, vt = np.linalg.svd(matrix)
    kabsch = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    # Where two rotations are nearly as near, both may answer either; none may be farther.
    assert np.sum(rotation * matrix) >= np.sum(kabsch * matrix) - 1e-12


def test_a_matrix_of_zeros_turns_nothing():
    np.testing.assert_array_equal(nearest_rotation(np.zeros((3, 3))), np.eye(3))


def _random_turn(seed, longest):
    random = np.random.default_rng(seed)
    axis = random.normal(size=3)
    return axis / np.linalg.norm(axis) * random.uniform(0.0, longest)


@given(seeds, st.sampled_from([0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-3]))
def test_a_turn_between_rotations_is_their_quotients_vector(seed, longest):
    start = rotation_from_vector(_random_turn(seed, 3.0))
    turn = _random_turn(seed + 1, longest)
    end = start @ rotation_from_vector(turn)
    np.testing.assert_allclose(turn_between(start, end), turn, atol=1e-7)
    expected = rotation_vector(start.T @ end)
    np.testing.assert_allclose(turn_between(start, end), expected, atol=1e-9)
    np.testing.assert_allclose(turned(start, *turn), end, atol=1e-12)


@given(seeds)
def test_a_half_turn_leads_to_the_other_rotation(seed):
    start = rotation_from_vector(_random_turn(seed, 3.0))
    half = _random_turn(seed + 1, 1.0)
    half *= np.pi / np.linalg.norm(half)
    end = start @ rotation_from_vector(half)
    np.testing.assert_allclose(turned(start, *turn_between(start, end)), end, atol=1e-6)
