"""What stands around a simulated hand: a table, objects, and how the hand's base is carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.resources import resource_path
from rejshand_ros.urdf import rotation_from_rpy
from rejshand_ros.yaml_file import is_finite, read_yaml

Triple = tuple[float, float, float]
T = TypeVar("T")

SHAPES = {"box": 3, "ball": 1, "cylinder": 2, "mug": 2}
"""Shape of an object -> how many numbers its size has."""


@dataclass(frozen=True)
class ObjectConfig:
    """An object that lies free in the scene.

    Attributes:
        name: Unique name.
        shape: "box", "ball", "cylinder" or "mug".
        size_m: Box edges (3,); ball (diameter,); cylinder and mug (diameter, height), upright.
        mass_kg: Mass.
        position_m: Where its middle starts, world frame.
        rpy_rad: Its attitude at the start.
        friction: Coefficient of sliding friction, at most 1.
        colour: RGB 0..1.
    """

    name: str
    shape: str
    size_m: tuple[float, ...]
    mass_kg: float = 0.1
    position_m: Triple = (0.0, 0.0, 0.0)
    rpy_rad: Triple = (0.0, 0.0, 0.0)
    friction: float = 0.8
    colour: Triple = (0.85, 0.45, 0.2)

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise unknown_choice("object shape", self.shape, SHAPES)
        if len(self.size_m) != SHAPES[self.shape] or min(self.size_m) <= 0:
            raise ConfigError(
                f"object {self.name}: size_m {list(self.size_m)}; a {self.shape} has "
                f"{SHAPES[self.shape]} sizes above zero"
            )
        if not self.mass_kg > 0:
            raise ConfigError(f"object {self.name}: mass_kg {self.mass_kg} must be above zero")
        if not 0 < self.friction <= 1:
            raise ConfigError(f"object {self.name}: friction {self.friction} is outside 0..1")

    @property
    def world_from_object(self) -> RigidTransform:
        """Pose at the start."""
        return RigidTransform(rotation_from_rpy(*self.rpy_rad), np.array(self.position_m))


@dataclass(frozen=True)
class TableConfig:
    """A table: a box whose top is level.

    Attributes:
        top_m: Height of the top, world frame.
        centre_m: Middle of the top (x, y).
        size_m: Edges of the top (x, y).
        friction: Coefficient of sliding friction, at most 1.
    """

    top_m: float = 0.0
    centre_m: tuple[float, float] = (0.0, 0.0)
    size_m: tuple[float, float] = (0.8, 0.8)
    friction: float = 0.8

    def __post_init__(self) -> None:
        if min(self.size_m) <= 0 or not 0 < self.friction <= 1:
            raise ConfigError(
                f"table size_m {list(self.size_m)}, friction {self.friction}: sizes above zero "
                "and friction within 0..1 are needed"
            )


@dataclass(frozen=True)
class BaseConfig:
    """How the hand is carried, told by its operator frame (z to the fingers, x out of the palm).

    Attributes:
        moved: True lets `set_base_pose` move it; otherwise it is fixed.
        position_m: Where it starts, world frame; for a pair, the middle between both.
        rpy_rad: Its attitude at the start.
        apart_m: Between the bases of a pair, along the world's y: the left hand at more y.
    """

    moved: bool = False
    position_m: Triple = (0.0, 0.0, 0.0)
    rpy_rad: Triple = (0.0, 0.0, 0.0)
    apart_m: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.apart_m < float("inf"):
            raise ConfigError(f"base apart_m {self.apart_m} must be finite and above zero")

    @property
    def world_from_base(self) -> RigidTransform:
        """Pose at the start, of a hand alone."""
        return RigidTransform(rotation_from_rpy(*self.rpy_rad), np.array(self.position_m))


@dataclass(frozen=True)
class CameraPlace:
    """Where the simulated camera stands.

    Attributes:
        position_m: World frame; None for before the palm, a little above.
        look_at_m: Point in the middle of its picture; None for between hand and objects.
        fov_deg: Horizontal field of view.
    """

    position_m: Triple | None = None
    look_at_m: Triple | None = None
    fov_deg: float = 50.0

    def __post_init__(self) -> None:
        if not 5 <= self.fov_deg <= 150:
            raise ConfigError(f"camera fov_deg {self.fov_deg} is outside 5..150")
        for label in ("position_m", "look_at_m"):
            place = getattr(self, label)
            if place is not None and len(place) != 3:
                raise ConfigError(f"camera {label} {list(place)} is no point of three numbers")


@dataclass(frozen=True)
class SceneConfig:
    """A scene.

    Attributes:
        name: Name, for messages.
        base: The hand's base.
        table: The table, or None.
        objects: Objects, each with a name of its own.
        gravity: Whether things fall.
        camera: Where a simulated camera stands.
    """

    name: str = "free"
    base: BaseConfig = field(default_factory=BaseConfig)
    table: TableConfig | None = None
    objects: tuple[ObjectConfig, ...] = ()
    gravity: bool = True
    camera: CameraPlace = field(default_factory=CameraPlace)

    def __post_init__(self) -> None:
        names = [item.name for item in self.objects]
        if len(set(names)) != len(names):
            raise ConfigError(f"scene {self.name}: objects {', '.join(names)} share a name")

    def base_pose(self, side: Side, hands: int) -> RigidTransform:
        """Where the base of a hand starts: in the middle alone, to its side as one of a pair."""
        alone = self.base.world_from_base
        if hands == 1:
            return alone
        sideways = 0.5 * self.base.apart_m * (1.0 if side is Side.LEFT else -1.0)
        return RigidTransform(alone.rotation, alone.translation + np.array([0.0, sideways, 0.0]))


def scene_names() -> tuple[str, ...]:
    """Names of the scenes that ship with the project."""
    return tuple(sorted(path.stem for path in resource_path("config/scenes").glob("*.yaml")))


def load_scene(name: str) -> SceneConfig:
    """A shipped scene by name, or a YAML file of one's own by path.

    Raises:
        ConfigError: No such scene, an unknown key, or a value of the wrong kind.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"scene file {name} does not exist")
    elif name in scene_names():
        path = resource_path(f"config/scenes/{name}.yaml")
    else:
        raise unknown_choice("scene", name, scene_names())
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"scene file {path} holds no mapping of settings")
    return scene_from_mapping({"name": path.stem, **values})


