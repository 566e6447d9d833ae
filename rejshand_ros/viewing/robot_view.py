"""A picture of a robot hand at given joint positions, drawn in software from its URDF."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera, RigidTransform, rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, load_robot_hand
from rejshand_ros.simulation.drawing import RobotMesh
from rejshand_ros.synthetic.mesh import Light
from rejshand_ros.synthetic.rasterizer import render

Image = NDArray[np.uint8]

_BACKGROUND_RGB = ((58, 62, 70), (28, 30, 36))
"""Of the picture's top and bottom."""
_MARGIN_M = 0.05
_DISTANCE_M = 0.75
# The palm faces the viewer as it does before a camera; a turn shows the fingers' depth.
_TURN_RAD = (-0.30, 0.45)


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
        self._index = {name: i for i, name in enumerate(robot_hand.joint_names)}
        self._camera_from_root, self._camera = self._viewpoint()
        top, bottom = (np.array(colour, float) for colour in _BACKGROUND_RGB)
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
        q = np.array(self._hand.rest, float)
        for name, position in zip(joint_names, positions, strict=True):
            if name not in self._index:
                raise InputError(
                    f"joint {name!r} is not one of {self._hand.hand}'s: {', '.join(self._index)}"
                )
            q[self._index[name]] = position
        meshes = [self._mesh.placed(q, self._camera_from_root)]
        width, height = self._size
        centre = np.array([0.0, 0.0, _DISTANCE_M])
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

    def _viewpoint(self) -> tuple[RigidTransform, PinholeCamera]:
        """The camera before the palm, and a lens such that the open hand fills the picture."""
        poses = self._mesh.model.link_poses(self._hand.rest)
        frame = poses[self._hand.operator_link] @ self._hand.operator_link_from_frame
        # Camera axes of a viewer before the palm: x along the frame's y, y down its z, z into x.
        facing = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
        # A left hand is seen as the mirror image of a right one.
        sideways = _TURN_RAD[1] if self._hand.side is Side.RIGHT else -_TURN_RAD[1]
        turn = rotation_from_vector([_TURN_RAD[0], 0, 0]) @ rotation_from_vector([0, sideways, 0])
        rotation = turn @ facing @ frame.rotation.T
        # Wrist and fingertips fill the picture; a forearm may leave it.
        shown = [poses[link].translation for link in self._hand.fingertip_links.values()]
        corners = np.stack([frame.translation, *shown]) @ rotation.T
        low, high = corners.min(0) - _MARGIN_M, corners.max(0) + _MARGIN_M
        centre = (low + high) / 2
        camera_from_root = RigidTransform(rotation, np.array([0, 0, _DISTANCE_M]) - centre)
        width, height = self._size
        extent = (high - low)[:2]
        focal = _DISTANCE_M * min(width / extent[0], height / extent[1])
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
        return camera_from_root, PinholeCamera(width, height, matrix)


def robot_renderer(hand: str, side: Side) -> Callable[[tuple[str, ...], Array], Image]:
    """How previews draw a hand: joint names and positions to a BGR picture."""
    return RobotView(load_robot_hand(hand, side)).render
