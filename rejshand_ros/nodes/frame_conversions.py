"""Poses as frames of TF: a followed hand's, and a robot hand's links."""

from __future__ import annotations

from geometry_msgs.msg import TransformStamped

from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.frame import fingertip_frames
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.conversions import pose_to_message
from rejshand_ros.nodes.stamps import header
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.tracking.tracked_hand import TrackedHand
from rejshand_ros.urdf import read_urdf


class RobotFrames:
    """The links of one robot hand, each in its parent's frame."""

    def __init__(self, hand: str, side: Side) -> None:
        """Read the hand's URDF.

        Args:
            hand: Robot hand.
            side: Its side.

        Raises:
            ConfigError: Unknown hand, or its description is wrong.
        """
        robot = load_robot_hand(hand, side)
        self._model = RobotModel(robot)
        self._side = side
        self.root = robot.root_link
        mounts = read_urdf(robot.urdf_path).mounts
        self._parents = {child: mount.parent for child, mount in mounts.items()}

    def frame(self, link: str) -> str:
        """The frame of a link."""
        return f"{self._side}/{link}"

    def transforms(self, positions: Array, stamp_ns: int) -> list[TransformStamped]:
        """Every link's pose; positions (n,) radians."""
        poses = self._model.link_poses(positions)
        return [
            transform_message(
                stamp_ns,
                self.frame(parent),
                self.frame(child),
                poses[parent].inverse() @ poses[child],
            )
            for child, parent in self._parents.items()
        ]


def hand_transforms(hand: TrackedHand, camera_frame: str) -> list[TransformStamped]:
    """Frames of a followed hand: the wrist in the camera's, each fingertip in the wrist's.

    Raises:
        InputError: Its keypoints make no fingers.
    """
    wrist = f"hand_{hand.side}/wrist"
    in_wrist = hand.keypoints_3d @ hand.camera_from_wrist.rotation
    tips = fingertip_frames(in_wrist)
    return [
        transform_message(hand.stamp_ns, camera_frame, wrist, hand.camera_from_wrist),
        *(
            transform_message(hand.stamp_ns, wrist, f"hand_{hand.side}/{finger}_tip", tip)
            for finger, tip in tips.items()
        ),
    ]


def transform_message(
    stamp_ns: int, parent: str, child: str, parent_from_child: RigidTransform
) -> TransformStamped:
    """A frame in its parent's, as TF takes it."""
    message = TransformStamped(header=header(stamp_ns, parent), child_frame_id=child)
    pose = pose_to_message(parent_from_child)
    translation = message.transform.translation
    translation.x, translation.y, translation.z = pose.position.x, pose.position.y, pose.position.z
    message.transform.rotation = pose.orientation
    return message
