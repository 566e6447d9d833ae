"""What the simulation needs to know of a robot hand: its URDF, joints, tips and motors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.resources import resource_path
from rejshand_ros.urdf import Urdf, read_urdf
from rejshand_ros.yaml_file import read_yaml

if TYPE_CHECKING:
    from rejshand_ros.retargeting.hand_parts import Coupling
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig


@dataclass(frozen=True)
class MotorConfig:
    """Physics of a hand beyond its URDF.

    Attributes:
        effort_limit_nm: No joint gives more than this, whatever the URDF says.
        saturation_rad: Position error at which a motor gives all it has: sets the stiffness.
        damping_ratio: Damping of the position loop; 1 is critical.
        armature_kgm2: Rotor inertia seen through the gear.
        joint_damping_nms: Passive friction of a joint, newton metres a radian a second.
        friction: Sliding friction of the hand's surface, at most 1.
        neighbour_depth: Links this many joints apart or fewer do not collide with each other.
    """

    effort_limit_nm: float = 5.0
    saturation_rad: float = 0.1
    damping_ratio: float = 0.7
    armature_kgm2: float = 0.0008
    joint_damping_nms: float = 0.005
    friction: float = 0.9
    neighbour_depth: int = 2

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"motor setting {setting.name} {value!r}: above zero is needed")
        if self.friction > 1:
            raise ConfigError(f"motor setting friction {self.friction} is above 1")


@dataclass(frozen=True)
class SimulatedHand:
    """A robot hand as the backends see it.

    Attributes:
        name: Hand and side.
        side: Its side.
        urdf: Its description.
        joint_names: (n,) in the order of commands.
        lower: (n,) radians.
        upper: (n,) radians.
        velocity: (n,) radians a second.
        effort: (n,) newton metres.
        rest: (n,) radians, where a reset puts the joints.
        tip_links: (t,) fingertip links, thumb first.
        couplings: Joints driven by others.
        operator_link: Link that carries the operator frame (wrist, z to the fingers, x out of the
            palm).
        operator_link_from_frame: Pose of the operator frame in it.
        motor: Physics beyond the URDF.
    """

    name: str
    side: Side
    urdf: Urdf
    joint_names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    effort: Array
    rest: Array
    tip_links: tuple[str, ...]
    couplings: tuple[Coupling, ...]
    operator_link: str
    operator_link_from_frame: RigidTransform
    motor: MotorConfig


def load_motor(hand: str) -> MotorConfig:
    """Settings from config/simulation/<hand>.yaml; the defaults for a hand without such a file.

    Raises:
        ConfigError: An unknown key or a value out of range.
    """
    try:
        path: Path = resource_path(f"config/simulation/{hand}.yaml")
    except ConfigError:
        return MotorConfig()
    values = read_yaml(path) or {}
    known = [setting.name for setting in fields(MotorConfig)]
    for key in values:
        if key not in known:
            raise unknown_choice(f"setting in {path.name}", key, known)
    return MotorConfig(**values)


def simulated_hand(robot: RobotHandConfig) -> SimulatedHand:
    """Bring a hand's configuration and its URDF together.

    Raises:
        ConfigError: Joints or tips that the URDF lacks.
        ModelFileError: The URDF is missing or wrong.
    """
    urdf = read_urdf(Path(robot.urdf_path))
    urdf.check_meshes()
    name = f"{robot.hand} {robot.side}"
    _check_joints(name, tuple(robot.joint_names), tuple(urdf.joints))
    tips = tuple(robot.fingertip_links.values())
    missing = [tip for tip in tips if tip not in urdf.links]
    if missing:
        raise ConfigError(
            f"hand {name}: tip links {', '.join(missing)} are not in its URDF, which has "
            f"{', '.join(urdf.links)}"
        )
    motor = load_motor(robot.hand)
    effort = np.array([urdf.joints[joint].effort for joint in robot.joint_names])
    effort = np.fmin(effort, motor.effort_limit_nm)
    return SimulatedHand(
        name=name,
        side=robot.side,
        urdf=urdf,
        joint_names=tuple(robot.joint_names),
        lower=np.asarray(robot.lower, float),
        upper=np.asarray(robot.upper, float),
        velocity=np.asarray(robot.velocity, float),
        effort=effort,
        rest=np.clip(np.asarray(robot.rest, float), robot.lower, robot.upper),
        tip_links=tips,
        couplings=robot.couplings,
        operator_link=robot.operator_link,
        operator_link_from_frame=robot.operator_link_from_frame,
        motor=motor,
    )


def checked_positions(hand: SimulatedHand, positions: ArrayLike, what: str) -> Array:
    """Joint positions (n,) moved inside the limits.

    Raises:
        InputError: Another number of joints, or a value that is not finite.
    """
    values = np.array(positions, float)
    if values.shape != (len(hand.joint_names),):
        raise InputError(
            f"{what} has shape {values.shape}; {hand.name} has {len(hand.joint_names)} joints: "
            f"{', '.join(hand.joint_names)}"
        )
    if not np.all(np.isfinite(values)):
        bad = hand.joint_names[int(np.argmin(np.isfinite(values)))]
        raise InputError(f"{what} of joint {bad} is not a finite number")
    return np.clip(values, hand.lower, hand.upper)


def _check_joints(hand: str, wanted: tuple[str, ...], urdf: tuple[str, ...]) -> None:
    """Refuse a hand whose joints are not those of its URDF.

    Raises:
        ConfigError: Joints that the URDF lacks, named beside those that it has.
    """
    unknown = [name for name in wanted if name not in urdf]
    if unknown:
        raise ConfigError(
            f"hand {hand}: joints {', '.join(unknown)} are not in its URDF, which has "
            f"{', '.join(urdf)}"
        )