def scene_from_mapping(values: Mapping[str, Any]) -> SceneConfig:
    """Build a scene from what its YAML says.

    Raises:
        ConfigError: An unknown key, or a value of the wrong kind.
    """
    parts = dict(values)
    label = f"scene {parts.get('name', '')}"
    if parts.get("base") is not None:
        parts["base"] = _build(BaseConfig, parts["base"], f"{label}: base")
    if parts.get("table") is not None:
        parts["table"] = _build(TableConfig, parts["table"], f"{label}: table")
    if parts.get("camera") is not None:
        parts["camera"] = _build(CameraPlace, parts["camera"], f"{label}: camera")
    if not isinstance(parts.get("objects") or (), list | tuple):
        raise ConfigError(f"{label}: objects {parts['objects']!r} is no list")
    parts["objects"] = tuple(
        _build(ObjectConfig, item, f"{label}: object") for item in parts.get("objects") or ()
    )
    return _build(SceneConfig, parts, label)


def _build(kind: type[T], values: Any, label: str) -> T:
    """A dataclass from a mapping, lists made tuples of floats, unknown keys refused."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{label} is {values!r}; a mapping is needed")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    ready: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise unknown_choice(f"{label} setting", key, known)
        if isinstance(value, list):
            if not all(map(is_finite, value)):
                raise ConfigError(f"{label}: {key} {value!r} is not a list of finite numbers")
            ready[key] = tuple(float(x) for x in value)
        else:
            ready[key] = value
    try:
        return kind(**ready)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{label}: {error}") from None
