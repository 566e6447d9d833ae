"""The parts of a robot hand's YAML and how each is read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.geometry import Array, RigidTransform, rotation_from_vector
from rejshand_ros.hand.keypoints import KEYPOINT_NAMES
from rejshand_ros.retargeting.fields import Fields
from rejshand_ros.urdf import Urdf

OBJECTIVES = ("vector", "position", "pinch")


@dataclass(frozen=True)
class Coupling:
    """A joint that follows another: position = ratio * leader + offset.

    Attributes:
        joint: The one that follows.
        leader: The one that leads.
        ratio: Radians a radian.
        offset_rad: Radians.
    """

    joint: str
    leader: str
    ratio: float
    offset_rad: float


@dataclass(frozen=True)
class Pad:
    """The ball at a fingertip with which it touches.

    Attributes:
        link: Link that carries it.
        centre: (3,) metres, in that link.
        radius_m: Metres.
    """

    link: str
    centre: Array
    radius_m: float


@dataclass(frozen=True)
class Finger:
    """A robot finger.

    Attributes:
        tip_link: Link at the very tip.
        pad: What touches in a pinch, or None.
    """

    tip_link: str
    pad: Pad | None


@dataclass(frozen=True)
class Term:
    """One vector that an objective asks for: from one link's origin to another's.

    Attributes:
        from_link: Link at the vector's start; None for the operator frame's origin.
        to_link: Link at its end.
        from_keypoint: Human keypoint at its start, 0..20.
        to_keypoint: Human keypoint at its end, 0..20.
        weight: Relative weight, above zero.
        scale: Robot metres for a human metre; None for the objective's own.
    """

    from_link: str | None
    to_link: str
    from_keypoint: int
    to_keypoint: int
    weight: float
    scale: float | None


@dataclass(frozen=True)
class PinchConfig:
    """When and how fingertips are brought together.

    Attributes:
        near_m: Human tips nearer than this pinch.
        far_m: A pinch lets go beyond this distance; between the two the hand-over is gradual.
        weight: Weight of the contact between thumb and finger, in units of one term.
        handover_s: Time over which a pinch takes hold or lets go, seconds.
    """

    near_m: float
    far_m: float
    weight: float
    handover_s: float


@dataclass(frozen=True)
class ObjectiveConfig:
    """What an objective asks.

    Attributes:
        kind: One of `OBJECTIVES`.
        scale: Robot metres for a human metre.
        huber_m: Beyond this error a term grows linearly only, metres.
        settling_s: Time constant with which joint targets follow its solution, seconds; they lag
            by twice as much.
        terms: Its vectors.
        pinch: For kind ``"pinch"``.
    """

    kind: str
    scale: float
    huber_m: float
    settling_s: float
    terms: tuple[Term, ...]
    pinch: PinchConfig | None


@dataclass(frozen=True)
class Capsule:
    """A ball swept along a segment, tied to a link.

    Attributes:
        name: Unique name.
        link: Link that carries it.
        start: (3,) metres, in that link.
        end: (3,) metres, in that link.
        radius_m: Metres.
    """

    name: str
    link: str
    start: Array
    end: Array
    radius_m: float


@dataclass(frozen=True)
class CollisionConfig:
    """Self-collision.

    Attributes:
        margin_m: Distance kept between the surfaces of two capsules, metres.
        capsules: The capsules.
        pairs: Index pairs that are kept apart.
    """

    margin_m: float
    capsules: tuple[Capsule, ...]
    pairs: tuple[tuple[int, int], ...]


def read_pose(fields: Fields) -> RigidTransform:
    """A pose from `xyz_m` and `rotation_rad` (axis times angle, radians), both optional."""
    return RigidTransform(
        rotation_from_vector(fields.vector("rotation_rad", (0.0, 0.0, 0.0))),
        fields.vector("xyz_m", (0.0, 0.0, 0.0)),
    )


def read_couplings(sections: Sequence[Fields], names: Sequence[str]) -> tuple[Coupling, ...]:
    """Couplings between the named joints; a leader may not itself follow."""
    couplings = []
    for section in sections:
        with section:
            coupling = Coupling(
                joint=section.text("joint"),
                leader=section.text("leader"),
                ratio=section.number("ratio", 1.0),
                offset_rad=section.number("offset_rad", 0.0),
            )
        for name in (coupling.joint, coupling.leader):
            if name not in names:
                raise unknown_choice("joint in couplings", name, names)
        couplings.append(coupling)
    followers = [coupling.joint for coupling in couplings]
    for coupling in couplings:
        if coupling.leader in followers or followers.count(coupling.joint) > 1:
            raise ConfigError(f"coupling of {coupling.joint} to {coupling.leader} is a chain")
        if coupling.ratio == 0.0:
            raise ConfigError(f"coupling of {coupling.joint} has ratio 0; use fixed_joints")
    return tuple(couplings)


def read_finger(section: Fields, name: str, urdf: Urdf) -> Finger:
    """A finger's tip link and pad."""
    with section.section(name) as fields:
        tip = urdf.check_link(fields.text("tip_link"), f"fingers.{name}")
        pad = None
        if fields.raw("pad", None) is not None:
            with fields.section("pad") as part:
                pad = Pad(
                    urdf.check_link(part.text("link"), f"fingers.{name}.pad"),
                    part.vector("centre_m"),
                    part.number("radius_m", above=0, most=0.1),
                )
    return Finger(tip, pad)


