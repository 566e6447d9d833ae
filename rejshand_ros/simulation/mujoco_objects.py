"""Tables and objects for a MuJoCo scene."""

from __future__ import annotations

import mujoco
import numpy as np

from rejshand_ros.geometry import quaternion_from_rotation
from rejshand_ros.simulation.object_shapes import TABLE_COLOUR, object_shapes, table_shape
from rejshand_ros.simulation.scene import ObjectConfig, TableConfig
from rejshand_ros.urdf import UrdfShape

_KINDS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}


def add_table(spec: mujoco.MjSpec, table: TableConfig) -> None:
    """Add a level table top."""
    shape = table_shape(table)
    spec.worldbody.add_geom(
        name="table",
        type=_KINDS[shape.kind],
        size=_half_sizes(shape),
        pos=shape.link_from_shape.translation,
        friction=[table.friction, 0.005, 0.0001],
        rgba=[*TABLE_COLOUR, 1.0],
        contype=2,
        conaffinity=3,
    )


def add_object(spec: mujoco.MjSpec, item: ObjectConfig) -> None:
    """Add a free object."""
    start = item.world_from_object
    body = spec.worldbody.add_body(
        name=item.name,
        pos=start.translation,
        quat=np.roll(quaternion_from_rotation(start.rotation), 1),
    )
    body.add_freejoint(name=f"{item.name}_free")
    shapes = object_shapes(item)
    volumes = np.array([_volume(shape) for shape in shapes])
    for shape, mass in zip(shapes, item.mass_kg * volumes / volumes.sum(), strict=True):
        body.add_geom(
            type=_KINDS[shape.kind],
            size=_half_sizes(shape),
            pos=shape.link_from_shape.translation,
            quat=np.roll(quaternion_from_rotation(shape.link_from_shape.rotation), 1),
            mass=float(mass),
            condim=4,
            friction=[item.friction, 0.005, 0.0001],
            rgba=[*item.colour, 1.0],
            contype=2,
            conaffinity=3,
        )


def _half_sizes(shape: UrdfShape) -> list[float]:
    """MuJoCo's size (3,): half edges; radius and half length; radius."""
    if shape.kind == "box":
        return [edge / 2 for edge in shape.size]
    radius, *length = shape.size
    return [radius, *(value / 2 for value in length), *[0.0] * (2 - len(length))]


def _volume(shape: UrdfShape) -> float:
    if shape.kind == "box":
        return float(np.prod(shape.size))
    if shape.kind == "sphere":
        return float(4 / 3 * np.pi * shape.size[0] ** 3)
    return float(np.pi * shape.size[0] ** 2 * shape.size[1])
