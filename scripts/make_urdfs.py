"""Write the URDFs of the robot hands from files of facts, with primitive shapes only.

Joints, limits, masses and fingertips are the facts'; shapes are drawn here from the facts' sizes:
boxes stay boxes, and what was a mesh becomes a capsule (a cylinder with a sphere at each end).

    python scripts/make_urdfs.py facts/allegro_right.json facts/shadow_right.json --into urdf
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np

from rejshand_ros.geometry import Array

COLOURS = {
    "shell": (0.90, 0.89, 0.86),
    "carbon": (0.17, 0.19, 0.22),
    "steel": (0.47, 0.52, 0.58),
    "accent": (0.16, 0.47, 0.72),
    "pad": (0.93, 0.52, 0.26),
}
EFFORT_NM = {"allegro": 0.7}
"""What a hand's motors really give, where the facts' figure is a placeholder."""
LIGHT_LINK_KG = 1e-3
SMALL_RADIUS_M = 0.004


@dataclass(frozen=True)
class Shape:
    """A primitive in a link's frame.

    Attributes:
        kind: ``"box"``, ``"cylinder"`` or ``"sphere"``.
        size: Edges (3,), or radius and length, or radius; metres.
        xyz: Centre, metres.
        rpy: Fixed-axis angles, radians.
    """

    kind: str
    size: tuple[float, ...]
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def volume(self) -> float:
        """Cubic metres."""
        if self.kind == "box":
            return float(np.prod(self.size))
        if self.kind == "cylinder":
            return float(np.pi * self.size[0] ** 2 * self.size[1])
        return float(4 / 3 * np.pi * self.size[0] ** 3)

    def inertia(self) -> Array:
        """(3, 3) inertia about the centre for unit mass, in the link's axes, square metres."""
        if self.kind == "box":
            x, y, z = np.square(self.size)
            moments = np.array([y + z, x + z, x + y]) / 12
        elif self.kind == "cylinder":
            radius, length = self.size
            side = (3 * radius**2 + length**2) / 12
            moments = np.array([side, side, radius**2 / 2])
        else:
            moments = np.full(3, 0.4 * self.size[0] ** 2)
        turn = rotation_from_rpy(self.rpy)
        return np.asarray(turn @ np.diag(moments) @ turn.T)


