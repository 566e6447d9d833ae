"""What a hand's YAML needs to know of its URDF, read without pinocchio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as Xml

from rejshand_ros.errors import ModelFileError, unknown_choice

_MOVABLE = ("revolute", "prismatic")
_STILL = ("fixed",)


@dataclass(frozen=True)
class UrdfJoint:
    """A movable joint's limits.

    Attributes:
        name: Its name.
        parent: Link nearer to the root.
        child: Link that it moves.
        lower: Radians (metres if prismatic).
        upper: Radians (metres).
        velocity: Radians a second.
        effort: Newton metres.
    """

    name: str
    parent: str
    child: str
    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class UrdfFacts:
    """Links and movable joints of a URDF.

    Attributes:
        path: The file.
        root_link: The link that is nobody's child.
        links: Names.
        joints: Movable joints by name, in the file's order.
        parents: Link -> (joint's name, whether it moves, parent link).
    """

    path: Path
    root_link: str
    links: tuple[str, ...]
    joints: dict[str, UrdfJoint]
    parents: dict[str, tuple[str, bool, str]]

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

    def joints_above(self, link: str) -> tuple[str, ...]:
        """Movable joints from the root down to a link."""
        chain: list[str] = []
        while link != self.root_link:
            joint, moves, link = self.parents[link]
            if moves:
                chain.append(joint)
        return tuple(reversed(chain))


@lru_cache(maxsize=16)
def read_urdf(path: Path) -> UrdfFacts:
    """Read a URDF.

    Raises:
        ModelFileError: The file is missing, no URDF, has joints without limits or of a kind that
            is not supported, or is no tree.
    """
    try:
        robot = Xml.parse(path).getroot()
    except OSError as error:
        raise ModelFileError(f"URDF {path}: {error.strerror}") from None
    except Xml.ParseError as error:
        raise ModelFileError(f"URDF {path} is not XML: {error}") from None
    links = tuple(link.get("name", "") for link in robot.findall("link"))
    joints: dict[str, UrdfJoint] = {}
    parents: dict[str, tuple[str, bool, str]] = {}
    for element in robot.findall("joint"):
        name, kind = element.get("name", ""), element.get("type", "")
        parent, child = _link(element, "parent", path), _link(element, "child", path)
        if parent not in links or child not in links or child in parents:
            raise ModelFileError(f"URDF {path.name}: joint {name} joins unknown or joined links")
        parents[child] = (name, kind in _MOVABLE, parent)
        if kind in _STILL:
            continue
        if kind not in _MOVABLE:
            raise ModelFileError(
                f"URDF {path.name}: joint {name} is {kind!r}; valid: "
                f"{', '.join((*_MOVABLE, *_STILL))}"
            )
        limit = element.find("limit")
        try:
            values = {
                key: float(limit.get(key, "0" if key in ("lower", "upper") else ""))  # type: ignore[union-attr]
                for key in ("lower", "upper", "velocity", "effort")
            }
        except (AttributeError, ValueError):
            raise ModelFileError(
                f"URDF {path.name}: joint {name} lacks limits (lower, upper, velocity, effort)"
            ) from None
        if not values["lower"] < values["upper"]:
            raise ModelFileError(
                f"URDF {path.name}: joint {name} has limits {values['lower']:g} to "
                f"{values['upper']:g}; the lower one must be less"
            )
        joints[name] = UrdfJoint(name=name, parent=parent, child=child, **values)
    roots = [link for link in links if link not in parents]
    if len(roots) != 1:
        raise ModelFileError(f"URDF {path.name} has {len(roots)} root links; one is needed")
    for link in links:
        above, steps = link, 0
        while above != roots[0]:
            above, steps = parents[above][2], steps + 1
            if steps > len(links):
                raise ModelFileError(f"URDF {path.name}: link {link} hangs in a loop, not a tree")
    return UrdfFacts(path, roots[0], links, joints, parents)


def _link(joint: Xml.Element, kind: str, path: Path) -> str:
    element = joint.find(kind)
    if element is None or not element.get("link"):
        raise ModelFileError(f"URDF {path.name}: joint {joint.get('name')} lacks its {kind} link")
    return str(element.get("link"))
