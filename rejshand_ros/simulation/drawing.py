"""Shapes of hands and objects as meshes for the software renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MissingDependencyError, ModelFileError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.synthetic import primitives
from rejshand_ros.synthetic.mesh import Mesh
from rejshand_ros.urdf import UrdfShape, read_urdf

DEFAULT_COLOUR = (0.6, 0.6, 0.62)
_SEGMENTS = 16
"""Corners of a round shape: enough to look round at this size."""

Faces = NDArray[np.int32]


def shape_mesh(shape: UrdfShape) -> tuple[Array, Faces]:
    """Vertices (V, 3), metres, and faces (F, 3) of a shape, in its own frame.

    Raises:
        ModelFileError: Its mesh file is missing, or is none.
        MissingDependencyError: The file's format needs a library that is not installed.
    """
    if shape.mesh is not None:
        vertices, faces = _mesh_file(shape.mesh)
        return vertices * np.asarray(shape.size), faces
    makers: dict[str, Callable[..., tuple[Array, Faces]]] = {
        "box": lambda *size: primitives.box(size),
        "cylinder": partial(primitives.cylinder, segments=_SEGMENTS),
        "capsule": partial(primitives.capsule, segments=_SEGMENTS),
        "sphere": partial(primitives.sphere, segments=_SEGMENTS),
    }
    return makers[shape.kind](*shape.size)


def _mesh_file(path: Path) -> tuple[Array, Faces]:
    """Triangles of an STL, OBJ or similar file."""
    import trimesh

    try:
        mesh: Any = trimesh.load(path, force="mesh")
    except ImportError as error:
        raise MissingDependencyError(
            f"mesh {path} needs a library that is not installed: {error}"
        ) from error
    except Exception as error:  # each format's reader raises what it likes
        raise ModelFileError(f"mesh {path} cannot be read: {error}") from error
    vertices, faces = np.array(mesh.vertices, float), np.array(mesh.faces, np.int32)
    if not len(faces) or not np.isfinite(vertices).all():
        raise ModelFileError(f"mesh {path} holds no triangles")
    return vertices, faces


def merged(shapes: Sequence[UrdfShape]) -> tuple[Array, Faces, Array] | None:
    """Vertices (N, 3), faces (F, 3), linear RGB (N, 3) of shapes as one; None if none is drawn."""
    vertices: list[Array] = []
    faces: list[Faces] = []
    colours: list[Array] = []
    count = 0
    for shape in shapes:
        made = shape_mesh(shape)
        rgb = np.array((shape.colour or (*DEFAULT_COLOUR, 1.0))[:3])
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
            raise ModelFileError(f"URDF {robot_hand.urdf_path} has no shape to draw")
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