def rotation_from_rpy(rpy: tuple[float, float, float]) -> Array:
    """Rotation (3, 3) of URDF's fixed-axis roll, pitch, yaw."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(rpy), np.cos(rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def collision_shapes(link: dict[str, Any]) -> list[Shape]:
    """The facts' primitives; a mesh's bounding box becomes the capsule that fills it."""
    shapes: list[Shape] = []
    for fact in link["collision"]:
        xyz, rpy = tuple(fact["xyz_m"]), tuple(fact["rpy_rad"])
        if fact["shape"] == "box":
            shapes.append(Shape("box", tuple(fact["size_m"]), xyz, rpy))
        elif fact["shape"] == "cylinder":
            shapes.append(Shape("cylinder", (fact["radius_m"], fact["length_m"]), xyz, rpy))
        elif fact["shape"] == "sphere":
            shapes.append(Shape("sphere", (fact["radius_m"],), xyz, rpy))
        else:
            low, high = np.add(fact["min_m"], xyz), np.add(fact["max_m"], xyz)
            shapes += capsule(low, high, forearm=link["name"] == "forearm")
    return shapes


def capsule(low: Array, high: Array, *, forearm: bool) -> Iterator[Shape]:
    """A capsule along z within a box from low (3,) to high (3,), metres."""
    x, y, z = (low + high) / 2
    # Half the mean width: the round shape then has about the volume of the tapered mesh.
    radius = float((high - low)[:2].mean() / 4 if forearm else (high - low)[:2].mean() / 2)
    if forearm:
        # The forearm's box encloses the motors' bulge; its trunk is about half as wide.
        yield Shape("cylinder", (1.5 * radius, float(high[2] - low[2])), (x, y, z))
        return
    bottom, top = float(low[2] + radius), float(high[2] - radius)
    if top - bottom > 1e-3:
        yield Shape("cylinder", (radius, top - bottom), (x, y, z))
        yield Shape("sphere", (radius,), (x, y, bottom))
        yield Shape("sphere", (radius,), (x, y, top))
    else:
        yield Shape("sphere", (radius,), (x, y, z))


def visual_shapes(hand: str, link: dict[str, Any]) -> list[tuple[Shape, str]]:
    """What is seen of a link: its collision shapes, dressed, with a colour each."""
    name = link["name"]
    shapes = collision_shapes(link)
    if hand == "allegro":
        return list(_allegro_visuals(name, shapes))
    if name == "forearm":
        return [
            (shapes[0], "carbon"),
            (Shape("cylinder", (0.045, 0.04), (0, -0.005, 0.19)), "steel"),
        ]
    if name in ("palm", "lfmetacarpal"):
        return [(shape, "shell") for shape in shapes]
    if name.endswith("knuckle") or name in ("thbase", "thhub", "wrist"):
        return [(shape, "steel") for shape in shapes]
    if name.endswith("distal"):
        return [(shape, "pad") for shape in shapes]
    ends = [
        Shape(
            "sphere",
            shape.size[:1],
            (shape.xyz[0], shape.xyz[1], shape.xyz[2] + sign * shape.size[1] / 2),
        )
        for shape in shapes
        if name.endswith("proximal") and shape.kind == "cylinder"
        for sign in (-1, 1)
    ]
    return [(shape, "carbon" if shape.kind == "cylinder" else "steel") for shape in shapes + ends]


def _allegro_visuals(name: str, shapes: list[Shape]) -> Iterator[tuple[Shape, str]]:
    if name == "base_link":
        for shape in shapes:
            yield shape, "shell"
        return
    if name.endswith("_tip"):
        for shape in shapes:
            yield shape, "pad"
        return
    for shape in shapes:
        # A motor's axle shows at both sides of the box that holds it, at the joint's end.
        x, y, z = shape.xyz
        yield shape, "carbon"
        if name in ("link_12.0",):
            continue
        bottom = z - shape.size[2] / 2
        yield (
            Shape(
                "cylinder",
                (0.0092, shape.size[1] + 0.003),
                (x, y, bottom + 0.008),
                (np.pi / 2, 0.0, 0.0),
            ),
            "steel",
        )
        if shape.size[2] > 0.03:
            yield (
                Shape(
                    "box", (shape.size[0] + 0.0016, 0.012, shape.size[2] * 0.5), (x, y, z + 0.004)
                ),
                "accent",
            )


def inertial(hand: str, link: dict[str, Any]) -> tuple[float, Array, Array] | None:
    """Mass (kg), centre of mass (3,) and inertia (3, 3) about it, physically possible ones.

    The Allegro facts put every centre of mass at the joint and give tensors that no body has, so
    those links are taken as solid shapes of the facts' mass; so are links without any inertia.
    """
    if "mass_kg" not in link:
        return None
    mass = max(link["mass_kg"], LIGHT_LINK_KG)
    terms = link["inertia"]
    tensor = np.array(
        [
            [terms["ixx"], terms["ixy"], terms["ixz"]],
            [terms["ixy"], terms["iyy"], terms["iyz"]],
            [terms["ixz"], terms["iyz"], terms["izz"]],
        ]
    )
    moments = np.linalg.eigvalsh(tensor)
    possible = moments[0] > 0 and moments[0] + moments[1] >= moments[2]
    if possible and hand != "allegro":
        return mass, np.array(link["com_xyz_m"]), tensor
    shapes = collision_shapes(link) or [Shape("sphere", (SMALL_RADIUS_M,), (0, 0, 0))]
    shares = np.array([shape.volume() for shape in shapes])
    shares /= shares.sum()
    centres = np.array([shape.xyz for shape in shapes])
    centre = shares @ centres
    tensor = np.zeros((3, 3))
    for share, shape, offset in zip(shares, shapes, centres - centre, strict=True):
        steiner = (offset @ offset) * np.eye(3) - np.outer(offset, offset)
        tensor += mass * share * (shape.inertia() + steiner)
    return mass, centre, tensor


def build_urdf(facts: dict[str, Any]) -> Xml.ElementTree:
    """The whole robot as XML."""
    hand, side = facts["hand"], facts["side"]
    robot = Xml.Element("robot", name=f"{hand}_{side}")
    for colour, rgb in COLOURS.items():
        material = Xml.SubElement(robot, "material", name=colour)
        Xml.SubElement(material, "color", rgba=_text((*rgb, 1.0)))
    for link in facts["links"]:
        _add_link(robot, hand, link)
    for joint in facts["joints"]:
        _add_joint(robot, hand, joint)
    tree = Xml.ElementTree(robot)
    Xml.indent(tree)
    return tree


def _add_link(robot: Xml.Element, hand: str, link: dict[str, Any]) -> None:
    element = Xml.SubElement(robot, "link", name=link["name"])
    body = inertial(hand, link)
    if body is not None:
        mass, centre, tensor = body
        part = Xml.SubElement(element, "inertial")
        Xml.SubElement(part, "origin", xyz=_text(centre), rpy="0 0 0")
        Xml.SubElement(part, "mass", value=_text([mass]))
        axes = "xyz"
        values = {
            f"i{axes[i]}{axes[j]}": _text([tensor[i, j]]) for i in range(3) for j in range(i, 3)
        }
        Xml.SubElement(part, "inertia", values)
    for shape, colour in visual_shapes(hand, link):
        Xml.SubElement(_add_shape(element, "visual", shape), "material", name=colour)
    for shape in collision_shapes(link):
        _add_shape(element, "collision", shape)


def _add_shape(link: Xml.Element, kind: str, shape: Shape) -> Xml.Element:
    part = Xml.SubElement(link, kind)
    Xml.SubElement(part, "origin", xyz=_text(shape.xyz), rpy=_text(shape.rpy))
    geometry = Xml.SubElement(part, "geometry")
    if shape.kind == "box":
        Xml.SubElement(geometry, "box", size=_text(shape.size))
    elif shape.kind == "cylinder":
        radius, length = shape.size
        Xml.SubElement(geometry, "cylinder", radius=_text([radius]), length=_text([length]))
    else:
        Xml.SubElement(geometry, "sphere", radius=_text(shape.size))
    return part


def _add_joint(robot: Xml.Element, hand: str, joint: dict[str, Any]) -> None:
    element = Xml.SubElement(robot, "joint", name=joint["name"], type=joint["type"])
    Xml.SubElement(element, "origin", xyz=_text(joint["xyz_m"]), rpy=_text(joint["rpy_rad"]))
    Xml.SubElement(element, "parent", link=joint["parent"])
    Xml.SubElement(element, "child", link=joint["child"])
    if joint["axis"] is not None:
        Xml.SubElement(element, "axis", xyz=_text(joint["axis"]))
    if joint["limit"] is not None:
        limit = dict(joint["limit"])
        limit["effort"] = EFFORT_NM.get(hand, limit["effort"])
        Xml.SubElement(element, "limit", {key: _text([value]) for key, value in limit.items()})
        Xml.SubElement(element, "dynamics", damping="0.02", friction="0.005")


def _text(values: Any) -> str:
    # Adding zero turns -0 into 0.
    return " ".join(f"{float(value) + 0.0:.12g}" for value in values)


def main(arguments: list[str] | None = None) -> int:
    """Write one URDF a facts file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("facts", nargs="+", type=Path, help="JSON files of facts")
    parser.add_argument("--into", type=Path, default=Path("urdf"), help="folder to write into")
    options = parser.parse_args(arguments)
    for path in options.facts:
        facts = json.loads(path.read_text())
        target = options.into / f"{facts['hand']}_{facts['side']}.urdf"
        build_urdf(facts).write(target, encoding="utf-8", xml_declaration=True)
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
