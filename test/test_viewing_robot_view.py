"""The drawn robot hand is the one the URDF describes, and it moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.viewing.robot_view import RobotView
from rejshand_ros.viewing.shapes import link_shapes


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
@pytest.mark.parametrize("side", list(Side))
def test_the_open_hand_fills_the_picture(hand: str, side: Side) -> None:
    robot = load_robot_hand(hand, side)
    view = RobotView(robot, 240, 240)
    picture = view.render(robot.joint_names, robot.rest).astype(int)
    hand_pixels = np.abs(picture - view._background[..., ::-1].astype(int)).sum(-1) > 25
    rows, columns = np.nonzero(hand_pixels)
    assert 0.1 < hand_pixels.mean() < 0.7
    # A forearm may leave the picture below; fingers leave it nowhere.
    assert rows.min() > 0
    assert 0 < columns.min() < columns.max() < 239


def test_a_bent_finger_changes_the_picture_and_the_order_of_names_does_not() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    view = RobotView(robot, 160, 160)
    straight = view.render(robot.joint_names, robot.rest)
    bent = np.minimum(np.maximum(robot.rest + 0.8, robot.lower), robot.upper)
    assert (view.render(robot.joint_names, bent) != straight).any()
    turned = view.render(robot.joint_names[::-1], bent[::-1])
    np.testing.assert_array_equal(turned, view.render(robot.joint_names, bent))


def test_left_and_right_hands_look_mirrored() -> None:
    masks = []
    for side in Side:
        robot = load_robot_hand("shadow", side)
        view = RobotView(robot, 200, 200)
        picture = view.render(robot.joint_names, robot.rest).astype(int)
        masks.append(np.abs(picture - view._background[..., ::-1].astype(int)).sum(-1) > 25)
    overlap = (masks[0] & masks[1][:, ::-1]).sum() / (masks[0] | masks[1][:, ::-1]).sum()
    assert overlap > 0.9


def test_a_foreign_joint_is_refused() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    with pytest.raises(InputError, match="elbow"):
        RobotView(robot, 64, 64).render(("elbow",), np.zeros(1))


def test_a_mesh_file_is_drawn_in_its_scale_and_a_broken_one_is_named(tmp_path: Path) -> None:
    import trimesh

    trimesh.creation.box((1.0, 2.0, 3.0)).export(tmp_path / "palm.stl")
    visual = '<visual><geometry><mesh filename="palm.stl" scale="0.1 0.1 0.1"/></geometry></visual>'
    urdf = tmp_path / "hand.urdf"
    urdf.write_text(f'<robot name="hand"><link name="palm">{visual}</link></robot>')
    (shape,) = link_shapes(urdf)
    assert shape.link == "palm"
    np.testing.assert_allclose(np.ptp(shape.vertices, axis=0), [0.1, 0.2, 0.3], atol=1e-6)
    (tmp_path / "palm.stl").write_text("no mesh")
    with pytest.raises(ModelFileError, match=r"palm\.stl"):
        link_shapes(urdf)
