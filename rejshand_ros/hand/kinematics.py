"""Forward kinematics and skinning of the template hand, batched over poses.

Angles are zero in the template's rest pose. Each joint turns by its degrees of freedom in the
order of `DOFS`, the first one outermost, about axes that are fixed in the resting hand. Skinning
is linear blending over the bones and half-turned helper bones of `template.SKIN_BONE_COUNT`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, KEYPOINT_COUNT, PARENTS
from rejshand_ros.hand.template import JOINTS, HandTemplate


@dataclass(frozen=True)
class Dof:
    """One degree of freedom.

    Attributes:
        name: As in `index_mcp_flexion`.
        joint: Keypoint that turns.
        finger: 0 thumb .. 4 little finger.
        kind: `flexion` (closing), `abduction` (towards the thumb's side; the thumb: out of the
            palm) or `twist` (about the thumb metacarpal's own length, turning the pad to the
            fingers).
        lower: Least angle from rest, radians.
        upper: Greatest angle from rest, radians.
    """

    name: str
    joint: int
    finger: int
    kind: str
    lower: float
    upper: float


def _finger_dofs(number: int, finger: str, spread: tuple[float, float]) -> list[Dof]:
    first = 1 + 4 * number
    # Rest is bent by 6, 10 and 6 degrees already; ranges after the usual clinical ones: MCP
    # -25..90, PIP 0..110, DIP -5..80 degrees.
    return [
        Dof(f"{finger}_mcp_abduction", first, number, "abduction", *spread),
        Dof(f"{finger}_mcp_flexion", first, number, "flexion", -0.54, 1.50),
        Dof(f"{finger}_pip_flexion", first + 1, number, "flexion", -0.20, 1.75),
        Dof(f"{finger}_dip_flexion", first + 2, number, "flexion", -0.20, 1.30),
    ]


DOFS: tuple[Dof, ...] = (
    Dof("thumb_cmc_abduction", 1, 0, "abduction", -0.70, 0.45),
    Dof("thumb_cmc_flexion", 1, 0, "flexion", -0.50, 0.75),
    Dof("thumb_cmc_twist", 1, 0, "twist", -0.35, 0.50),
    Dof("thumb_mcp_abduction", 2, 0, "abduction", -0.20, 0.20),
    Dof("thumb_mcp_flexion", 2, 0, "flexion", -0.30, 0.95),
    Dof("thumb_ip_flexion", 3, 0, "flexion", -0.40, 1.35),
    *_finger_dofs(1, "index", (-0.30, 0.35)),
    *_finger_dofs(2, "middle", (-0.28, 0.25)),
    *_finger_dofs(3, "ring", (-0.25, 0.30)),
    *_finger_dofs(4, "little", (-0.40, 0.35)),
)
DOF_NAMES = tuple(dof.name for dof in DOFS)
DOF_COUNT = len(DOFS)
BONE_COUNT = len(BONES)

_BONE_OF_CHILD = {child: number for number, (_, child) in enumerate(BONES)}
# Fingers are alike chains: four bones each, so that one step turns all five at once.
_CHAIN = np.arange(1, KEYPOINT_COUNT).reshape(5, 4)


def joint_limits() -> Array:
    """Anatomical limits (22, 2) of the angles in the order of `DOF_NAMES`, radians from rest."""
    return np.array([(dof.lower, dof.upper) for dof in DOFS])


def dof_index(name: str) -> int:
    """Position of a degree of freedom by its name.

    Raises:
        InputError: No such name.
    """
    if name not in DOF_NAMES:
        raise InputError(f"unknown degree of freedom {name!r}; valid: {', '.join(DOF_NAMES)}")
    return DOF_NAMES.index(name)


@dataclass(frozen=True)
class HandParameters:
    """Shape and articulation of n hands.

    Attributes:
        angles: (n, 22) radians from rest, in the order of `DOF_NAMES`.
        bone_scales: (n, 20) length of each of `keypoints.BONES` over the template's.
        thickness: (n,) thickness over the template's.
    """

    angles: Array
    bone_scales: Array
    thickness: Array

    @classmethod
    def of(
        cls, angles: ArrayLike, bone_scales: ArrayLike = 1.0, thickness: ArrayLike | None = None
    ) -> HandParameters:
        """Broadcast angles (22,) or (n, 22), scales and thickness to n hands.

        Args:
            angles: Radians from rest.
            bone_scales: A number, (n, 1), (20,) or (n, 20).
            thickness: A number or (n,); by default each hand's mean bone scale.

        Raises:
            InputError: Shapes that do not fit, values that are not finite or not positive.
        """
        q = np.atleast_2d(np.asarray(angles, float))
        if q.ndim != 2 or q.shape[1] != DOF_COUNT:
            raise InputError(f"angles have shape {q.shape}; valid: (n, {DOF_COUNT})")
        try:
            scales = np.broadcast_to(np.asarray(bone_scales, float), (len(q), BONE_COUNT))
            thick = scales.mean(1) if thickness is None else np.asarray(thickness, float)
            thick = np.broadcast_to(thick, (len(q),))
        except ValueError as error:
            raise InputError(f"bone scales or thickness do not fit {len(q)} hands") from error
        if not (np.isfinite(q).all() and np.isfinite(scales).all() and np.isfinite(thick).all()):
            raise InputError("angles, bone scales and thickness must be finite")
        if (scales <= 0).any() or (thick <= 0).any():
            raise InputError("bone scales and thickness must be positive")
        return cls(q, scales, thick)


@dataclass(frozen=True)
class PosedHand:
    """Hands in their wrist frames.

    Attributes:
        vertices: (n, 778, 3) metres.
        keypoints: (n, 21, 3) metres.
    """

    vertices: Array
    keypoints: Array


@dataclass(frozen=True)
class PosedSkeleton:
    """Posed bones of n hands.

    Attributes:
        keypoints: (n, 21, 3) metres, wrist frame.
        bone_rotations: (n, 20, 3, 3) turn of each bone from rest.
        helper_rotations: (n, 15, 3, 3) turn of each joint's half-way helper.
    """

    keypoints: Array
    bone_rotations: Array
    helper_rotations: Array = field(repr=False)


def dof_axes(template: HandTemplate) -> Array:
    """Axes (22, 3) of the degrees of freedom in the resting hand's wrist frame."""
    table = {
        "flexion": template.flexion_axes,
        "abduction": template.abduction_axes,
        "twist": np.repeat(template.twist_axis[None], 5, axis=0),
    }
    return np.array([table[dof.kind][dof.finger] for dof in DOFS])


