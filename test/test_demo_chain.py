"""The whole chain as real processes: a clip in, a bag and a summary out; ends by every way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from mcap.exceptions import McapError
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader

from rejshand_ros.demo import teleop
from rejshand_ros.demo.run import DemoConfig, run_demo
from rejshand_ros.errors import ProcessError
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.synthetic.clip import render_clip

pytestmark = [pytest.mark.ros, pytest.mark.slow]
ROOT = Path(__file__).parents[1]
KEYS = {
    "frames_in", "frames_processed", "frames_dropped", "hand_found_ratio", "commands",
    "limit_violations", "solver_failures", "latency_ms", "mean_fingertip_error_mm", "bag", "hand",
    "side", "weights", "runtime",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    render_clip(folder / "clip.mp4", folder / "clip.npz", seconds=3.0, width=320, height=240)
    return folder / "clip.mp4"


def children_of(pid):
    """Processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def until(condition, timeout_s):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("hand", "side", "mirror"), [("allegro", "right", False), ("shadow", "left", True)]
)
def test_a_clip_becomes_commands_in_a_bag(clip, tmp_path, hand, side, mirror):
    out = tmp_path / "out"
    config = DemoConfig(
        input=str(clip), hand=hand, side=side, mirror=mirror, headless=True, out=out
    )
    summary = run_demo(config)
    assert set(summary) == KEYS
    assert json.loads((out / "summary.json").read_text()) == summary
    assert (summary["hand"], summary["side"]) == (hand, side)
    assert summary["frames_in"] == 90
    assert summary["frames_processed"] + summary["frames_dropped"] == 90
    assert summary["frames_processed"] > 10
    assert summary["hand_found_ratio"] > 0.5
    assert summary["commands"] > 5
    assert summary["limit_violations"] == 0
    assert summary["latency_ms"]["capture_to_command"]["p50"] > 0
    with EpisodeReader(out / "bag") as reader:
        counts = reader.message_counts
    for topic in (
        "/image_raw/compressed", "/hands", f"/{side}/hand_pose", f"/{side}/hand_mesh",
        f"/{side}/hand_mesh_faces", f"/{side}/joint_target", f"/{side}/hand_command",
        f"/{side}/joint_command", f"/{side}/joint_states",
    ):  # fmt: skip
        assert counts[topic] > 0, topic
    assert counts["/image_raw/compressed"] == 90
    assert (out / "preview.png").stat().st_size > 10_000
    assert (out / "preview.mp4").stat().st_size > 10_000


def start_demo(clip, out):
    """`rejshand demo` that plays its clip until it is stopped."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "rejshand_ros.cli", "demo", "--input", str(clip), "--out",
            str(out), "--no-preview",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_ctrl_c_stops_everything_cleanly(clip, tmp_path):
    process = start_demo(clip, tmp_path)
    assert "started in" in process.stdout.readline()
    nodes = children_of(process.pid)
    assert len(nodes) == 7
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=40)
    assert process.returncode == 0, errors
    assert errors == ""
    assert "results" in shown
    assert not any(Path(f"/proc/{pid}").exists() for pid in nodes)
    assert json.loads((tmp_path / "summary.json").read_text())["limit_violations"] == 0


def test_a_node_that_dies_ends_the_chain_in_one_line(clip, tmp_path):
    process = start_demo(clip, tmp_path)
    assert "started in" in process.stdout.readline()
    nodes = children_of(process.pid)
    victim = next(
        pid
        for pid in nodes
        if b"rejshand_ros.nodes.command" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "right/command ended with signal SIGKILL" in errors
    assert errors.count("\n") == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in nodes)
    # What was recorded until then is whole.
    with EpisodeReader(tmp_path / "bag") as reader:
        assert reader.message_counts["/image_raw/compressed"] >= 0


def node_of(pid, name):
    """The child that runs a node."""
    module = f"rejshand_ros.nodes.{name}".encode()
    for child in children_of(pid):
        with contextlib.suppress(OSError):
            if module in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    return None


def holds_an_image(path):
    """Whether an MCAP file, which may be growing, holds a compressed image yet."""
    images = set()
    with path.open("rb") as stream, contextlib.suppress(McapError):
        for record in StreamReader(stream).records:
            if isinstance(record, Channel) and record.topic == "/image_raw/compressed":
                images.add(record.id)
            elif isinstance(record, Message) and record.channel_id in images:
                return True
    return False


def test_a_kept_chain_survives_the_death_of_its_nodes(clip, tmp_path):
    program = (
        "import sys; from pathlib import Path;"
        "from rejshand_ros.demo.chain import ChainConfig;"
        "from rejshand_ros.demo.run import run_chain;"
        "run_chain(ChainConfig(input=sys.argv[1], out=Path(sys.argv[2]), loop=True, respawn=True,"
        " backend='scripted'), endless=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(clip), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "started in" in process.stdout.readline()
    killed = {name: node_of(process.pid, name) for name in ("command", "recorder")}

    def recorded(name):
        return any(holds_an_image(path) for path in (tmp_path / name).glob("*.mcap"))

    until(lambda: recorded("bag"), 20)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    for name in killed:
        assert "SIGKILL" in process.stderr.readline()
        until(lambda n=name: node_of(process.pid, n) not in (None, killed[n]), 20)
    until(lambda: recorded("bag_2"), 20)
    until((tmp_path / "bag/metadata.yaml").exists, 20)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 0, errors
    with EpisodeReader(tmp_path / "bag_2") as reader:
        assert reader.message_counts["/image_raw/compressed"] > 0


def test_teleop_ends_with_its_input_and_leaves_nothing(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    teleop.main(["--input", str(clip), "--simulator", "scripted", "--wait-for-engage"])
    assert "started in" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] in ([], ["rejshand_ros_domains"])


def test_a_camera_that_fails_on_the_way_is_said(tmp_path):
    """A folder whose images change their size half-way."""
    import cv2
    import numpy as np

    folder = tmp_path / "images"
    folder.mkdir()
    for index, width in enumerate((96, 96, 96, 64)):
        cv2.imwrite(str(folder / f"{index}.png"), np.zeros((64, width, 3), np.uint8))
    with pytest.raises(ProcessError, match=r"camera ended with status 1: camera: .*3\.png"):
        run_demo(DemoConfig(input=str(folder), headless=True, out=tmp_path / "out", preview=False))
