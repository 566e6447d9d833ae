"""Shapes of a robot hand's URDF as coloured triangles, link by link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array
from rejshand_ros.simulation.drawing import DEFAULT_COLOUR, shape_mesh
from rejshand_ros.urdf import read_urdf


@dataclass(frozen=True)
class LinkShape:
    """One shape of one link.

    Attributes:
        link: Name of the link.
        vertices: (V, 3) metres in the link's frame.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        colour: Red, green, blue, 0..1, as the URDF gives it (sRGB).
    """

    link: str
    vertices: Array
    faces: NDArray[np.int32]
    colour: tuple[float, float, float]


def link_shapes(urdf_path: Path) -> tuple[LinkShape, ...]:
    """What a URDF shows: each link's visuals, or its collision shapes where it has none.

    Args:
        urdf_path: The URDF.

    Raises:
        ModelFileError: It cannot be read, has nothing to show, or names a mesh that is none.
        MissingDependencyError: It names a mesh whose format needs a library that is missing.
    """
    shapes = []
    for name, link in read_urdf(urdf_path).links.items():
        for shape in link.visuals or link.collisions:
            vertices, faces = shape_mesh(shape)
            red, green, blue = (shape.colour or (*DEFAULT_COLOUR, 1.0))[:3]
            placed = shape.link_from_shape.apply(vertices)
            shapes.append(LinkShape(name, placed, faces, (red, green, blue)))
    if not shapes:
        raise ModelFileError(f"URDF {urdf_path} has no visual or collision shape to show")
    return tuple(shapes)
