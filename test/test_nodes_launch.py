"""The launch files: what they offer, and what they start."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs rclpy")

ROOT = Path(__file__).resolve().parents[1]
FILES = ("teleop", "sim", "driver")


def launch_file(name: str) -> ModuleType:
    pytest.importorskip("launch_ros", reason="needs launch_ros, which a ROS 2 installation brings")
    path = ROOT / "launch" / f"{name}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{name}_launch", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(name: str, **arguments: str) -> dict[str, Any]:
    """The nodes that a launch would start, by namespace and executable."""
    module = launch_file(name)
    from launch import LaunchContext
    from launch_ros.actions import Node

    context = LaunchContext(argv=[f"{key}:={value}" for key, value in arguments.items()])
    context.launch_configurations.update(arguments)
    found: dict[str, Any] = {}
    for entity in module.generate_launch_description().entities:
        for action in entity.visit(context) or []:
            if not isinstance(action, Node):
                continue
            namespace = str(action._Node__node_namespace or "")
            executable = str(action.node_executable)
            found.setdefault(f"{namespace}/{executable}".lstrip("/"), action)
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_argument_is_described(name: str) -> None:
    for argument in launch_file(name).generate_launch_description().get_launch_arguments():
        assert len(argument.description) > 10, argument.name


def test_the_default_launch_needs_nothing_beyond_the_package() -> None:
    assert set(started("teleop")) == {
        "camera",
        "hand_pose",
        "right/retargeting",
        "right/command",
        "right/simulation",
        "manager",
    }


@pytest.mark.parametrize("name", ["teleop", "driver"])
def test_the_manager_brings_up_receivers_before_senders(name: str) -> None:
    nodes = started(name, namespace="lab", record="service", view="true", rviz="true")
    order = strings(nodes["lab/manager"], "nodes")
    # What only looks on is not waited for.
    itself = {"lab/manager", "lab/viewer", *(n for n in nodes if is_foreign(nodes[n]))}
    assert sorted(order) == sorted(f"/{name}" for name in set(nodes) - itself)
    assert order[0] == "/lab/recorder" and order[-2:] == ["/lab/hand_pose", "/lab/camera"]
    for full_name, node in nodes.items():
        if not is_foreign(node):
            assert parameters_of(node)["autostart"] is (full_name in itself), full_name


@pytest.mark.parametrize(("lifecycle", "itself"), [("self", True), ("none", False)])
def test_without_the_manager_the_nodes_start_themselves_or_wait(lifecycle, itself) -> None:
    nodes = started("teleop", lifecycle=lifecycle)
    assert "manager" not in nodes
    assert {parameters_of(node)["autostart"] for node in nodes.values()} == {itself}


def test_both_sides_each_have_their_own_chain() -> None:
    nodes = started("teleop", side="both", namespace="/lab", simulator="none", record="service")
    assert set(nodes) == {
        "lab/camera",
        "lab/hand_pose",
        "lab/recorder",
        "lab/manager",
        *(
            f"lab/{side}/{name}"
            for side in ("right", "left")
            for name in ("retargeting", "command")
        ),
    }


def parameters_of(node: Any) -> dict[str, Any]:
    """The parameters that a launch gives a node besides its file."""
    return {
        "".join(part.text for part in key): value
        for item in node._Node__parameters
        if isinstance(item, dict)
        for key, value in item.items()
    }


def remappings_of(node: Any) -> dict[str, str]:
    """The names of its own -> the names that a launch gives a node in their place."""
    return {
        "".join(part.text for part in ours): "".join(part.text for part in theirs)
        for ours, theirs in node._Node__remappings
    }


def strings(node: Any, name: str) -> list[str]:
    """A list of texts among the parameters that a launch gives a node."""
    given = parameters_of(node)[name]
    return [str(yaml.safe_load("".join(part.text for part in text))) for text in given]


def is_foreign(node: Any) -> bool:
    return str(node.node_package) != "rejshand_ros"


def test_a_pair_of_simulated_hands_shares_one_scene() -> None:
    nodes = started("sim", side="both", scene="cube", joint_command_topic="/arm_{side}/command")
    assert set(nodes) == {"simulation", "manager"}
    assert set(started("teleop", side="both")) >= {"simulation", "right/command", "left/command"}


def test_the_simulation_can_give_the_time() -> None:
    from rejshand_ros.errors import ConfigError

    for executable, node in started("teleop", publish_clock="true").items():
        given = parameters_of(node)
        assert given["use_sim_time"] is True, executable
        assert given.get("publish_clock", False) is (executable == "right/simulation")
    with pytest.raises(ConfigError, match="simulator is none"):
        started("teleop", publish_clock="true", simulator="none")


def test_a_foreign_driver_takes_the_place_of_the_camera() -> None:
    nodes = started("teleop", camera="none", image_topic="/cam/color/image_raw")
    assert "camera" not in nodes


def test_the_robot_is_shown_where_asked_for() -> None:
    nodes = started("sim", rviz="true", side="both", hand="shadow")
    assert {"rviz2", "right/robot_state_publisher", "left/robot_state_publisher"} <= set(nodes)
    assert {"static_transform_publisher", "frames", "markers"} <= set(nodes)
    assert "camera" not in nodes
    # config/teleop.rviz looks for the links below these prefixes (see test_nodes_rviz).
    prefixes = {
        yaml.safe_load("".join(part.text for part in parameters_of(node)["frame_prefix"]))
        for name, node in nodes.items()
        if name.endswith("robot_state_publisher")
    }
    assert prefixes == {"right/", "left/"}


@pytest.mark.parametrize("name", ["teleop", "driver"])
def test_the_browser_view_is_served_where_asked_for(name: str) -> None:
    assert "viewer" in started(name, view="true", view_port="8090")
    assert "viewer" not in started(name)


def test_rviz_shows_the_images_of_any_camera_where_it_is_told_to_stand() -> None:
    nodes = started("teleop", rviz="true", camera="none", image_topic="/cam/image_raw")
    images = remappings_of(nodes["rviz2"])["image_raw/compressed"]
    assert images == "/cam/image_raw/compressed"
    for frame, placed in (("cam_optical", ["cam_optical"]), ("", [])):
        node = started("teleop", rviz="true", camera_frame=frame)["static_transform_publisher"]
        assert [a for a in node._Node__arguments if a == "cam_optical"] == placed


@pytest.mark.parametrize("name", ["teleop", "sim"])
def test_a_wrong_choice_is_refused_by_name(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"hand.*allegro"):
        started(name, hand="claw")


def test_a_real_hands_driver_takes_the_place_of_the_simulation() -> None:
    nodes = started("driver", driver="shadow", side="both")
    assert set(nodes) == {
        "camera",
        "hand_pose",
        "manager",
        *(f"{side}/{name}" for side in ("right", "left") for name in ("retargeting", "command")),
    }


def test_the_driver_says_which_controller_is_asked_for_its_joints() -> None:
    def asked(node: Any) -> str:
        return str(yaml.safe_load("".join(p.text for p in parameters_of(node)["controller"])))

    wonik = started("driver", driver="allegro_v4")["right/command"]
    assert asked(wonik) == "/allegro_hand_position_controller"
    nodes = started("teleop", simulator="none", controller="/{side}_hand", side="both")
    for side in ("right", "left"):
        assert asked(nodes[f"{side}/command"]) == f"/{side}_hand"
    assert "controller" not in parameters_of(started("teleop")["right/command"])


def test_a_real_hands_joints_are_recorded_and_shown(tmp_path: Path) -> None:
    """Each side's own, wherever its driver tells them."""
    own = yaml.safe_load((ROOT / "config/drivers/shadow.yaml").read_text(encoding="utf-8"))
    own["joint_states_topic"] = "/{prefix}/joint_states"
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    driver = str(tmp_path / "own.yaml")
    nodes = started("driver", driver=driver, side="both", record="true", view="true")
    for name in ("recorder", "viewer"):
        remapped = remappings_of(nodes[name])
        for side, prefix in (("right", "rh"), ("left", "lh")):
            assert remapped[f"{side}/joint_states"] == f"/{prefix}/joint_states"
            commands = f"/{prefix}_trajectory_controller/joint_trajectory"
            assert remapped[f"{side}/joint_command"] == commands
    for side, prefix in (("right", "rh"), ("left", "lh")):
        remapped = remappings_of(nodes[f"{side}/command"])
        assert remapped["joint_states"] == f"/{prefix}/joint_states"
    assert "right/joint_states" not in remappings_of(started("teleop", record="true")["recorder"])


