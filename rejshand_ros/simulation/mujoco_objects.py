"""Tables and objects for a MuJoCo scene."""

from __future__ import annotations

import mujoco
import numpy as np

from rejshand_ros.geometry import RigidTransform, quaternion_from_rotation
from rejshand_ros.simulation.scene import ObjectConfig, TableConfig

_THICKNESS_M = 0.04
_MUG_SIDES = 12
_MUG_WALL_M = 0.004


def add_table(spec: mujoco.MjSpec, table: TableConfig) -> None:
    """Add a level table top."""
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[table.size_m[0] / 2, table.size_m[1] / 2, _THICKNESS_M / 2],
        pos=[*table.centre_m, table.top_m - _THICKNESS_M / 2],
        friction=[table.friction, 0.005, 0.0001],
        rgba=[0.75, 0.68, 0.58, 1.0],
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
    parts = _parts(item)
    volumes = np.array([_volume(kind, size) for kind, size, _ in parts])
    for (kind, size, place), mass in zip(
        parts, item.mass_kg * volumes / volumes.sum(), strict=True
    ):
        body.add_geom(
            type=kind,
            size=[*size, *[0.0] * (3 - len(size))],
            pos=place.translation,
            quat=np.roll(quaternion_from_rotation(place.rotation), 1),
            mass=float(mass),
            condim=4,
            friction=[item.friction, 0.005, 0.0001],
            rgba=[*item.colour, 1.0],
            contype=2,
            conaffinity=3,
        )


Part = tuple[mujoco.mjtGeom, tuple[float, ...], RigidTransform]


def _parts(item: ObjectConfig) -> list[Part]:
    """MuJoCo's primitives (kind, size, pose in the object) of an object."""
    geom = mujoco.mjtGeom
    half = tuple(edge / 2 for edge in item.size_m)
    if item.shape == "box":
        return [(geom.mjGEOM_BOX, half, RigidTransform())]
    if item.shape == "ball":
        return [(geom.mjGEOM_SPHERE, half, RigidTransform())]
    if item.shape == "cylinder":
        return [(geom.mjGEOM_CYLINDER, half, RigidTransform())]
    return _mug(*half)


def _mug(radius: float, half_height: float) -> list[Part]:
    """A hollow mug: a bottom, a ring of flat walls, and a handle of three bars along +x."""
    geom = mujoco.mjtGeom
    wall = _MUG_WALL_M / 2
    bottom = RigidTransform(translation=np.array([0, 0, -half_height + wall]))
    parts: list[Part] = [(geom.mjGEOM_CYLINDER, (radius - wall, wall), bottom)]
    inner = radius - wall
    width = inner * np.tan(np.pi / _MUG_SIDES) + wall / 2
    for angle in np.arange(_MUG_SIDES) * 2 * np.pi / _MUG_SIDES:
        turn = np.array(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]]
        )
        place = RigidTransform(turn, turn @ np.array([inner, 0, 0]))
        parts.append((geom.mjGEOM_BOX, (wall, width, half_height), place))
    reach, rise, bar = 0.6 * radius, 0.5 * half_height, 0.005
    for height in (-rise, rise):
        place = RigidTransform(translation=np.array([radius + reach / 2, 0, height]))
        parts.append((geom.mjGEOM_BOX, (reach / 2, bar, bar), place))
    grip = RigidTransform(translation=np.array([radius + reach, 0, 0]))
    parts.append((geom.mjGEOM_BOX, (bar, bar, rise + bar), grip))
    return parts


def _volume(kind: mujoco.mjtGeom, size: tuple[float, ...]) -> float:
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return float(8 * np.prod(size))
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        return float(4 / 3 * np.pi * size[0] ** 3)
    return float(2 * np.pi * size[0] ** 2 * size[1])
