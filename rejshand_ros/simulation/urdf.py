"""What a URDF says: links with their shapes, joints with their limits; checked when read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array, RigidTransform

_SHAPES = ("box", "cylinder", "sphere", "capsule", "mesh")


@dataclass(frozen=True)
class UrdfShape:
    """One visual or collision shape.

    Attributes:
        kind: "box", "cylinder", "sphere", "capsule" or "mesh".
        size: Box edges (3,), cylinder and capsule (radius, length), sphere (radius,), mesh scale
            (3,); metres but for the scale.
        link_from_shape: Pose in the link's frame; cylinders lie along z.
        mesh: File of a mesh, as an absolute path; None for the rest.
        colour: RGBA 0..1 where the URDF gives one.
    """

    kind: str
    size: tuple[float, ...]
    link_from_shape: RigidTransform
    mesh: Path | None
    colour: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class UrdfLink:
    """One link: its name and shapes."""

    name: str
    visuals: tuple[UrdfShape, ...]
    collisions: tuple[UrdfShape, ...]


@dataclass(frozen=True)
class UrdfJoint:
    """One joint.

    Attributes:
        name: Name.
        kind: "revolute", "continuous", "prismatic" or "fixed".
        parent: Link it hangs on.
        child: Link it carries.
        lower: Radians; nan where not limited.
        upper: Radians; nan where not limited.
        effort: Newton metres; nan where not given.
        velocity: Radians a second; nan where not given.
    """

    name: str
    kind: str
    parent: str
    child: str
    lower: float
    upper: float
    effort: float
    velocity: float


@dataclass(frozen=True)
class Urdf:
    """A robot description.

    Attributes:
        path: The file.
        root: Name of the root link.
        links: By name, in the file's order.
        joints: By name, in the file's order.
    """

    path: Path
    root: str
    links: dict[str, UrdfLink]
    joints: dict[str, UrdfJoint]

    @property
    def movable(self) -> tuple[str, ...]:
        """Names of the joints that move, in the file's order."""
        return tuple(name for name, joint in self.joints.items() if joint.kind != "fixed")

    def parent_of(self, link: str) -> str | None:
        """The link above this one; None for the root."""
        return next((j.parent for j in self.joints.values() if j.child == link), None)


def read_urdf(path: Path) -> Urdf:
    """Read and check a URDF.

    Raises:
        ModelFileError: Missing file, no URDF, a missing mesh, reversed limits, a joint between
            links that do not exist, or no single root.
    """
    try:
        robot = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise ModelFileError(f"URDF {path} does not exist") from None
    except ElementTree.ParseError as error:
        raise ModelFileError(f"URDF {path} is not XML: {error}") from None
    if robot.tag != "robot":
        raise ModelFileError(f"URDF {path} starts with <{robot.tag}>; <robot> is needed")
    colours = {
        material.get("name", ""): colour
        for material in robot.findall("material")
        if (colour := _colour(material)) is not None
    }
    try:
        links = {_name(tag): _read_link(tag, path, colours) for tag in robot.findall("link")}
        joints = {_name(tag): _read_joint(tag) for tag in robot.findall("joint")}
    except ValueError as error:
        raise ModelFileError(f"URDF {path}: {error}") from None
    _check(path, links, joints)
    children = {joint.child for joint in joints.values()}
    roots = [name for name in links if name not in children]
    if len(roots) != 1:
        raise ModelFileError(f"URDF {path} has root links {', '.join(roots)}; one is needed")
    return Urdf(path, roots[0], links, joints)


def _check(path: Path, links: dict[str, UrdfLink], joints: dict[str, UrdfJoint]) -> None:
    for link in links.values():
        for shape in (*link.visuals, *link.collisions):
            if shape.mesh is not None and not shape.mesh.is_file():
                raise ModelFileError(f"URDF {path}: mesh {shape.mesh} of link {link.name} missing")
    for joint in joints.values():
        for end in (joint.parent, joint.child):
            if end not in links:
                raise ModelFileError(f"URDF {path}: joint {joint.name} names no link {end!r}")
        if joint.kind in ("revolute", "prismatic") and not joint.lower < joint.upper:
            raise ModelFileError(
                f"URDF {path}: limits of joint {joint.name} are reversed or missing "
                f"(lower {joint.lower:g}, upper {joint.upper:g})"
            )


def _name(tag: ElementTree.Element) -> str:
    name = tag.get("name")
    if not name:
        raise ValueError(f"a <{tag.tag}> has no name")
    return name


def _read_link(
    tag: ElementTree.Element, path: Path, colours: dict[str, tuple[float, float, float, float]]
) -> UrdfLink:
    visuals = tuple(_read_shape(shape, path, colours) for shape in tag.findall("visual"))
    collisions = tuple(_read_shape(shape, path, colours) for shape in tag.findall("collision"))
    return UrdfLink(_name(tag), visuals, collisions)


def _read_shape(
    tag: ElementTree.Element, path: Path, colours: dict[str, tuple[float, float, float, float]]
) -> UrdfShape:
    geometry = tag.find("geometry")
    shape = None if geometry is None else next(iter(geometry), None)
    if shape is None or shape.tag not in _SHAPES:
        raise ValueError(f"a <{tag.tag}> has no geometry of {', '.join(_SHAPES)}")
    mesh = None
    if shape.tag == "box":
        size = _numbers(shape.get("size", ""), 3)
    elif shape.tag == "sphere":
        size = _numbers(shape.get("radius", ""), 1)
    elif shape.tag == "mesh":
        size = _numbers(shape.get("scale", "1 1 1"), 3)
        name = shape.get("filename", "").split("://")[-1]
        mesh = (path.parent / name).resolve()
    else:
        size = _numbers(f"{shape.get('radius', '')} {shape.get('length', '')}", 2)
    material = tag.find("material")
    colour = None if material is None else _colour(material)
    if colour is None and material is not None:
        colour = colours.get(material.get("name", ""))
    return UrdfShape(shape.tag, size, _pose(tag), mesh, colour)


def _read_joint(tag: ElementTree.Element) -> UrdfJoint:
    limit = tag.find("limit")

    def bound(key: str) -> float:
        return float("nan") if limit is None else float(limit.get(key, "nan"))

    def end(key: str) -> str:
        found = tag.find(key)
        return "" if found is None else found.get("link", "")

    return UrdfJoint(
        _name(tag),
        tag.get("type", ""),
        end("parent"),
        end("child"),
        bound("lower"),
        bound("upper"),
        bound("effort"),
        bound("velocity"),
    )


def _colour(material: ElementTree.Element) -> tuple[float, float, float, float] | None:
    colour = material.find("color")
    if colour is None:
        return None
    red, green, blue, alpha = _numbers(colour.get("rgba", ""), 4)
    return red, green, blue, alpha


def _pose(tag: ElementTree.Element) -> RigidTransform:
    origin = tag.find("origin")
    if origin is None:
        return RigidTransform()
    roll, pitch, yaw = _numbers(origin.get("rpy", "0 0 0"), 3)
    translation = np.array(_numbers(origin.get("xyz", "0 0 0"), 3))
    return RigidTransform(rotation_from_rpy(roll, pitch, yaw), translation)


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Rotation (3, 3) of URDF's roll, pitch, yaw: about the fixed x, then y, then z, radians."""
    cr, sr, cp, sp = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch)
    cy, sy = np.cos(yaw), np.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _numbers(text: str, count: int) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split())
    if len(values) != count or not np.all(np.isfinite(values)):
        raise ValueError(f"{text!r} is not {count} finite numbers")
    return values
