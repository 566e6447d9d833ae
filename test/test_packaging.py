"""What colcon, rosdep and pip are told about the packages."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rejshand_ros

ROOT = Path(__file__).resolve().parents[1]
ROS_PACKAGES = {
    "rclpy",
    "rejshand_msgs",
    "ament_index_python",
    "builtin_interfaces",
    "cv_bridge",
    "diagnostic_msgs",
    "geometry_msgs",
    "launch",
    "launch_ros",
    "lifecycle_msgs",
    "rcl_interfaces",
    "rosbag2",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "tf2_msgs",
    "tf2_ros",
    "trajectory_msgs",
    "visualization_msgs",
}
NEEDED_KEYS = {
    "rclpy",
    "cv_bridge",
    "sensor_msgs",
    "geometry_msgs",
    "visualization_msgs",
    "trajectory_msgs",
    "tf2_ros",
    "robot_state_publisher",
    "rviz2",
    "launch",
    "launch_ros",
    "rosbag2",
    "rejshand_msgs",
    "python3-numpy",
}

CORE_IMPORT = """
import importlib, pathlib, pkgutil, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is ROS, and the core must do without")

sys.meta_path.insert(0, NoRos())
import rejshand_ros
failures = []
for module in pkgutil.walk_packages(rejshand_ros.__path__, "rejshand_ros."):
    if module.name.startswith("rejshand_ros.nodes"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        if "is ROS" in str(error) or (error.name or "").startswith("rejshand"):
            failures.append(f"{module.name}: {error}")
print("\\n".join(failures))
sys.exit(bool(failures))
"""


def packages() -> dict[str, object]:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="needs catkin_pkg")
    return {
        folder.name: catkin_pkg.parse_package(str(folder / "package.xml"))
        for folder in (ROOT, ROOT / "rejshand_msgs")
    }


@pytest.mark.parametrize("folder", [".", "rejshand_msgs"])
def test_package_xml_is_valid(folder: str) -> None:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="needs catkin_pkg")
    warnings: list[str] = []
    package = catkin_pkg.parse_package(str(ROOT / folder / "package.xml"), warnings=warnings)
    package.validate(warnings=warnings)
    assert warnings == []
    assert package.package_format == 3


def test_package_xml_names_what_the_chain_needs() -> None:
    package = next(p for p in packages().values() if p.name == "rejshand_ros")  # type: ignore[attr-defined]
    keys = {dependency.name for dependency in package.exec_depends}  # type: ignore[attr-defined]
    assert keys >= NEEDED_KEYS


def test_package_xml_names_every_ros_package_that_the_nodes_import() -> None:
    package = next(p for p in packages().values() if p.name == "rejshand_ros")  # type: ignore[attr-defined]
    keys = {dependency.name for dependency in package.exec_depends}  # type: ignore[attr-defined]
    imported: set[str] = set()
    for path in [*(ROOT / "rejshand_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.partition(".")[0])
    assert imported & ROS_PACKAGES <= keys


def test_versions_agree() -> None:
    versions = {str(p.version) for p in packages().values()}  # type: ignore[attr-defined]
    setup = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert setup is not None
    changelog = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert versions == {rejshand_ros.__version__} == {setup.group(1)}
    assert f"\n{rejshand_ros.__version__} (" in changelog


def test_colcon_sees_both_packages_from_the_root() -> None:
    if importlib.util.find_spec("colcon_core") is None:
        pytest.skip("needs colcon")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COLCON_")}
    output = subprocess.run(
        [sys.executable, "-m", "colcon", "--log-base", os.devnull, "list"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    found = {line.split("\t")[0]: line.split("\t")[-1] for line in output.splitlines()}
    assert found == {"rejshand_ros": "(ros.ament_python)", "rejshand_msgs": "(ros.ament_cmake)"}


def test_console_scripts_lead_to_functions() -> None:
    scripts = re.findall(r"NODES = \(([^)]*)\)", (ROOT / "setup.py").read_text(encoding="utf-8"))
    nodes = re.findall(r'"(\w+)"', scripts[0])
    assert len(nodes) >= 6
    for path in [*(f"nodes/{node}.py" for node in nodes), "cli.py"]:
        tree = ast.parse((ROOT / "rejshand_ros" / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert "main" in functions, path


def test_requirements_are_pinned_and_the_core_is_light() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            assert line.startswith("#") or re.fullmatch(r"[a-z0-9.-]+==[\w.+]+", line), line
    core = (ROOT / "requirements/core.txt").read_text(encoding="utf-8")
    assert re.search(r"^(torch|timm|nvidia|cuda)", core, re.MULTILINE) is None


def test_core_imports_without_ros() -> None:
    script = CORE_IMPORT.replace("BLOCKED", repr(ROS_PACKAGES))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_importing_the_package_is_light() -> None:
    heavy = "{'torch', 'cv2', 'numba', 'openvino', 'pinocchio', 'mujoco', 'rclpy', 'viser'}"
    script = f"import sys, rejshand_ros; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
