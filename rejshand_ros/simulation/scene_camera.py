"""A simulated camera: what stands in a scene, drawn in software, whatever backend moves it.

It needs neither a graphics card nor EGL: it rests on the states that every backend tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import Array, PinholeCamera, RigidTransform
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.simulation.backend import HandState
from rejshand_ros.simulation.drawing import RobotMesh, merged
from rejshand_ros.simulation.object_shapes import object_shapes, table_shape
from rejshand_ros.simulation.scene import SceneConfig
from rejshand_ros.synthetic.mesh import Light, Mesh
from rejshand_ros.synthetic.rasterizer import render

_SKY_RGB = (150, 165, 180)
_HAND_LENGTH_M = 0.2
_AROUND_M = 0.05
# Where it stands unless the scene says so: before the palm, to a side, a little above.
_DIRECTION = np.array([0.9, 0.3, 0.35])


def look_at(position: Array, target: Array) -> RigidTransform:
    """Pose in the world of a camera (x right, y down, z forward) that looks at a point.

    Raises:
        ConfigError: Both points are the same.
    """
    forward = np.asarray(target, float) - np.asarray(position, float)
    distance = float(np.linalg.norm(forward))
    if not distance > 1e-6:
        raise ConfigError(f"a camera at {list(position)} cannot look at that same point")
    forward = forward / distance
    # Straight up or down there is no upright picture; then x of the world points upwards in it.
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([1.0, 0.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return RigidTransform(rotation, np.asarray(position, float))


class SceneCamera:
    """Draws hands, table and objects from a fixed place.

    Attributes:
        camera: Its intrinsics.
        world_from_camera: Its pose: x right, y down, z forward.
    """

    def __init__(
        self,
        robot_hands: Sequence[RobotHandConfig],
        scene: SceneConfig,
        width: int = 320,
        height: int = 240,
    ) -> None:
        """Make meshes of everything.

        Args:
            robot_hands: The hands, in the order of the backend's.
            scene: What stands around them, and where the camera is to stand.
            width: Picture width, pixels.
            height: Picture height, pixels.

        Raises:
            ModelFileError: A hand has no shapes that can be drawn.
        """
        self._meshes = [RobotMesh(robot) for robot in robot_hands]
        self._base_from_root = [
            self._wrist(robot, mesh).inverse()
            for robot, mesh in zip(robot_hands, self._meshes, strict=True)
        ]
        shapes = [] if scene.table is None else [table_shape(scene.table)]
        self._table = merged(shapes)
        self._objects = {item.name: merged(object_shapes(item)) for item in scene.objects}
        bases = [scene.base_pose(robot.side, len(robot_hands)) for robot in robot_hands]
        position, target, self._radius_m = _viewpoint(scene, bases, height / width)
        self.world_from_camera = look_at(position, target)
        self.camera = PinholeCamera.from_field_of_view(
            width, height, scene.camera.fov_deg, assumed=False
        )
        self._camera_from_world = self.world_from_camera.inverse()
        self._centre = self._camera_from_world.apply(target)
        rotation = self._camera_from_world.rotation
        # A lamp above, a little towards the camera.
        self._light = Light(
            direction=rotation @ np.array([0.0, 0.2, 1.0]) + np.array([-0.3, 0.0, -0.4]),
            up=rotation @ np.array([0.0, 0.0, 1.0]),
        )

    @staticmethod
    def _wrist(robot: RobotHandConfig, mesh: RobotMesh) -> RigidTransform:
        """Pose of the operator frame at rest in the root link."""
        return mesh.model.link_poses(robot.rest)[robot.operator_link] @ (
            robot.operator_link_from_frame
        )

    def render(self, states: Sequence[HandState]) -> NDArray[np.uint8]:
        """The picture now: (height, width, 3) uint8, RGB.

        Args:
            states: State of each hand, all of one instant.

        Raises:
            InputError: Another number of states than of hands.
        """
        if len(states) != len(self._meshes):
            raise InputError(f"{len(states)} states for {len(self._meshes)} hands")
        meshes = []
        for state, mesh, base_from_root in zip(
            states, self._meshes, self._base_from_root, strict=True
        ):
            frame_from_root = self._camera_from_world @ state.world_from_base @ base_from_root
            meshes.append(mesh.placed(state.positions, frame_from_root))
        if self._table is not None:
            meshes.append(self._mesh(self._table, RigidTransform()))
        for name, pose in states[0].objects.items():
            drawn = self._objects.get(name)
            if drawn is not None:
                meshes.append(self._mesh(drawn, pose))
        width, height = self.camera.width, self.camera.height
        picture = render(
            meshes,
            self.camera,
            width,
            height,
            self._light,
            background=_SKY_RGB,
            shadow_centre=self._centre,
            shadow_radius_m=self._radius_m,
        )
        return picture.rgb

    def _mesh(self, drawn: tuple[Array, NDArray[np.int32], Array], pose: RigidTransform) -> Mesh:
        vertices, faces, colours = drawn
        return Mesh(vertices, faces, colours, self._camera_from_world @ pose)


def _viewpoint(
    scene: SceneConfig, bases: Sequence[RigidTransform], aspect: float
) -> tuple[Array, Array, float]:
    """Where the camera stands, what it looks at (3,) in the world, and what lies around that.

    Args:
        scene: The scene.
        bases: Where the hands' bases start.
        aspect: Height of the picture over its width.
    """
    ends = ([0.0, 0.0, 0.0], [0.0, 0.0, _HAND_LENGTH_M])
    seen = [base.apply(np.array(end)) for base in bases for end in ends]
    seen += [item.world_from_object.translation for item in scene.objects]
    middle = (np.min(seen, axis=0) + np.max(seen, axis=0)) / 2
    radius = float(np.max(np.linalg.norm(np.array(seen) - middle, axis=1))) + _AROUND_M
    target = middle if scene.camera.look_at_m is None else np.array(scene.camera.look_at_m)
    if scene.camera.position_m is not None:
        return np.array(scene.camera.position_m), target, radius
    palm = bases[0].rotation[:, 0] * [1.0, 1.0, 0.0]
    if np.linalg.norm(palm) < 1e-3:
        # The palm looks up or down: from where the fingers point.
        palm = bases[0].rotation[:, 2] * [1.0, 1.0, 0.0]
    palm = palm / np.linalg.norm(palm)
    up = np.array([0.0, 0.0, 1.0])
    direction = np.stack([palm, np.cross(up, palm), up], axis=1) @ _DIRECTION
    # So far away that it all fits into the smaller side of the picture.
    half = np.tan(np.radians(scene.camera.fov_deg) / 2) * min(aspect, 1.0)
    return target + direction * radius / half, target, radius
