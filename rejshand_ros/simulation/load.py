"""How to get a simulation: by the backend's name, for one hand or a pair in one scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.simulation.backend import OneHand, SceneBackend
from rejshand_ros.simulation.scene import SceneConfig, load_scene

if TYPE_CHECKING:
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig

BACKENDS = ("mujoco", "scripted")


def load_scene_backend(
    name: str, robot_hands: Sequence[RobotHandConfig], scene: SceneConfig | str | None = None
) -> SceneBackend:
    """Build the simulation of one hand, or of a right and a left one in one scene.

    Args:
        name: "mujoco", or "scripted" for a mock that needs no physics library.
        robot_hands: The hands, of different sides.
        scene: A scene, the name of a shipped one, the path of a YAML file, or None for free space.

    Raises:
        ConfigError: Unknown backend or scene, two hands of one side, or a hand that does not fit
            its URDF.
        ModelFileError: A URDF is missing or wrong.
        MissingDependencyError: MuJoCo is asked for and not installed.
    """
    if isinstance(scene, str):
        scene = load_scene(scene)
    scene = scene or SceneConfig()
    sides = [str(robot.side) for robot in robot_hands]
    if not sides or len(set(sides)) != len(sides):
        raise ConfigError(f"a scene holds one hand, or a right and a left one; given: {sides}")
    if name == "scripted":
        from rejshand_ros.simulation.scripted_backend import ScriptedBackend

        return ScriptedBackend(robot_hands, scene)
    if name == "mujoco":
        from rejshand_ros.simulation.mujoco_backend import MujocoBackend

        return MujocoBackend(robot_hands, scene)
    raise unknown_choice("simulation backend", name, BACKENDS)


def load_backend(
    name: str, robot_hand: RobotHandConfig, scene: SceneConfig | str | None = None
) -> OneHand:
    """Build the simulation of a single hand; arguments and errors as `load_scene_backend`."""
    return OneHand(load_scene_backend(name, [robot_hand], scene))
