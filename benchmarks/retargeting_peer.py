"""dex-retargeting 0.5.0, from the registry into an environment of its own, as a process to ask."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.peer_environment import peer_process_environment
from rejshand_ros.errors import MissingDependencyError, ProcessError
from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.robot_hand import RobotHandConfig

VERSION = "0.5.0"
ENVIRONMENT = Path(".venvs/dex_retargeting")
# torch, six and the others are imported by it, but not declared.
PACKAGES = (f"dex-retargeting=={VERSION}", "six", "trimesh", "lxml", "anytree", "pyyaml", "torch")
SERVER = Path(__file__).parent / "peer/dex_retargeting_server.py"
SCALE = {"allegro": 1.6, "shadow": 1.2}
ALPHA = 0.2
"""Gain of the filter as it is shipped."""


def install(environment: Path = ENVIRONMENT) -> Path:
    """Make the environment where it is missing.

    Returns:
        Its Python.

    Raises:
        MissingDependencyError: pip fails.
    """
    python = environment / "bin/python"
    done = environment / f"dex_retargeting-{VERSION}.installed"
    probe = [str(python), "-c", "import dex_retargeting.retargeting_config"]
    if done.is_file() or (python.is_file() and subprocess.run(probe, check=False).returncode == 0):
        done.touch()
        return python
    commands = [
        [sys.executable, "-m", "venv", str(environment)],
        [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
    ]
    for command in commands:
        if subprocess.run(command, check=False).returncode != 0:
            raise MissingDependencyError(f"dex-retargeting could not be installed: {command}")
    done.touch()
    return python


def shipped_config(robot: RobotHandConfig, objective: str) -> dict[str, Any]:
    """Its own teleoperation configuration for a hand, with this project's URDF.

    Args:
        robot: Allegro or Shadow, right.
        objective: ``"vector"`` or ``"pinch"`` (its DexPilot).
    """
    tips = list(robot.fingertip_links.values())
    common = {
        "urdf_path": str(robot.urdf_path.resolve()),
        "scaling_factor": SCALE[robot.hand],
        "low_pass_alpha": ALPHA,
    }
    if objective == "pinch":
        wrist = {"allegro": "wrist", "shadow": "ee_link"}[robot.hand]
        return {
            **common,
            "type": "DexPilot",
            "wrist_link_name": wrist,
            "finger_tip_link_names": tips,
        }
    terms = robot.objective("vector").terms
    return {
        **common,
        "type": "vector",
        "target_origin_link_names": [term.from_link for term in terms],
        "target_task_link_names": [term.to_link for term in terms],
        "target_link_human_indices": [
            [term.from_keypoint for term in terms],
            [term.to_keypoint for term in terms],
        ],
    }


class Peer:
    """The other side's process; use as a context manager."""

    def __init__(self) -> None:
        """Start it, installing what is missing.

        Raises:
            MissingDependencyError: It cannot be installed.
        """
        # It copies each URDF into a temporary folder and leaves it there.
        self._temporary = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [str(install()), str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=peer_process_environment(self._temporary.name),
        )
        self._orders: dict[str, list[int]] = {}

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._temporary.cleanup()

    def build(self, key: str, robot: RobotHandConfig, objective: str) -> None:
        """Build a retargeter as it is shipped."""
        config = shipped_config(robot, objective)
        names = self._ask({"do": "build", "key": key, "config": config})["joint_names"]
        self._orders[key] = [names.index(name) for name in robot.joint_names]

    def solve(self, key: str, keypoints: Array) -> tuple[Array, Array, float]:
        """One frame.

        Args:
            key: Of `build`.
            keypoints: (21, 3) metres, operator frame.

        Returns:
            Filtered positions (n,), the solution (n,) before the filter, and the seconds spent.
        """
        answer = self._ask({"do": "solve", "key": key, "keypoints": keypoints.tolist()})
        order = self._orders[key]
        positions, solution = np.array(answer["positions"]), np.array(answer["solution"])
        return positions[order], solution[order], float(answer["seconds"])

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise ProcessError(f"dex-retargeting ended with status {self._process.wait()}")
        return json.loads(answer)
