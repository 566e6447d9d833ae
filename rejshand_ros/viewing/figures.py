"""Hands in the browser's scene: the operator's skin, the robot hand, and the two compared.

Every figure stands in an operator frame (see `rejshand_ros.hand.keypoints`): fingers up, palm to
the viewer, so that the same finger is seen at the same place of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array, RigidTransform, quaternion_from_rotation
from rejshand_ros.hand.frame import mirror_points
from rejshand_ros.hand.keypoints import BONES, FINGERS, Side, finger_keypoints
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.urdf import read_urdf
from rejshand_ros.viewing.colours import FINGER_RGB, PALM_RGB, Rgb
from rejshand_ros.viewing.overlay import finger_of
from rejshand_ros.viewing.shapes import link_shapes

SKIN_RGB: Rgb = (222, 178, 150)
ROBOT_RGB: Rgb = (205, 210, 220)
ERROR_RGB: Rgb = (255, 82, 82)
_UNSEEN_OPACITY = 0.25
_STILL_RAD = 2e-4
"""A joint that has moved less than this is not worth a message to every browser."""
_STILL_M = 1e-5
_DOT_M = 0.012
"""Diameter of the dot where a robot's fingertip is asked to be."""


def wxyz(rotation: Array) -> tuple[float, float, float, float]:
    """A rotation (3, 3) as the browser takes it."""
    x, y, z, w = quaternion_from_rotation(rotation).tolist()
    return w, x, y, z


def place(scene: Any, path: str, world_from_frame: RigidTransform) -> Any:
    """An invisible frame of the scene, at a pose."""
    return scene.add_frame(
        path,
        show_axes=False,
        wxyz=wxyz(world_from_frame.rotation),
        position=tuple(world_from_frame.translation.tolist()),
    )


class HumanFigure:
    """The surface of the operator's hand."""

    def __init__(self, scene: Any, path: str, side: Side, world_from_wrist: RigidTransform) -> None:
        """Show an open hand until one is seen.

        Args:
            scene: viser's scene.
            path: Name of the figure in it.
            side: Whose hand.
            world_from_wrist: Where its wrist frame stands.
        """
        template = load_template()
        left = side is Side.LEFT
        vertices = mirror_points(template.vertices) if left else template.vertices
        faces = template.faces[:, ::-1] if left else template.faces
        place(scene, path, world_from_wrist)
        self._skin = scene.add_mesh_simple(
            f"{path}/skin",
            vertices=vertices.astype(np.float32),
            faces=faces.astype(np.uint32),
            color=SKIN_RGB,
            opacity=_UNSEEN_OPACITY,
            cast_shadow=False,
            receive_shadow=False,
        )

    def show(self, vertices_in_wrist: Array) -> None:
        """Show the hand as it is seen.

        Args:
            vertices_in_wrist: (778, 3) metres, in the wrist frame.
        """
        self._skin.vertices = np.asarray(vertices_in_wrist, np.float32)
        self.seen(True)

    def seen(self, seen: bool) -> None:
        """Fade the hand while it is not seen."""
        opacity = None if seen else _UNSEEN_OPACITY
        if self._skin.opacity != opacity:
            self._skin.opacity = opacity


class RobotFigure:
    """The robot hand as its URDF describes it, moved by its joints."""

    def __init__(
        self, scene: Any, path: str, robot: RobotHandConfig, world_from_operator: RigidTransform
    ) -> None:
        """Show the hand at rest.

        Args:
            scene: viser's scene.
            path: Name of the figure in it.
            robot: The hand.
            world_from_operator: Where its operator frame stands while at rest.

        Raises:
            ModelFileError: The URDF has nothing to show.
        """
        self._robot = robot
        self._model = RobotModel(robot)
        root_from_operator = self.root_from_operator(robot.rest)
        place(scene, path, world_from_operator @ root_from_operator.inverse())
        shapes = link_shapes(robot.urdf_path)
        mounts = read_urdf(robot.urdf_path).mounts

        def node(link: str) -> str:
            # Each link below its parent: then only what a joint turns has to be told.
            above = node(mounts[link].parent) if link in mounts else path
            return f"{above}/{link}"

        poses = self._model.link_poses(np.asarray(robot.rest, float))
        self._parents = {link: mounts[link].parent for link in poses if link in mounts}
        self._local = {
            link: poses[parent].inverse() @ poses[link] for link, parent in self._parents.items()
        }
        self._frames = {
            link: place(scene, node(link), self._local.get(link, RigidTransform()))
            for link in poses
        }
        for number, shape in enumerate(shapes):
            scene.add_mesh_simple(
                f"{node(shape.link)}/shape_{number}",
                vertices=shape.vertices.astype(np.float32),
                faces=shape.faces.astype(np.uint32),
                color=tuple(round(255 * channel) for channel in shape.colour),
                cast_shadow=False,
                receive_shadow=False,
            )
        operator_from_root = root_from_operator.inverse()
        self.depth_m = -min(
            float((operator_from_root @ poses[shape.link]).apply(shape.vertices)[:, 2].min())
            for shape in shapes
        )
        """How far the hand at rest reaches down below its operator frame's origin."""
        self._shown: Array | None = None
        self.show(robot.joint_names, robot.rest)

    def root_from_operator(self, positions: Array) -> RigidTransform:
        """Pose of the operator frame in the root link's frame.

        Args:
            positions: (n,) radians, in the hand's own order.
        """
        link = self._model.link_poses(positions)[self._robot.operator_link]
        return link @ self._robot.operator_link_from_frame

    def show(self, names: tuple[str, ...], positions: Array) -> Array:
        """Move the hand.

        Args:
            names: Joints in any order; those that are missing rest.
            positions: Radians, one a name.

        Returns:
            (n,) radians in the hand's own order.

        Raises:
            InputError: A joint is not one of the hand's, or a position is not finite.
        """
        q = self._robot.positions_of(names, positions)
        if self._shown is not None and np.abs(q - self._shown).max() < _STILL_RAD:
            return self._shown
        poses = self._model.link_poses(q)
        for link, parent in self._parents.items():
            local, before = poses[parent].inverse() @ poses[link], self._local[link]
            if np.abs(local.rotation - before.rotation).max() > _STILL_RAD:
                self._frames[link].wxyz = wxyz(local.rotation)
            elif np.abs(local.translation - before.translation).max() > _STILL_M:
                self._frames[link].position = tuple(local.translation.tolist())
            else:
                continue
            self._local[link] = local
        self._shown = q
        return q

    def finger_lines(self, positions: Array) -> dict[str, Array]:
        """Finger name -> (k, 3) from its first joint to its tip, metres, in the operator frame.

        Args:
            positions: (n,) radians, in the hand's own order.
        """
        operator_from_root = self.root_from_operator(positions).inverse()
        tips = self._model.link_positions(positions, self._robot.fingertip_links)
        lines = {}
        for finger, link in self._robot.fingertip_links.items():
            joints = self._model.joint_places(positions, link)
            lines[finger] = operator_from_root.apply(np.vstack([joints, tips[finger]]))
        return lines