def read_objective(fields: Fields, kind: str, urdf: Urdf) -> ObjectiveConfig:
    """An objective's scale, Huber width, terms and pinches."""
    if kind not in OBJECTIVES:
        raise unknown_choice("objective", kind, OBJECTIVES)
    with fields:
        objective = ObjectiveConfig(
            kind=kind,
            scale=fields.number("scale", above=0, most=10),
            huber_m=fields.number("huber_m", 0.02, above=0, most=1),
            settling_s=fields.number("settling_s", 0.03, least=0, most=1),
            terms=tuple(_read_term(term, kind, urdf) for term in fields.sections("terms")),
            pinch=_read_pinch(fields.section("pinch")) if kind == "pinch" else None,
        )
        if not objective.terms:
            raise fields.fail("terms is empty; an objective needs at least one")
    return objective


def _read_term(fields: Fields, kind: str, urdf: Urdf) -> Term:
    with fields:
        where = f"objectives.{kind}.terms"
        start = None if kind == "position" else urdf.check_link(fields.text("from"), where)
        keypoints = fields.raw("keypoints")
        if not isinstance(keypoints, list) or len(keypoints) != 2:
            raise fields.fail(f"keypoints is {keypoints!r}; two names are needed")
        for name in keypoints:
            if name not in KEYPOINT_NAMES:
                raise unknown_choice(f"keypoint in {where}", name, KEYPOINT_NAMES)
        own_scale = fields.raw("scale", None)
        return Term(
            from_link=start,
            to_link=urdf.check_link(fields.text("to"), where),
            from_keypoint=KEYPOINT_NAMES.index(keypoints[0]),
            to_keypoint=KEYPOINT_NAMES.index(keypoints[1]),
            weight=fields.number("weight", 1.0, above=0),
            scale=None if own_scale is None else fields.number("scale", above=0, most=10),
        )


def _read_pinch(fields: Fields) -> PinchConfig:
    with fields:
        near = fields.number("near_m", 0.03, above=0, most=0.2)
        return PinchConfig(
            near_m=near,
            far_m=fields.number("far_m", 0.05, above=near, most=0.3),
            weight=fields.number("weight", 100.0, above=0),
            handover_s=fields.number("handover_s", 0.1, least=0, most=5),
        )


def read_collision(fields: Fields, urdf: Urdf) -> CollisionConfig | None:
    """Capsules and the pairs to keep apart.

    Two capsules are a pair unless at most `adjacent_joints` movable joints lie between their
    links, or `ignore` names both.
    """
    if fields.raw("collision", None) is None:
        return None
    with fields.section("collision") as section:
        margin = section.number("margin_m", 0.002, least=0, most=0.05)
        adjacent = section.number("adjacent_joints", 2, least=0)
        capsules = []
        for part in section.sections("capsules"):
            with part:
                capsules.append(
                    Capsule(
                        part.text("name"),
                        urdf.check_link(part.text("link"), "collision.capsules"),
                        part.vector("start_m"),
                        part.vector("end_m"),
                        part.number("radius_m", above=0, most=0.5),
                    )
                )
        names = [capsule.name for capsule in capsules]
        if len(set(names)) != len(names):
            raise ConfigError(f"collision.capsules: names must differ: {', '.join(names)}")
        ignored = set()
        for pair in section.raw("ignore", []):
            if not isinstance(pair, list) or len(pair) != 2 or not set(pair) <= set(names):
                raise unknown_choice("pair in collision.ignore", pair, names)
            ignored.add(frozenset(pair))
    pairs = []
    for i, first in enumerate(capsules):
        for j in range(i + 1, len(capsules)):
            second = capsules[j]
            above = [set(urdf.joints_above(capsule.link)) for capsule in (first, second)]
            between = len(above[0] ^ above[1])
            if between > adjacent and frozenset((first.name, second.name)) not in ignored:
                pairs.append((i, j))
    return CollisionConfig(margin, tuple(capsules), tuple(pairs))
