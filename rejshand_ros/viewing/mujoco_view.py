"""A picture of a robot hand at given joint positions, rendered by MuJoCo through EGL."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.geometry import Array, PinholeCamera, RigidTransform, quaternion_from_rotation
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.viewing.shapes import link_shapes
from rejshand_ros.viewing.viewpoint import BACKGROUND_RGB, viewpoint

Image = NDArray[np.uint8]

_SAMPLES, _SHADOW_PIXELS = 4, 2048
_PROBE = "from mujoco.egl import GLContext; c = GLContext(16, 16); c.make_current(); c.free()"
_PROBE_S = 20.0


@cache
def egl_works() -> bool:
    """Whether this computer renders without a screen.

    Tried in a process of its own: a broken driver may crash where it ought to fail.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@cache
def _gl_context() -> Any:
    """The one context of this process: what a view frees must not be another view's.

    Raises:
        MissingDependencyError: There is no EGL here.
    """
    try:
        from mujoco.egl import GLContext

        return GLContext(16, 16)
    except (ImportError, RuntimeError, AttributeError) as error:
        raise MissingDependencyError(f"MuJoCo cannot render through EGL: {error}") from error


class MujocoView:
    """Draws one robot hand, palm towards the viewer, fingers up."""

    def __init__(self, robot_hand: RobotHandConfig, width: int = 480, height: int = 480) -> None:
        """Build a scene of the shapes of the hand's URDF.

        Args:
            robot_hand: The hand.
            width: Picture width, pixels.
            height: Picture height, pixels.

        Raises:
            ModelFileError: The URDF has no shapes that can be drawn.
            MissingDependencyError: There is no EGL here; see `egl_works`.
        """
        self._hand, self._size = robot_hand, (width, height)
        self._model = RobotModel(robot_hand)
        camera_from_root, camera = viewpoint(robot_hand, self._model, width, height)
        self._scene_model = self._specify(camera_from_root, camera)
        self._data = mujoco.MjData(self._scene_model)
        self._gl = _gl_context()
        self._gl.make_current()
        self._context = mujoco.MjrContext(
            self._scene_model, mujoco.mjtFontScale.mjFONTSCALE_100.value
        )
        self._scene = mujoco.MjvScene(self._scene_model, maxgeom=2000)
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = 0

    def render(self, joint_names: tuple[str, ...], positions: Array) -> Image:
        """The hand as a BGR picture (height, width, 3).

        Args:
            joint_names: Names in any order; joints that are missing rest.
            positions: Radians, one a name.

        Raises:
            InputError: A joint is not one of the hand's.
        """
        q = self._hand.positions_of(joint_names, positions)
        poses = self._model.link_poses(q)
        for place, link in enumerate(self._links):
            self._data.mocap_pos[place] = poses[link].translation
            self._data.mocap_quat[place] = _wxyz(poses[link].rotation)
        mujoco.mj_forward(self._scene_model, self._data)
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._scene_model, self._data, mujoco.MjvOption(), None, self._view,
            mujoco.mjtCatBit.mjCAT_ALL.value, self._scene,
        )  # fmt: skip
        # Another view may have drawn into its own buffer meanwhile.
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        width, height = self._size
        picture = np.empty((height, width, 3), np.uint8)
        window = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(window, self._scene, self._context)
        mujoco.mjr_readPixels(picture, None, window, self._context)
        return np.ascontiguousarray(picture[::-1, :, ::-1])

    def _specify(self, camera_from_root: RigidTransform, camera: PinholeCamera) -> mujoco.MjModel:
        """A scene of bodies that go where they are put; nothing in it moves by itself."""
        width, height = self._size
        spec = mujoco.MjSpec()
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
        spec.visual.quality.offsamples, spec.visual.quality.shadowsize = _SAMPLES, _SHADOW_PIXELS
        spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.25] * 3, [0.25] * 3
        spec.visual.headlight.specular = [0.1] * 3
        top, bottom = (np.array(colour) / 255 for colour in BACKGROUND_RGB)
        spec.add_texture(
            name="backdrop", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=64, height=384,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, rgb1=top, rgb2=bottom,
        )  # fmt: skip
        root_from_camera = camera_from_root.inverse()
        # MuJoCo's cameras look down -z with y up; ours along z with y down.
        turned = root_from_camera.rotation @ np.diag([1.0, -1.0, -1.0])
        spec.worldbody.add_camera(
            name="viewer", pos=root_from_camera.translation, quat=_wxyz(turned),
            fovy=float(np.degrees(2 * np.arctan(height / 2 / camera.matrix[1, 1]))),
        )  # fmt: skip
        towards = camera_from_root.rotation.T @ np.array([0.45, 0.75, 0.6])
        spec.worldbody.add_light(
            name="key", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=towards,
            pos=root_from_camera.translation - 0.3 * towards, castshadow=True,
            diffuse=[0.6] * 3, specular=[0.3] * 3,
        )  # fmt: skip
        shapes = link_shapes(self._hand.urdf_path)
        self._links = list(dict.fromkeys(shape.link for shape in shapes))
        bodies = {link: spec.worldbody.add_body(name=link, mocap=True) for link in self._links}
        for number, shape in enumerate(shapes):
            name = f"shape_{number}"
            spec.add_mesh(
                name=name, uservert=shape.vertices.astype(np.float32).ravel(),
                userface=shape.faces.astype(np.int32).ravel(), inertia=_SHELL,
            )  # fmt: skip
            bodies[shape.link].add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, rgba=[*shape.colour, 1.0],
                contype=0, conaffinity=0,
            )  # fmt: skip
        return spec.compile()


_SHELL = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
"""Meshes that are only looked at need no volume."""


def _wxyz(rotation: Array) -> Array:
    x, y, z, w = quaternion_from_rotation(rotation)
    return np.array([w, x, y, z])
