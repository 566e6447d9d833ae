"""A hand's URDF made into a part of a MuJoCo model: motors, couplings, and how it is carried."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from itertools import combinations

import mujoco
import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import RigidTransform, quaternion_from_rotation
from rejshand_ros.simulation.hand import SimulatedHand

MOUNT = "hand_mount"
CARRIER = "hand_carrier"

# Bits of contact: hands and objects and table collide with everything.
_HAND_BITS = 1
_EVERYTHING = 3


@dataclass(frozen=True)
class HandPart:
    """A hand ready to be attached to a scene.

    Attributes:
        spec: Its bodies, joints, motors, couplings and exclusions, named as in the URDF.
        root_from_wrist: Pose of the operator frame at rest in the frame of the root link.
    """

    spec: mujoco.MjSpec
    root_from_wrist: RigidTransform


def build_hand(hand: SimulatedHand, moved: bool, world_from_base: RigidTransform) -> HandPart:
    """Build the part of a model that is the hand.

    Args:
        hand: The hand.
        moved: Whether its base can be carried; otherwise it stands still.
        world_from_base: Where its operator frame starts, wrist at rest.

    Raises:
        ModelFileError: MuJoCo does not accept the URDF.
    """
    # Twice: the first model tells which links touch at rest and how heavy each joint is to move.
    draft = compiled(_hand_spec(hand, False, RigidTransform()), hand)
    data = mujoco.MjData(draft)
    _place(draft, data, hand)
    wrist = draft.body(hand.operator_link).id
    root_from_wrist = (
        RigidTransform(data.xmat[wrist].reshape(3, 3).copy(), data.xpos[wrist].copy())
        @ hand.operator_link_from_frame
    )
    spec = _hand_spec(hand, moved, world_from_base @ root_from_wrist.inverse())
    pairs = _touching(draft, data) | _neighbours(draft, hand.motor.neighbour_depth)
    for index, (first, second) in enumerate(sorted(pairs)):
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
    _add_motors(spec, hand, _inertia(draft, data, hand))
    return HandPart(spec, root_from_wrist)


def compiled(spec: mujoco.MjSpec, hand: SimulatedHand) -> mujoco.MjModel:
    """The model of a specification.

    Raises:
        ModelFileError: MuJoCo does not accept it, which is put down to the hand's URDF.
    """
    try:
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


def wxyz(pose: RigidTransform) -> np.ndarray:
    """MuJoCo's quaternion (w, x, y, z) of a pose."""
    return np.roll(quaternion_from_rotation(pose.rotation), 1)
