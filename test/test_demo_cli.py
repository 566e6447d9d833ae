"""The command line and the nodes' processes on bad input: one line, a status, no traceback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from rejshand_ros.cli import VERBS, main

IMAGES = "images"
ROOT = Path(__file__).parents[1]


def run(*arguments, timeout=60):
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["dmeo"], 2, "valid: demo"),
        (["demo", "--hand", "claw"], 2, "allegro"),
        (["demo", "--side", "up"], 2, "right, left, both"),
        (["demo", "--transport", "zip"], 2, "compressed, raw"),
        (["demo", "--input", __file__], 1, "as a video"),
        (["demo", "--weights", "none_such", "--input", IMAGES], 1, "none_such"),
        (["demo", "--input", "nowhere.mp4"], 1, "nowhere.mp4"),
        (["demo", "--input", "/dev/video99"], 1, "/dev/video99"),
        (["teleop", "--input", "/dev/video99"], 1, "/dev/video99"),
        (["teleop", "--simulator", "dream"], 2, "mujoco, scripted, none"),
        (["inspect", "nowhere"], 1, "nowhere"),
    ],
)
def test_bad_choices_end_in_one_line(arguments, status, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(IMAGES).mkdir()
    cv2.imwrite(f"{IMAGES}/0.png", np.zeros((48, 64, 3), np.uint8))
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)
    assert main([]) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_asked_for_help(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"rejshand {verb}" in capsys.readouterr().out


@pytest.mark.ros
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["camera", "--ros-args", "-p", "inptu:=x"], 2, "unknown parameter inptu; valid: "),
        (["camera", "--ros-args", "-p", "input:=x.mp4"], 1, "no video at x.mp4"),
        (["command", "--ros-args", "-p", "hand:=claw"], 2, "allegro"),
        (["hand_pose", "--ros-args", "-p", "weights:=none_such"], 1, "none_such"),
        (["simulation", "--ros-args", "-p", "backend:=dream"], 2, "'mujoco', 'scripted'"),
        (["recorder", "--ros-args", "-p", "extra_topics:=[nonsense]"], 2, "topic:package/msg/Name"),
        (["retargeting", "--ros-args", "-p", "side:=both"], 2, "'right', 'left'"),
    ],
)
def test_a_node_that_cannot_start_says_why_in_one_line(arguments, status, words):
    done = run(f"rejshand_ros.nodes.{arguments[0]}", *arguments[1:])
    assert done.returncode == status
    assert words in done.stderr
    assert done.stderr.strip().count("\n") == 0


@contextmanager
def ready_node() -> Iterator[subprocess.Popen[str]]:
    """A node that has said on the pipe of its parent that it is ready."""
    ready_read, ready_write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "rejshand_ros.nodes.command"],
        cwd=ROOT,
        env={
            **os.environ,
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF",
            "REJSHAND_READY_FD": str(ready_write),
        },
        pass_fds=[ready_write],
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(ready_write)
    try:
        assert os.read(ready_read, 16) == b"ready\n"
        os.close(ready_read)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.ros
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_node_well(number):
    with ready_node() as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert errors == ""


@pytest.mark.ros
def test_sigint_again_at_whatever_moment_does_not_kill_a_node_that_ends():
    """`ros2 launch` sends it once more; rclpy once left 50 microseconds without a handler."""
    with ready_node() as process:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            time.sleep(0.00001)
        assert process.returncode == 0
