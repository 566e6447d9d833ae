"""What a URDF says: links with their shapes, joints with their limits; checked when read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rejshand_ros.errors import ConfigError, ModelFileError, unknown_choice
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.resources import named_by

_SHAPES = ("box", "cylinder", "sphere", "capsule", "mesh")
_MOVABLE = ("revolute", "prismatic")
_FIXED = "fixed"
_LIMITS = ("lower", "upper", "velocity", "effort")


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
    """One movable joint.

    Attributes:
        name: Name.
        parent: Link it hangs on.
        child: Link it carries.
        lower: Radians (metres if prismatic).
        upper: Radians (metres).
        velocity: Radians (metres) a second.
        effort: Newton metres (newtons).
    """

    name: str
    parent: str
    child: str
    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class UrdfMount:
    """What a link hangs on.

    Attributes:
        joint: Name of the joint between them.
        moves: Whether the joint moves.
        parent: The link nearer to the root.
    """

    joint: str
    moves: bool
    parent: str


@dataclass(frozen=True)
class Urdf:
    """A robot description: a tree of links.

    Attributes:
        path: The file.
        root_link: The link that is nobody's child.
        links: By name, in the file's order.
        joints: Movable joints by name, in the file's order.
        mounts: What each link hangs on, but the root.
    """

    path: Path
    root_link: str
    links: dict[str, UrdfLink]
    joints: dict[str, UrdfJoint]
    mounts: dict[str, UrdfMount]

    def joints_above(self, link: str) -> tuple[str, ...]:
        """Movable joints from the root down to a link."""
        chain: list[str] = []
        while link in self.mounts:
            mount = self.mounts[link]
            if mount.moves:
                chain.append(mount.joint)
            link = mount.parent
        return tuple(reversed(chain))

    def check_link(self, name: str, where: str) -> str:
        """The name, if there is such a link.

        Raises:
            ConfigError: There is none.
        """
        if name not in self.links:
            raise unknown_choice(f"link in {where}", name, self.links)
        return name

    def check_joint(self, name: str, where: str) -> str:
        """The name, if there is such a movable joint.

        Raises:
            ConfigError: There is none.
        """
        if name not in self.joints:
            raise unknown_choice(f"joint in {where}", name, self.joints)
        return name

    def check_meshes(self) -> None:
        """See that every mesh is there; only who shows or simulates shapes needs them.

        Raises:
            ModelFileError: One is not.
        """
        for link in self.links.values():
            for shape in (*link.visuals, *link.collisions):
                if shape.mesh is not None and not shape.mesh.is_file():
                    raise ModelFileError(
                        f"URDF {self.path}: mesh {shape.mesh} of link {link.name} is missing"
                    )


@lru_cache(maxsize=16)
def read_urdf(path: Path) -> Urdf:
    """Read and check a URDF.

    Raises:
        ModelFileError: Missing file, no URDF, a joint of a kind that is not supported, without
            limits or with reversed ones, or links that do not form a single tree.
    """
    try:
        robot = ElementTree.parse(path).getroot()
    except OSError as error:
        raise ModelFileError(f"URDF {path}: {error.strerror}") from None
    # A declaration may name an encoding that nobody knows, or one of several bytes a letter.
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ModelFileError(f"URDF {path} is not XML: {error}") from None
    if robot.tag != "robot":
        raise ModelFileError(f"URDF {path} starts with <{robot.tag}>; <robot> is needed")
    try:
        colours = {
            material.get("name", ""): colour
            for material in robot.findall("material")
            if (colour := _colour(material)) is not None
        }
        links = {_name(tag): _read_link(tag, path, colours) for tag in robot.findall("link")}
        mounts: dict[str, UrdfMount] = {}
        joints: dict[str, UrdfJoint] = {}
        for tag in robot.findall("joint"):
            child, mount = _read_mount(tag, links)
            if child in mounts:
                raise ValueError(f"link {child} hangs on {mounts[child].joint} and {mount.joint}")
            mounts[child] = mount
            if mount.moves:
                joints[mount.joint] = _read_joint(tag, mount, child)
        root = _root(links, mounts)
    except (ValueError, ConfigError) as error:
        raise ModelFileError(f"URDF {path}: {error}") from None
    return Urdf(path, root, links, joints, mounts)


def _root(links: dict[str, UrdfLink], mounts: dict[str, UrdfMount]) -> str:
    roots = [name for name in links if name not in mounts]
    if len(roots) != 1:
        raise ValueError(f"root links are {', '.join(roots) or 'none'}; one is needed")
    for name in links:
        above, steps = name, 0
        while above != roots[0]:
            above, steps = mounts[above].parent, steps + 1
            if steps > len(links):
                raise ValueError(f"link {name} hangs in a loop, not in a tree")
    return roots[0]


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
        mesh = named_by(path, name).resolve()
    else:
        size = _numbers(f"{shape.get('radius', '')} {shape.get('length', '')}", 2)
    material = tag.find("material")
    colour = None if material is None else _colour(material)
    if colour is None and material is not None:
        colour = colours.get(material.get("name", ""))
    return UrdfShape(shape.tag, size, _pose(tag), mesh, colour)


def _read_mount(tag: ElementTree.Element, links: dict[str, UrdfLink]) -> tuple[str, UrdfMount]:
    """The link that a joint carries, and what that link hangs on."""
    name, kind = _name(tag), tag.get("type", "")
    if kind not in (*_MOVABLE, _FIXED):
        raise ValueError(f"joint {name} is {kind!r}; valid: {', '.join((*_MOVABLE, _FIXED))}")
    ends = []
    for key in ("parent", "child"):
        found = tag.find(key)
        link = "" if found is None else found.get("link", "")
        if link not in links:
            raise ValueError(f"joint {name} names no link {link!r}")
        ends.append(link)
    return ends[1], UrdfMount(name, kind in _MOVABLE, ends[0])


def _read_joint(tag: ElementTree.Element, mount: UrdfMount, child: str) -> UrdfJoint:
    limit = tag.find("limit")
    # The two positions default to zero, as URDF has it.
    given = {"lower": "0", "upper": "0"} | ({} if limit is None else limit.attrib)
    try:
        values = {key: _numbers(given[key], 1)[0] for key in _LIMITS}
    except (KeyError, ValueError):
        raise ValueError(f"joint {mount.joint} lacks limits ({', '.join(_LIMITS)})") from None
    if not values["lower"] < values["upper"]:
        raise ValueError(
            f"limits of joint {mount.joint} are reversed or missing: {values['lower']:g} to "
            f"{values['upper']:g}"
        )
    return UrdfJoint(mount.joint, mount.parent, child, **values)


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
