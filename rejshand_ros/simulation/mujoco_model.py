"""A hand's URDF and a scene made into one MuJoCo model."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from itertools import combinations

import mujoco
import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import RigidTransform, quaternion_from_rotation
from rejshand_ros.simulation.hand import SimulatedHand
from rejshand_ros.simulation.mujoco_objects import add_object, add_table
from rejshand_ros.simulation.scene import SceneConfig

MOUNT = "hand_mount"
CARRIER = "hand_carrier"
TIMESTEP_S = 0.002

# Bits of contact: hand and objects and table collide with everything.
_HAND_BITS = 1
_EVERYTHING = 3


@dataclass(frozen=True)
class MujocoScene:
    """A compiled model and where to find things in it.

    Attributes:
        model: The model.
        qpos: (n,) position addresses of the hand's joints, in the order of its names.
        qvel: (n,) velocity addresses.
        actuators: (n,) actuator of each joint, -1 where a coupling drives it.
        tip_bodies: (t,) body whose contacts count for each fingertip.
        mount: Body of the hand's root link.
        carrier: Index of the moved base's target; -1 for a fixed base.
        objects: Name -> body.
        root_from_wrist: Pose of the operator frame at rest in the frame of the root link.
    """

    model: mujoco.MjModel
    qpos: np.ndarray
    qvel: np.ndarray
    actuators: np.ndarray
    tip_bodies: tuple[int, ...]
    mount: int
    carrier: int
    objects: dict[str, int]
    root_from_wrist: RigidTransform


def build_mujoco(hand: SimulatedHand, scene: SceneConfig) -> MujocoScene:
    """Build the model of a hand in a scene.

    Raises:
        ModelFileError: MuJoCo does not accept the URDF.
    """
    # Twice: the first model tells which links touch at rest and how heavy each joint is to move.
    draft = _specify(hand, SceneConfig(gravity=False), [], None, RigidTransform())
    data = mujoco.MjData(draft)
    _place(draft, data, hand)
    pairs = _touching(draft, data) | _neighbours(draft, hand.motor.neighbour_depth)
    wrist = draft.body(hand.operator_link).id
    root_from_wrist = (
        RigidTransform(data.xmat[wrist].reshape(3, 3).copy(), data.xpos[wrist].copy())
        @ hand.operator_link_from_frame
    )
    start = scene.base.world_from_base @ root_from_wrist.inverse()
    model = _specify(hand, scene, sorted(pairs), _inertia(draft, data, hand), start)
    return _index(model, hand, scene, root_from_wrist)


def _specify(
    hand: SimulatedHand,
    scene: SceneConfig,
    excluded: list[tuple[str, str]],
    inertia: np.ndarray | None,
    world_from_root: RigidTransform,
) -> mujoco.MjModel:
    """Compile the hand in the scene; without `inertia` it has no motors yet."""
    spec = _hand_spec(hand, scene.base.moved, world_from_root)
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
    try:
        for index, (first, second) in enumerate(excluded):
            spec.add_exclude(name=f"exclude_{index}", bodyname1=first, bodyname2=second)
        for coupling in hand.couplings:
            spec.add_equality(
                name=f"{coupling.joint}_follows",
                type=mujoco.mjtEq.mjEQ_JOINT,
                objtype=mujoco.mjtObj.mjOBJ_JOINT,
                name1=coupling.joint,
                name2=coupling.leader,
                data=[coupling.offset_rad, coupling.ratio, *[0.0] * 10],
                solref=[0.01, 1.0],
            )
        if inertia is not None:
            _add_motors(spec, hand, inertia)
        return spec.compile()
    except ValueError as error:
        raise ModelFileError(
            f"URDF {hand.urdf.path} cannot be simulated: {' '.join(str(error).split())}"
        ) from None


def _hand_spec(hand: SimulatedHand, moved: bool, start: RigidTransform) -> mujoco.MjSpec:
    """The URDF's tree below a body that can be carried, which starts at a pose in the world."""
    try:
        spec = mujoco.MjSpec.from_string(_with_mount(hand))
    except ValueError as error:
        raise ModelFileError(
            f"URDF {hand.urdf.path} cannot be read by MuJoCo: {' '.join(str(error).split())}"
        ) from None
    spec.modelname = hand.name
    for body in spec.bodies:
        for geom in body.geoms:
            geom.contype = _HAND_BITS
            geom.conaffinity = _EVERYTHING
            geom.condim = 4
            geom.friction = [hand.motor.friction, 0.005, 0.0001]
            geom.rgba = [0.25, 0.25, 0.28, 1.0]
    for joint in spec.joints:
        joint.armature = hand.motor.armature_kgm2
        joint.damping = [hand.motor.joint_damping_nms, 0, 0]
    mount = spec.body(MOUNT)
    mount.pos, mount.quat = start.translation, wxyz(start)
    if moved:
        mount.add_freejoint(name="hand_base")
        carrier = spec.worldbody.add_body(name=CARRIER, mocap=True)
        carrier.pos, carrier.quat = start.translation, wxyz(start)
        # The weld stands for the arm's flange; nothing else in a scene is welded.
        spec.add_equality(
            name="flange",
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=CARRIER,
            name2=MOUNT,
            data=[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1.0, 0],
            solref=[0.01, 1.0],
            solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
        )
    return spec


