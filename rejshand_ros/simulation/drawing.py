"""Shapes of hands and objects as meshes for the software renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.synthetic import primitives
from rejshand_ros.synthetic.mesh import Mesh
from rejshand_ros.urdf import UrdfShape, read_urdf

_DEFAULT_COLOUR = (0.6, 0.6, 0.62)
_SEGMENTS = 16
"""Corners of a round shape: enough to look round at this size."""

Faces = NDArray[np.int32]


def shape_mesh(shape: UrdfShape) -> tuple[Array, Faces] | None:
    """Vertices and faces of a primitive; None for mesh files, which URDFs of ours never have."""
    if shape.kind == "mesh":
        return None
    makers: dict[str, Callable[..., tuple[Array, Faces]]] = {
        "box": lambda *size: primitives.box(size),
        "cylinder": partial(primitives.cylinder, segments=_SEGMENTS),
        "capsule": partial(primitives.capsule, segments=_SEGMENTS),
        "sphere": partial(primitives.sphere, segments=_SEGMENTS),
    }
    return makers[shape.kind](*shape.size)


def merged(shapes: Sequence[UrdfShape]) -> tuple[Array, Faces, Array] | None:
    """Vertices (N, 3), faces (F, 3), linear RGB (N, 3) of shapes as one; None if none is drawn."""
    vertices: list[Array] = []
    faces: list[Faces] = []
    colours: list[Array] = []
    count = 0
    for shape in shapes:
        made = shape_mesh(shape)
        if made is None:
            continue
        rgb = np.array((shape.colour or (*_DEFAULT_COLOUR, 1.0))[:3])
        vertices.append(shape.link_from_shape.apply(made[0]))
        faces.append(made[1] + count)
        colours.append(np.tile(rgb**2.2, (len(made[0]), 1)))
        count += len(made[0])
    if not vertices:
        return None
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(colours)


class RobotMesh:
    """One mesh for a whole robot hand, link after link: a picture costs one placement of each.

    Attributes:
        model: The hand's kinematics.
    """

    def __init__(self, robot_hand: RobotHandConfig) -> None:
        """Read the shapes of the hand's URDF.

        Raises:
            ModelFileError: The URDF has no shapes that can be drawn.
        """
        self.model = RobotModel(robot_hand)
        self._parts: list[tuple[str, int, int]] = []
        vertices: list[Array] = []
        faces: list[Faces] = []
        colours: list[Array] = []
        count = 0
        for name, link in read_urdf(robot_hand.urdf_path).links.items():
            made = merged(link.visuals or link.collisions)
            if made is not None:
                vertices.append(made[0])
                faces.append(made[1] + count)
                colours.append(made[2])
                self._parts.append((name, count, count + len(made[0])))
                count += len(made[0])
        if not self._parts:
            raise ModelFileError(
                f"URDF {robot_hand.urdf_path} has no box, cylinder, capsule or sphere to draw"
            )
        self._vertices = np.concatenate(vertices)
        self._faces = np.concatenate(faces).astype(np.int32)
        self._colours = np.concatenate(colours)

    def placed(self, positions: Array, frame_from_root: RigidTransform) -> Mesh:
        """The hand at joint positions (n,), radians, its vertices in another frame."""
        poses = self.model.link_poses(positions)
        placed = np.empty_like(self._vertices)
        for link, begin, end in self._parts:
            placed[begin:end] = (frame_from_root @ poses[link]).apply(self._vertices[begin:end])
        return Mesh(placed, self._faces, self._colours)
