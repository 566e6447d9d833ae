"""What a file from elsewhere cannot do: run code, or reach for files outside its folder."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.resources import named_by, resource_path
from rejshand_ros.retargeting.robot_hand import read_robot_hand
from rejshand_ros.urdf import read_urdf

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*ROOT.glob("rejshand_ros/**/*.py"), *ROOT.glob("scripts/*.py")]
_HAND_NODES = ("command", "retargeting", "simulation")
OUTSIDE = ("/etc/passwd", "../../../../etc/passwd", "../../secret", "x\0y")


@given(st.lists(st.sampled_from(("..", ".", "a", "", "etc")), max_size=8).map("/".join))
def test_a_named_file_never_leaves_the_folder_above(name: str) -> None:
    try:
        path = named_by(Path("/home/ada/robot/hands/hand.yaml"), name)
    except ConfigError:
        return
    assert path.resolve().is_relative_to("/home/ada/robot")


@pytest.mark.parametrize("name", OUTSIDE)
def test_configs_and_urdfs_cannot_name_files_elsewhere(name: str, tmp_path: Path) -> None:
    hand = resource_path("config/hands/allegro_right.yaml").read_text()
    path = tmp_path / "hands/hand.yaml"
    path.parent.mkdir()
    quoted = name.replace("\0", "\\0")
    path.write_text(hand.replace("urdf/allegro_right.urdf", f'"{quoted}"'))
    with pytest.raises(ConfigError, match=r"outside|a text is needed"):
        read_robot_hand(path)
    if "\0" not in name:
        urdf = tmp_path / "hands/hand.urdf"
        mesh = f'<visual><geometry><mesh filename="{name}"/></geometry></visual>'
        urdf.write_text(f'<robot name="r"><link name="base">{mesh}</link></robot>')
        with pytest.raises(ModelFileError, match="outside"):
            read_urdf(urdf)
    with pytest.raises(ConfigError):
        resource_path(name)


def test_nothing_that_runs_code_reads_a_file() -> None:
    """torch's and NumPy's pickles with code, plain pickle, and YAML's objects."""
    forbidden = (
        r"torch\.load\((?![^)]*weights_only=True)",
        r"allow_pickle=True",
        r"pickle\.loads?\(",
        r"yaml\.(unsafe_load|full_load|load)\(",
        r"(?<![\w.])eval\(|(?<![\w.])exec\(",
        r"shell=True",
    )
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for pattern in forbidden:
            assert not re.search(pattern, text), f"{path.relative_to(ROOT)}: {pattern}"


def test_every_dependency_is_pinned_and_its_licence_listed() -> None:
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    pins = [
        line
        for name in ("ros", "core", "export", "training", "dev", "lerobot")
        for line in (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert len(pins) > 100
    for pin in pins:
        package, exactly, version = pin.partition("==")
        assert exactly, f"{pin} is not pinned"
        row = re.search(
            rf"^\| {re.escape(package)} \| {re.escape(version)} \| (.+) \|$", page, re.M
        )
        assert row, f"run scripts/list_licences.py: {pin} is not in docs/licences.md"
    assert "not told" not in page


def test_the_policy_lets_each_node_do_what_an_episode_needs() -> None:
    """Least of all: publish the chain's topics, and let the recorder hear every one of them."""
    from rejshand_ros.nodes.topics import SIDES, chain_topics

    root = ElementTree.parse(ROOT / "config/security/policy.xml").getroot()
    enclaves = {tag.get("path"): tag for tag in root.iter("enclave")}
    nodes = {"camera", "hand_pose", "recorder", "viewer", "frames", "markers", "manager"}
    nodes |= {f"{side}/{node}" for side in SIDES["both"] for node in _HAND_NODES}
    assert set(enclaves) == {f"/{node}" for node in nodes}

    def allowed(enclave: ElementTree.Element, right: str) -> set[str | None]:
        return {
            topic.text
            for part in enclave.iter("topics")
            if part.get(right) == "ALLOW"
            for topic in part.iter("topic")
        }

    wanted = {"/" + topic.name.lstrip("/") for topic in chain_topics(SIDES["both"])}
    assert wanted <= allowed(enclaves["/recorder"], "subscribe")
    published = set().union(*(allowed(enclave, "publish") for enclave in enclaves.values()))
    assert wanted <= published
    # The manager asks each node for its state, and changes it.
    requests = {
        service.text
        for part in enclaves["/manager"].iter("services")
        if part.get("request") == "ALLOW"
        for service in part.iter("service")
    }
    managed = nodes - {"viewer", "frames", "markers", "manager"}
    assert requests == {f"/{n}/{verb}_state" for n in managed for verb in ("get", "change")}
    # Nobody but its own side's command node moves a hand.
    for side in SIDES["both"]:
        topic = f"/{side}/joint_command"
        movers = [path for path, tag in enclaves.items() if topic in allowed(tag, "publish")]
        assert movers == [f"/{side}/command"]


def test_the_policy_is_what_the_nodes_of_a_running_chain_do() -> None:
    script = ROOT / "scripts/make_security_policy.py"
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