class ComparisonFigure:
    """The operator's fingers, scaled as retargeting scales them, against the robot's."""

    def __init__(
        self,
        scene: Any,
        path: str,
        robot: RobotHandConfig,
        world_from_operator: RigidTransform,
        scale: float,
        robot_fingers: dict[str, Array],
    ) -> None:
        """Show nothing yet.

        Args:
            scene: viser's scene.
            path: Name of the figure in it.
            robot: The hand.
            world_from_operator: Where both operator frames stand.
            scale: Robot metres for a human metre.
            robot_fingers: As `RobotFigure.finger_lines` gives them.
        """
        self._fingers = tuple(f for f in robot.fingertip_links if f in FINGERS)
        self._scale = scale
        place(scene, path, world_from_operator)
        joints = sum(len(line) - 1 for line in robot_fingers.values())
        bones = [PALM_RGB if p == 0 else FINGER_RGB[finger_of(c)] for p, c in BONES]
        # A page that is open does not take another number of lines, or other colours, later.
        looks = {
            "robot": (0.006, [ROBOT_RGB] * joints),
            "human": (0.004, bones),
            "error": (0.004, [ERROR_RGB] * len(self._fingers)),
        }
        self._lines = {
            name: scene.add_line_segments(
                f"{path}/{name}",
                points=np.zeros((len(colours), 2, 3), np.float32),
                colors=_linear(colours),
                thickness=thickness,
            )
            for name, (thickness, colours) in looks.items()
        }
        # One thing for all dots, whose places go the way of the lines' points: the page draws those
        # together, while it would move a node of its own a picture earlier.
        self._dots = scene.add_point_cloud(
            f"{path}/asked",
            points=np.zeros((len(self._fingers), 3), np.float32),
            colors=np.array([FINGER_RGB[finger] for finger in self._fingers], np.uint8),
            point_size=_DOT_M,
            point_shape="circle",
            point_shading="flat",
            precision="float32",
            visible=False,
        )

    def show(self, keypoints_in_wrist: Array, robot_fingers: dict[str, Array]) -> None:
        """Draw both, and a line from where each fingertip is asked to be to where it is.

        Args:
            keypoints_in_wrist: (21, 3) metres, in the wrist frame.
            robot_fingers: As `RobotFigure.finger_lines` gives them.
        """
        human = self._scale * np.asarray(keypoints_in_wrist, float)
        bones = np.array([[human[parent], human[child]] for parent, child in BONES])
        robot = [np.stack([line[:-1], line[1:]], axis=1) for line in robot_fingers.values()]
        asked = {finger: human[finger_keypoints(finger)[3]] for finger in self._fingers}
        errors = np.array([[point, robot_fingers[finger][-1]] for finger, point in asked.items()])
        for name, points in (
            ("human", bones), ("robot", np.concatenate(robot)), ("error", errors),
        ):  # fmt: skip
            self._lines[name].points = points.astype(np.float32)
        self._dots.points = np.array(list(asked.values()), np.float32)
        self._dots.visible = True


def _linear(colours: list[Rgb]) -> NDArray[np.uint8]:
    """Both ends' colours of each line, (n, 2, 3): the page takes them as if they were linear."""
    linear = np.rint(255 * (np.array(colours) / 255.0) ** 2.2).astype(np.uint8)
    return np.repeat(linear[:, None], 2, axis=1)