@cache
def _joint_dofs() -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(i for i, d in enumerate(DOFS) if d.joint == joint) for joint in JOINTS)


def rotation_about(axis: Array, angle: Array) -> Array:
    """Rotations (..., 3, 3) about unit axes (..., 3) by angles (...), radians."""
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    sine, versine = np.sin(angle)[..., None, None], (1 - np.cos(angle))[..., None, None]
    return np.asarray(np.eye(3) + sine * cross + versine * (cross @ cross))


def _local_rotations(axes: Array, angles: Array) -> Array:
    """Turn (n, 15, 3, 3) of each joint against its parent bone."""
    single = rotation_about(axes, angles)
    local = np.empty((len(angles), len(JOINTS), 3, 3))
    for number, dofs in enumerate(_joint_dofs()):
        turn = single[:, dofs[0]]
        for dof in dofs[1:]:
            turn = turn @ single[:, dof]
        local[:, number] = turn
    return local


def pose_skeleton(template: HandTemplate, parameters: HandParameters) -> PosedSkeleton:
    """Keypoints and bone rotations, without the skin."""
    n = len(parameters.angles)
    axes = dof_axes(template)
    local = _local_rotations(axes, parameters.angles).reshape(n, 5, 3, 3, 3)
    half = _local_rotations(axes, 0.5 * parameters.angles).reshape(n, 5, 3, 3, 3)
    rest = template.rest_keypoints
    offsets = (rest[1:] - rest[PARENTS[1:]]) * parameters.bone_scales[:, :, None]
    offsets = offsets.reshape(n, 5, 4, 3)
    keypoints = np.zeros((n, KEYPOINT_COUNT, 3))
    rotations = np.empty((n, 5, 4, 3, 3))
    helpers = np.empty((n, 5, 3, 3, 3))
    rotations[:, :, 0] = np.eye(3)
    position = offsets[:, :, 0]
    keypoints[:, _CHAIN[:, 0]] = position
    for step in range(3):
        parent = rotations[:, :, step]
        helpers[:, :, step] = parent @ half[:, :, step]
        turned = parent @ local[:, :, step]
        rotations[:, :, step + 1] = turned
        position = position + (turned @ offsets[:, :, step + 1, :, None])[..., 0]
        keypoints[:, _CHAIN[:, step + 1]] = position
    return PosedSkeleton(
        keypoints, rotations.reshape(n, BONE_COUNT, 3, 3), helpers.reshape(n, len(JOINTS), 3, 3)
    )


def pose_hand(template: HandTemplate, parameters: HandParameters) -> PosedHand:
    """Skin n posed hands.

    Returns:
        Vertices and keypoints in the wrist frame of the (right) hand, metres.
    """
    skeleton = pose_skeleton(template, parameters)
    n = len(parameters.angles)
    rest = template.rest_keypoints
    bones = rest[1:] - rest[PARENTS[1:]]
    direction = bones / np.linalg.norm(bones, axis=1, keepdims=True)
    along = direction[:, :, None] * direction[:, None, :]
    thickness = parameters.thickness[:, None, None, None]
    # Stretch along the bone by its scale, across it by the thickness.
    stretch = thickness * (np.eye(3) - along) + parameters.bone_scales[:, :, None, None] * along
    joints = np.array(JOINTS)
    child = joints  # Bone number child - 1 ends at keypoint child; the joint's own bone follows.
    helper_stretch = 0.5 * (stretch[:, child - 1] + stretch[:, child])
    linear = np.concatenate(
        [skeleton.bone_rotations @ stretch, skeleton.helper_rotations @ helper_stretch], axis=1
    )
    anchors = np.concatenate([PARENTS[1:], joints])
    shift = skeleton.keypoints[:, anchors] - (linear @ rest[anchors][:, :, None])[..., 0]
    affine = np.concatenate([linear, shift[..., None]], axis=-1).reshape(n, -1, 12)
    blended = (template.skinning_weights @ affine).reshape(n, -1, 3, 4)
    homogeneous = np.append(template.vertices, np.ones((len(template.vertices), 1)), axis=1)
    vertices = np.einsum("nvij,vj->nvi", blended, homogeneous)
    return PosedHand(np.asarray(vertices), skeleton.keypoints)
