"""Hand pose node: images of any camera driver in, hands and their meshes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from rejshand_msgs.msg import HandMesh, HandMeshFaces, HandPose, HandPoseArray
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.inference.load import DEVICES
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.conversions import (
    camera_from_message,
    faces_message,
    hand_to_message,
    lost_hand_message,
    wrist_pose_message,
)
from rejshand_ros.nodes.images import BgrImage, converter, to_bgr
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.serialised import hand_to_cdr, image_from_cdr, mesh_to_cdr
from rejshand_ros.nodes.stamps import header, nanoseconds
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.nodes.tracker_factory import build_tracker
from rejshand_ros.tracking.capture_order import CaptureOrder
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState


@dataclass(frozen=True)
class HandPoseConfig(NodeConfig):
    """Parameters of the hand pose node; their descriptions are in the fields."""

    side: str = parameter("both", "hands to follow", choices=tuple(SIDES))
    image_topic: str = parameter("image_raw", "image topic, without /compressed")
    image_transport: str = parameter(
        "compressed", "form of the images to subscribe to", choices=("raw", "compressed")
    )
    camera_info_topic: str = parameter("camera_info", "CameraInfo topic of the same camera")
    assumed_fov_deg: float = parameter(
        60.0, "horizontal field of view of an uncalibrated camera [deg]", low=20.0, high=150.0
    )
    weights: str = parameter("default", "shipped weights' name, or path of a weights file")
    device: str = parameter("auto", "where the network runs", choices=DEVICES)
    threads: int = parameter(2, "CPU threads of the network", low=1, high=64)
    estimator: str = parameter(
        "network", "what reads a hand in its crop", choices=("network", "mediapipe")
    )
    detector: str = parameter(
        "network", "what finds hands in the image", choices=("network", "mediapipe")
    )
    mediapipe_task: str = parameter("", "MediaPipe's .task file, where it is chosen")
    publish_mesh: bool = parameter(True, "publish hand_mesh", mutable=True)


class HandPoseNode(ChainNode[HandPoseConfig]):
    """Follows hands through the newest image.

    Its subscription keeps one image: what arrives while the network works replaces what waits,
    so the age of what is processed is bounded by one camera period and the processing time.
    """

    NAME = "hand_pose"
    CONFIG = HandPoseConfig

    def configure(self) -> None:
        """Load the network, then open the topics."""
        config = self.config
        self._sides = SIDES[config.side]
        self._camera: PinholeCamera | None = None
        self._order = CaptureOrder()
        self._found = 0
        converter()  # Its library is looked for now, not when the first image has come.
        self._tracker, self._runtime = self.build_tracker()
        self._hands = self.advertise(HandPoseArray, "hands", qos.stream())
        self._poses: dict[Side, Any] = {}
        self._meshes: dict[Side, Any] = {}
        self._wrists: dict[Side, Any] = {}
        self._faces: dict[Side, Any] = {}
        for side in self._sides:
            self._poses[side] = self.advertise(HandPose, f"{side}/hand_pose", qos.stream())
            self._meshes[side] = self.advertise(HandMesh, f"{side}/hand_mesh", qos.stream())
            self._wrists[side] = self.advertise(PoseStamped, f"{side}/wrist_pose", qos.stream())
            self._faces[side] = self.advertise(
                HandMeshFaces, f"{side}/hand_mesh_faces", qos.latched()
            )
        self.listen(CameraInfo, config.camera_info_topic, self._on_camera, qos.newest_only())
        if config.image_transport == "compressed":
            topic = f"{config.image_topic}/compressed"
            newest = qos.newest_only()
            self.listen(CompressedImage, topic, self._on_compressed_image, newest, numbered=True)
        else:
            newest, topic = qos.newest_only(), config.image_topic
            self.listen(Image, topic, self._on_raw_image, newest, raw=True, numbered=True)

    def build_tracker(self) -> tuple[Any, str]:
        """A warm tracker, so that the first image is not late, and its runtime's name."""
        return build_tracker(
            weights=self.config.weights,
            device=self.config.device,
            threads=self.config.threads,
            sides=self._sides,
            estimator=self.config.estimator,
            detector=self.config.detector,
            mediapipe_task=self.config.mediapipe_task,
        )

    def activate(self) -> None:
        """Latch the triangles of the mesh."""
        template = load_template()
        for side, publisher in self._faces.items():
            publisher.publish(faces_message(template.faces, side))

    def cleanup(self) -> None:
        """Let go of the network."""
        self._tracker = None

    def diagnostics(self) -> dict[str, str]:
        """How often a hand was found, and whether the camera is calibrated."""
        found = getattr(self, "_found", 0)
        ratio = found / self.monitor.handled if self.monitor.handled else 0.0
        return {
            "hand_found_ratio": f"{ratio:.3f}",
            "weights": self.config.weights,
            "runtime": getattr(self, "_runtime", ""),
            "calibrated": str(getattr(self, "_camera", None) is not None).lower(),
        }

    def _on_camera(self, message: CameraInfo) -> None:
        self._camera = camera_from_message(message)

    def _camera_of(self, image: np.ndarray) -> PinholeCamera:
        height, width = image.shape[:2]
        if self._camera is None:
            return _assumed_camera(width, height, self.config.assumed_fov_deg)
        if (self._camera.width, self._camera.height) != (width, height):
            raise InputError(
                f"image of {width} x {height}, camera_info of {self._camera.width} x "
                f"{self._camera.height}; both must come from one camera"
            )
        return self._camera

    def _on_raw_image(self, message: bytes) -> None:
        begun_ns = self.now_ns()
        self._follow(*image_from_cdr(message), begun_ns)

    def _on_compressed_image(self, message: CompressedImage) -> None:
        begun_ns = self.now_ns()
        head = message.header
        self._follow(to_bgr(message), nanoseconds(head.stamp), head.frame_id, begun_ns)

    def _follow(self, image: BgrImage, stamp_ns: int, frame: str, begun_ns: int) -> None:
        """Follow the hands through an image and tell where they are."""
        camera = self._camera_of(image)
        if self._order.begins_anew(stamp_ns):
            self.get_logger().warning(
                "the images' stamps went back; hands are looked for anew",
                throttle_duration_sec=2.0,
            )
        hands: tuple[TrackedHand, ...] = self._tracker.update(image, stamp_ns, camera)
        seen = {hand.side: hand for hand in hands if hand.state is not TrackState.LOST}
        # What moves the robot goes first, what is only looked at last.
        for side in self._sides:
            self._poses[side].publish(
                hand_to_cdr(seen[side], frame)
                if side in seen
                else lost_hand_message(stamp_ns, side, frame)
            )
        poses = {side: hand_to_message(seen[side], frame) for side in self._sides if side in seen}
        found = HandPoseArray(header=header(stamp_ns, frame), hands=list(poses.values()))
        self._hands.publish(found)
        for side in self._sides:
            if side in seen:
                self._wrists[side].publish(wrist_pose_message(poses[side]))
                wanted = self.config.publish_mesh and self._meshes[side].get_subscription_count()
                if wanted and len(seen[side].vertices):
                    self._meshes[side].publish(mesh_to_cdr(seen[side], frame))
        self._found += any(
            seen[side].state is TrackState.TRACKING for side in self._sides if side in seen
        )
        now_ns = self.now_ns()
        self.monitor.handle(now_ns - stamp_ns, now_ns - begun_ns)
        # It helps from the next image on.
        self._tracker.look_about()


@lru_cache(maxsize=4)
def _assumed_camera(width: int, height: int, fov_deg: float) -> PinholeCamera:
    """One camera for all images, so that what is worked out of it is worked out once."""
    return PinholeCamera.from_field_of_view(width, height, fov_deg)


def main() -> int:
    """Run the hand pose node."""
    return run_node(HandPoseNode)


if __name__ == "__main__":
    raise SystemExit(main())
