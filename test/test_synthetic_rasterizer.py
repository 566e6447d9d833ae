import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera, RigidTransform, rotation_from_vector
from rejshand_ros.synthetic import primitives
from rejshand_ros.synthetic.mesh import Light, Material, Mesh
from rejshand_ros.synthetic.rasterizer import render

CAMERA = PinholeCamera.from_field_of_view(96, 72, 60)
RED, BLUE = np.array([0.8, 0.05, 0.05]), np.array([0.05, 0.05, 0.8])


def mesh_at(shape, place, colour=RED, turn=(0.0, 0.0, 0.0), **material):
    pose = RigidTransform(rotation_from_vector(turn), np.array(place, float))
    return Mesh(*shape, colour, pose, material=Material(**material))


def draw(*meshes, **options):
    return render(meshes, CAMERA, CAMERA.width, CAMERA.height, **options)


def test_a_box_covers_its_projection_at_its_depth():
    result = draw(mesh_at(primitives.box([0.2, 0.1, 0.1]), [0, 0, 1.05]))
    focal = CAMERA.matrix[0, 0]
    assert result.alpha.sum() == pytest.approx(0.2 * focal * 0.1 * focal, rel=0.02)
    assert result.depth[36, 48] == pytest.approx(1.0, abs=1e-5)
    assert np.isinf(result.depth[0, 0])
    assert result.object_id[36, 48] == 0
    assert result.object_id[0, 0] == -1


@pytest.mark.parametrize("near_first", [True, False])
def test_what_is_nearer_hides_what_is_farther(near_first):
    near = mesh_at(primitives.sphere(0.1), [0, 0, 0.8], RED)
    far = mesh_at(primitives.box([1, 1, 0.1]), [0, 0, 1.5], BLUE)
    result = draw(*([near, far] if near_first else [far, near]))
    assert result.object_id[36, 48] == (0 if near_first else 1)
    middle, corner = result.rgb[36, 48].astype(int), result.rgb[20, 30].astype(int)
    assert middle[0] > middle[2] + 50
    assert corner[2] > corner[0] + 50


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.floats(0.4, 3.0), st.integers(1, 3))
def test_depth_of_a_leaning_plane_is_that_of_its_rays(lean_x, lean_y, distance, samples):
    turn = rotation_from_vector([lean_x, lean_y, 0])
    pose = RigidTransform(turn, np.array([0, 0, distance]))
    plane = Mesh(*primitives.box([9, 9, 0.002]), RED, pose)
    result = draw(plane, samples=samples)
    normal = turn @ [0, 0, -1.0]
    at = np.array([0, 0, distance]) + 0.001 * normal
    for row, column in ((36, 48), (10, 12), (60, 80)):
        # The nearest of a pixel's samples counts: the plane at its corners bounds it.
        corners = np.array([[column + a, row + b] for a in (-0.5, 0, 0.5) for b in (-0.5, 0, 0.5)])
        depth = (normal @ at) / (CAMERA.rays(corners) @ normal)
        if (
            depth.min() > 0
            and result.object_id[row, column] == 0
            and result.alpha[row, column] == 1
        ):
            assert depth.min() - 1e-4 <= result.depth[row, column] <= depth.max() + 1e-4


def test_a_floor_that_reaches_behind_the_camera_is_drawn_up_to_the_edge():
    floor = mesh_at(primitives.box([40, 0.1, 40]), [0, 0.55, 0])
    result = draw(floor)
    ray = CAMERA.rays([48.0, 71.0])
    assert result.depth[71, 48] == pytest.approx(0.5 / ray[1], rel=0.01)
    assert result.alpha[40:].min() == 1
    assert result.alpha[:36].max() == 0


def test_things_behind_the_camera_are_not_drawn():
    assert draw(mesh_at(primitives.sphere(0.1), [0, 0, -1.0])).alpha.max() == 0


def test_shadows_fall_away_from_the_light():
    light = Light(direction=np.array([0, 0, -1.0]), fill_colour=np.zeros(3))
    wall = mesh_at(primitives.box([2, 2, 0.1]), [0, 0, 1.2], np.full(3, 0.5))
    # Seen from the camera the sphere hides its own shadow, so the light comes from the left.
    light = Light(direction=np.array([-0.5, 0, -1.0]), fill_colour=np.zeros(3))
    ball = mesh_at(primitives.sphere(0.06), [0, 0, 0.9], RED)
    options = {"light": light, "shadow_centre": [0, 0, 1.0]}
    with_shadow = draw(wall, ball, shadow_radius_m=0.4, **options).rgb.astype(int)
    without = draw(wall, ball, **options).rgb.astype(int)
    darker = (without - with_shadow).sum(-1) > 60
    rows, columns = np.nonzero(darker & (draw(wall, ball).object_id == 0))
    expected = CAMERA.project([0.125, 0, 1.15])
    assert np.hypot(rows.mean() - expected[1], columns.mean() - expected[0]) < 3


def test_coverage_blends_with_the_background():
    ball = mesh_at(primitives.sphere(0.15), [0, 0, 1.0])
    picture = np.full((CAMERA.height, CAMERA.width, 3), (10, 200, 30), np.uint8)
    result = draw(ball, background=picture, samples=4)
    assert tuple(result.rgb[0, 0]) == (10, 200, 30)
    assert 0 < ((result.alpha > 0) & (result.alpha < 1)).mean() < 0.1


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (primitives.box([0.1, 0.2, 0.3]), 0.006),
        (primitives.sphere(0.1, 40), 4 / 3 * np.pi * 1e-3),
        (primitives.cylinder(0.1, 0.3, 40), np.pi * 0.01 * 0.3),
        (primitives.capsule(0.1, 0.3, 40), np.pi * 0.01 * 0.3 + 4 / 3 * np.pi * 1e-3),
        (
            primitives.tube(
                [[0, 0, 0], [0, 0, 0.1], [0, 0, 0.3]], [[0.1, 0.05]] * 3, [1, 0, 0], 40
            ),
            np.pi * 0.1 * 0.05 * 0.3,
        ),
    ],
)
def test_primitives_are_closed_and_wound_outwards(shape, volume):
    vertices, faces = shape
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    assert np.sum(a * np.cross(b, c)) / 6 == pytest.approx(volume, rel=0.03)
    # A closed surface has no total area vector.
    np.testing.assert_allclose(np.cross(b - a, c - a).sum(0), 0, atol=1e-9)


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="positive"):
        primitives.box([0.1, 0.0, 0.1])
    with pytest.raises(InputError, match="background"):
        draw(background=np.zeros((3, 3, 3)))
    with pytest.raises(InputError, match="colours"):
        Mesh(*primitives.sphere(0.1), np.zeros((4, 3)))