def _with_mount(hand: SimulatedHand) -> str:
    """The URDF below one more link: a body at the top, with a known name, that can be carried."""
    tree = ElementTree.parse(hand.urdf.path).getroot()
    ElementTree.SubElement(tree, "link", name=MOUNT)
    joint = ElementTree.SubElement(tree, "joint", name="hand_mount_joint", type="fixed")
    ElementTree.SubElement(joint, "parent", link=MOUNT)
    ElementTree.SubElement(joint, "child", link=hand.urdf.root_link)
    # To MuJoCo a link of this name is the world itself, which nothing carries.
    for tag in tree.iter():
        if tag.tag == "link" and tag.get("name") == "world":
            tag.set("name", "hand_world")
        if tag.tag in ("parent", "child") and tag.get("link") == "world":
            tag.set("link", "hand_world")
    for tag in tree.findall("mujoco"):
        tree.remove(tag)
    options = ElementTree.SubElement(ElementTree.SubElement(tree, "mujoco"), "compiler")
    options.attrib.update(
        fusestatic="false",
        balanceinertia="true",
        discardvisual="true",
        strippath="false",
        meshdir=str(hand.urdf.path.parent),
        boundmass="0.0001",
        boundinertia="0.0000001",
    )
    return ElementTree.tostring(tree, encoding="unicode")


def _add_motors(spec: mujoco.MjSpec, hand: SimulatedHand, inertia: np.ndarray) -> None:
    """Position actuators whose stiffness and damping fit each joint's effort and inertia."""
    driven = {coupling.joint for coupling in hand.couplings}
    for index, name in enumerate(hand.joint_names):
        if name in driven:
            continue
        effort = float(hand.effort[index])
        stiffness = effort / hand.motor.saturation_rad
        # What the loop moves; the rest of the damping comes from the joint itself.
        damping = 2.0 * hand.motor.damping_ratio * np.sqrt(stiffness * float(inertia[index]))
        motor = spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcelimited=True,
            forcerange=[-effort, effort],
            ctrllimited=True,
            ctrlrange=[float(hand.lower[index]), float(hand.upper[index])],
        )
        motor.set_to_position(kp=stiffness, kv=float(damping))


def _place(model: mujoco.MjModel, data: mujoco.MjData, hand: SimulatedHand) -> None:
    """Put the hand's joints at rest."""
    for name, value in zip(hand.joint_names, hand.rest, strict=True):
        data.qpos[model.joint(name).qposadr[0]] = value
    mujoco.mj_forward(model, data)


def _inertia(model: mujoco.MjModel, data: mujoco.MjData, hand: SimulatedHand) -> np.ndarray:
    """(n,) kg m^2 that each joint moves at rest, rotor included."""
    full = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, full)
    return np.array([full[i, i] for i in (model.joint(n).dofadr[0] for n in hand.joint_names)])


def _touching(model: mujoco.MjModel, data: mujoco.MjData) -> set[tuple[str, str]]:
    """Pairs of links whose shapes overlap at rest: they would push each other apart for ever."""
    pairs = set()
    for contact in data.contact[: data.ncon]:
        first, second = (model.body(model.geom_bodyid[g]).name for g in contact.geom)
        if contact.dist < 0 and first != second:
            pairs.add((min(first, second), max(first, second)))
    return pairs


def _neighbours(model: mujoco.MjModel, depth: int) -> set[tuple[str, str]]:
    """Pairs of links that at most `depth` joints separate along one chain."""
    pairs = set()
    shaped = [body for body in range(1, model.nbody) if model.body_geomnum[body]]
    for first, second in combinations(shaped, 2):
        body, joints = second, 0
        while body > 0 and body != first and joints <= depth:
            joints += int(model.body_jntnum[body])
            body = int(model.body_parentid[body])
        if body == first and joints <= depth:
            names = sorted((model.body(first).name, model.body(second).name))
            pairs.add((names[0], names[1]))
    return pairs


def _index(
    model: mujoco.MjModel, hand: SimulatedHand, scene: SceneConfig, root_from_wrist: RigidTransform
) -> MujocoScene:
    """Look up addresses once."""
    actuators = [
        mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name) for name in hand.joint_names
    ]
    return MujocoScene(
        model=model,
        qpos=np.array([model.joint(name).qposadr[0] for name in hand.joint_names]),
        qvel=np.array([model.joint(name).dofadr[0] for name in hand.joint_names]),
        actuators=np.array(actuators),
        tip_bodies=tuple(_shaped_body(model, hand, tip) for tip in hand.tip_links),
        mount=model.body(MOUNT).id,
        carrier=int(model.body_mocapid[model.body(CARRIER).id]) if scene.base.moved else -1,
        objects={item.name: model.body(item.name).id for item in scene.objects},
        root_from_wrist=root_from_wrist,
    )


def _shaped_body(model: mujoco.MjModel, hand: SimulatedHand, link: str) -> int:
    """The body of a link, or the nearest one towards the root that has a shape to touch with."""
    body = model.body(link).id
    while body > 0 and not model.body_geomnum[body]:
        body = int(model.body_parentid[body])
    if body == 0:
        raise ModelFileError(f"hand {hand.name}: no link towards tip {link} has a collision shape")
    return int(body)


def wxyz(pose: RigidTransform) -> np.ndarray:
    """MuJoCo's quaternion (w, x, y, z) of a pose."""
    return np.roll(quaternion_from_rotation(pose.rotation), 1)
