"""Hands and a scene made into one MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.simulation.hand import SimulatedHand
from rejshand_ros.simulation.mujoco_hand import CARRIER, MOUNT, HandPart, build_hand, compiled
from rejshand_ros.simulation.mujoco_objects import add_object, add_table
from rejshand_ros.simulation.scene import SceneConfig

TIMESTEP_S = 0.002


@dataclass(frozen=True)
class HandPlaces:
    """Where to find one hand in the model.

    Attributes:
        qpos: (n,) position addresses of its joints, in the order of its names.
        qvel: (n,) velocity addresses.
        actuators: (n,) actuator of each joint, -1 where a coupling drives it.
        tip_bodies: (t,) body whose contacts count for each fingertip.
        mount: Body of its root link.
        carrier: Index of the moved base's target; -1 for a fixed base.
        root_from_wrist: Pose of the operator frame at rest in the frame of the root link.
    """

    qpos: np.ndarray
    qvel: np.ndarray
    actuators: np.ndarray
    tip_bodies: tuple[int, ...]
    mount: int
    carrier: int
    root_from_wrist: RigidTransform


@dataclass(frozen=True)
class MujocoScene:
    """A compiled model and where to find things in it.

    Attributes:
        model: The model; the names of a hand's parts begin with its side and a slash.
        hands: The hands, in the order in which they were given.
        objects: Name -> body.
    """

    model: mujoco.MjModel
    hands: tuple[HandPlaces, ...]
    objects: dict[str, int]


def build_mujoco(hands: Sequence[SimulatedHand], scene: SceneConfig) -> MujocoScene:
    """Build the model of a scene with its hands.

    Raises:
        ModelFileError: MuJoCo does not accept a URDF.
    """
    spec = _scene_spec(scene)
    parts = []
    for hand in hands:
        start = scene.base_pose(hand.side, len(hands))
        part = build_hand(hand, scene.base.moved, start)
        # The scene's own limits would else replace what the hand's URDF was read with.
        for setting in ("balanceinertia", "boundmass", "boundinertia"):
            setattr(spec.compiler, setting, getattr(part.spec.compiler, setting))
        spec.attach(part.spec, prefix=_prefix(hand), frame=spec.worldbody.add_frame())
        parts.append(part)
    model = compiled(spec, hands[0])
    places = [_places(model, hand, part) for hand, part in zip(hands, parts, strict=True)]
    objects = {item.name: model.body(item.name).id for item in scene.objects}
    return MujocoScene(model, tuple(places), objects)


def _prefix(hand: SimulatedHand) -> str:
    """Before every name of a hand's part in the model."""
    return f"{hand.side}/"


def _scene_spec(scene: SceneConfig) -> mujoco.MjSpec:
    """The scene without hands."""
    spec = mujoco.MjSpec()
    spec.modelname = scene.name
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Elliptic cones with stiff friction: a held object creeps far less.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.option.iterations = 30
    # A diverged state must be seen, not silently replaced by the start.
    spec.option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    spec.option.gravity = [0.0, 0.0, -9.81 if scene.gravity else 0.0]
    if scene.table is not None:
        add_table(spec, scene.table)
    for item in scene.objects:
        add_object(spec, item)
    return spec


def _places(model: mujoco.MjModel, hand: SimulatedHand, part: HandPart) -> HandPlaces:
    """Look up addresses once."""
    prefix = _prefix(hand)
    names = [prefix + name for name in hand.joint_names]
    carried = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, prefix + CARRIER)
    return HandPlaces(
        qpos=np.array([model.joint(name).qposadr[0] for name in names]),
        qvel=np.array([model.joint(name).dofadr[0] for name in names]),
        actuators=np.array(
            [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name) for name in names]
        ),
        tip_bodies=tuple(_shaped_body(model, hand, tip) for tip in hand.tip_links),
        mount=model.body(prefix + MOUNT).id,
        carrier=int(model.body_mocapid[carried]) if carried >= 0 else -1,
        root_from_wrist=part.root_from_wrist,
    )


def _shaped_body(model: mujoco.MjModel, hand: SimulatedHand, link: str) -> int:
    """The body of a link, or the nearest one towards the root that has a shape to touch with."""
    body = model.body(_prefix(hand) + link).id
    while body > 0 and not model.body_geomnum[body]:
        body = int(model.body_parentid[body])
    if body == 0:
        raise ModelFileError(f"hand {hand.name}: no link towards tip {link} has a collision shape")
    return int(body)
