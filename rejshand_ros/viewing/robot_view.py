"""A picture of a robot hand at given joint positions, drawn in software from its URDF."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, load_robot_hand
from rejshand_ros.simulation.drawing import RobotMesh
from rejshand_ros.synthetic.mesh import Light
from rejshand_ros.synthetic.rasterizer import render
from rejshand_ros.viewing.viewpoint import BACKGROUND_RGB, DISTANCE_M, viewpoint

Image = NDArray[np.uint8]
RobotRenderer = Callable[[tuple[str, ...], Array], Image]
"""Joint names and positions (radians) -> (H, W, 3) BGR picture of the robot hand."""


class RobotView:
    """Draws one robot hand, palm towards the viewer, fingers up."""

    def __init__(self, robot_hand: RobotHandConfig, width: int = 480, height: int = 480) -> None:
        """Read the shapes of the hand's URDF.

        Args:
            robot_hand: The hand.
            width: Picture width, pixels.
            height: Picture height, pixels.

        Raises:
            ModelFileError: The URDF has no shapes that can be drawn.
        """
        self._hand = robot_hand
        self._size = width, height
        self._mesh = RobotMesh(robot_hand)
        self._camera_from_root, self._camera = viewpoint(
            robot_hand, self._mesh.model, width, height
        )
        top, bottom = (np.array(colour, float) for colour in BACKGROUND_RGB)
        share = np.linspace(0, 1, height)[:, None, None]
        gradient = (1 - share) * top + share * bottom
        self._background = np.broadcast_to(gradient, (height, width, 3)).astype(np.uint8)

    def render(self, joint_names: tuple[str, ...], positions: Array) -> Image:
        """The hand as a BGR picture (height, width, 3).

        Args:
            joint_names: Names in any order; joints that are missing rest.
            positions: Radians, one a name.

        Raises:
            InputError: A joint is not one of the hand's.
        """
        q = self._hand.positions_of(joint_names, positions)
        meshes = [self._mesh.placed(q, self._camera_from_root)]
        width, height = self._size
        centre = np.array([0.0, 0.0, DISTANCE_M])
        picture = render(
            meshes,
            self._camera,
            width,
            height,
            Light(),
            background=self._background,
            shadow_centre=centre,
            shadow_radius_m=0.2,
        )
        return np.ascontiguousarray(picture.rgb[..., ::-1])


def robot_renderer(hand: str, side: Side) -> RobotRenderer:
    """How previews draw a hand: by MuJoCo where it can render here, else in software.

    Args:
        hand: Robot hand.
        side: Its side.
    """
    from rejshand_ros.viewing.mujoco_view import MujocoView, egl_works

    robot = load_robot_hand(hand, side)
    return MujocoView(robot).render if egl_works() else RobotView(robot).render