def test_two_hands_are_not_told_the_same() -> None:
    from rejshand_ros.errors import ConfigError

    with pytest.raises(ConfigError, match="for both hands"):
        started("driver", driver="allegro_v4", side="both")
    for name in ("teleop", "sim"):
        with pytest.raises(ConfigError, match="for both hands"):
            started(name, side="both", joint_command_topic="/hand/command")
        started(name, side="left", joint_command_topic="/hand/command")
        started(name, side="both", joint_command_topic="/hand/{side}/command")


def test_an_unknown_driver_is_refused_by_name() -> None:
    from rejshand_ros.errors import ConfigError

    with pytest.raises(ConfigError, match="allegro_v4"):
        started("driver", driver="allegro_v9")


def test_a_missing_parameter_file_is_named() -> None:
    from rejshand_ros.errors import ConfigError

    with pytest.raises(ConfigError, match=r"params_file '/no/such.yaml'"):
        started("teleop", params_file="/no/such.yaml")


def test_parameter_file_holds_the_defaults_of_parameters_that_exist() -> None:
    from dataclasses import fields
    from importlib import import_module

    from rejshand_ros.nodes.base import ChainNode

    sections = yaml.safe_load((ROOT / "config/params.yaml").read_text(encoding="utf-8"))
    assert len(sections) >= 5
    for section, content in sections.items():
        name = section.removeprefix("/**/")
        module = import_module(f"rejshand_ros.nodes.{name}")
        nodes = [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, ChainNode) and item is not ChainNode
        ]
        defaults = {field.name: field.default for field in fields(nodes[0].CONFIG)}
        for key, value in content["ros__parameters"].items():
            assert defaults[key] == value, f"{section} {key}"


def test_launch_files_compile_without_ros() -> None:
    for name in FILES:
        source = (ROOT / "launch" / f"{name}.launch.py").read_text(encoding="utf-8")
        compile(source, name, "exec")


def test_show_args() -> None:
    pytest.importorskip("ros2launch", reason="needs ros2launch, which a ROS 2 installation brings")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from ros2cli.cli import main; sys.exit(main(argv=sys.argv[1:]))",
            "launch",
            str(ROOT / "launch/teleop.launch.py"),
            "--show-args",
        ],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "'hand':" in done.stdout and "allegro" in done.stdout
