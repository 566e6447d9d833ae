"""Analytic derivatives of the skeleton's keypoints by its angles and bone lengths, batched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, KEYPOINT_COUNT, PARENTS
from rejshand_ros.hand.kinematics import (
    DOFS,
    HandParameters,
    PosedSkeleton,
    dof_axes,
    pose_skeleton,
    rotation_about,
)
from rejshand_ros.hand.template import HandTemplate

_KEYPOINT = np.arange(KEYPOINT_COUNT)
_FINGER = np.concatenate([[-1], np.repeat(np.arange(5), 4)])
_JOINT_OF_DOF = np.array([dof.joint for dof in DOFS])
# A joint moves what lies behind it on its finger; a bone's length moves its end as well.
_MOVED_BY_DOF = (_FINGER[:, None] == _FINGER[_JOINT_OF_DOF]) & (_KEYPOINT[:, None] > _JOINT_OF_DOF)
_CHILD = np.array([child for _, child in BONES])
_MOVED_BY_BONE = (_FINGER[:, None] == _FINGER[_CHILD]) & (_KEYPOINT[:, None] >= _CHILD)


@dataclass(frozen=True)
class SkeletonJacobian:
    """Posed skeletons and how their keypoints change.

    Attributes:
        skeleton: The n posed skeletons.
        by_angles: (n, 21, 3, 22) metres per radian, wrist frame.
        by_log_scales: (n, 21, 3, 20) metres per unit of the logarithm of a bone's scale.
    """

    skeleton: PosedSkeleton
    by_angles: Array
    by_log_scales: Array


def skeleton_jacobian(template: HandTemplate, parameters: HandParameters) -> SkeletonJacobian:
    """Pose n skeletons and differentiate them.

    A turn about the posed axis a through the posed joint p moves a keypoint k by a x (k - p).
    """
    skeleton = pose_skeleton(template, parameters)
    keypoints = skeleton.keypoints
    axes = dof_axes(template)
    posed_axes = np.empty((len(keypoints), len(DOFS), 3))
    turned = np.zeros(0)
    for number, dof in enumerate(DOFS):
        first_of_joint = number == 0 or DOFS[number - 1].joint != dof.joint
        if first_of_joint:
            # The bone that ends at the joint carries the joint's outermost axis.
            turned = skeleton.bone_rotations[:, dof.joint - 1]
        posed_axes[:, number] = turned @ axes[number]
        turned = turned @ rotation_about(axes[number], parameters.angles[:, number])
    arm = keypoints[:, :, None] - keypoints[:, None, _JOINT_OF_DOF]
    by_angles = np.cross(posed_axes[:, None], arm) * _MOVED_BY_DOF[..., None]
    bones = keypoints[:, 1:] - keypoints[:, PARENTS[1:]]
    by_log_scales = bones[:, None] * _MOVED_BY_BONE[..., None]
    return SkeletonJacobian(
        skeleton, np.swapaxes(by_angles, -1, -2), np.swapaxes(by_log_scales, -1, -2)
    )
