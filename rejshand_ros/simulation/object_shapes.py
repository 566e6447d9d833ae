"""Tables and objects as primitives: what physics collides and what the camera draws."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import RigidTransform
from rejshand_ros.simulation.scene import ObjectConfig, TableConfig
from rejshand_ros.urdf import UrdfShape

TABLE_COLOUR = (0.75, 0.68, 0.58)
_THICKNESS_M = 0.04
_MUG_SIDES = 12
_MUG_WALL_M = 0.004

_KINDS = {"box": "box", "ball": "sphere", "cylinder": "cylinder"}


def table_shape(table: TableConfig) -> UrdfShape:
    """A level table top, in the world."""
    place = np.array([*table.centre_m, table.top_m - _THICKNESS_M / 2])
    size = (*table.size_m, _THICKNESS_M)
    return UrdfShape("box", size, RigidTransform(translation=place), None, (*TABLE_COLOUR, 1.0))


def object_shapes(item: ObjectConfig) -> list[UrdfShape]:
    """An object's primitives, in its own frame."""
    if item.shape == "mug":
        return _mug(item)
    # A diameter is told, a radius is kept.
    size = item.size_m if item.shape == "box" else (item.size_m[0] / 2, *item.size_m[1:])
    return [_shape(item, _KINDS[item.shape], size, RigidTransform())]


def _shape(
    item: ObjectConfig, kind: str, size: tuple[float, ...], place: RigidTransform
) -> UrdfShape:
    return UrdfShape(kind, size, place, None, (*item.colour, 1.0))


def _mug(item: ObjectConfig) -> list[UrdfShape]:
    """A hollow mug: a bottom, a ring of flat walls, and a handle of three bars along +x."""
    radius, height = item.size_m[0] / 2, item.size_m[1]
    wall = _MUG_WALL_M
    bottom = RigidTransform(translation=np.array([0, 0, (wall - height) / 2]))
    shapes = [_shape(item, "cylinder", (radius - wall / 2, wall), bottom)]
    inner = radius - wall / 2
    width = 2 * inner * np.tan(np.pi / _MUG_SIDES) + wall / 2
    for angle in np.arange(_MUG_SIDES) * 2 * np.pi / _MUG_SIDES:
        turn = np.array(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]]
        )
        place = RigidTransform(turn, turn @ np.array([inner, 0, 0]))
        shapes.append(_shape(item, "box", (wall, float(width), height), place))
    reach, rise, bar = 0.6 * radius, 0.25 * height, 0.01
    for level in (-rise, rise):
        place = RigidTransform(translation=np.array([radius + reach / 2, 0, level]))
        shapes.append(_shape(item, "box", (reach, bar, bar), place))
    grip = RigidTransform(translation=np.array([radius + reach, 0, 0]))
    shapes.append(_shape(item, "box", (bar, bar, 2 * rise + bar), grip))
    return shapes
