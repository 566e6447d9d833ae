"""Keys that engage and stop: what they ask of the command nodes, and what happens at the end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest
from ros_graph import ros_graph

from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.errors import ProcessError
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.engage import TeleopKeys
from rejshand_ros.nodes.terminal_session import spin_until, terminal_session

pytestmark = pytest.mark.ros
ENGAGE = [sys.executable, "-m", "rejshand_ros.cli", "engage"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard's end and the program's end of a terminal."""
    keyboard, program = pty.openpty()
    yield keyboard, program
    os.close(keyboard)
    os.close(program)


def test_each_key_reaches_both_hands() -> None:
    with ros_graph() as graph:
        keys = TeleopKeys(graph.probe, ("right", "left"))
        assert keys.missing == ("right", "left")
        for side in ("right", "left"):
            graph.add(CommandNode, namespace=side, side=side)
        graph.until(lambda: not keys.missing)

        def press(key: str, name: str) -> None:
            for side, answer in keys.press(key).items():
                graph.until(answer.done)
                assert answer.result().success, (side, answer.result().message)
            graph.until(lambda: {state.name for state in keys.states.values()} == {name})

        press("e", "holding")
        press("d", "disengaged")
        press("e", "holding")
        press(" ", "stopped")
        refused = keys.press("e")["left"]
        graph.until(refused.done)
        assert "release" in refused.result().message
        press("r", "disengaged")
        assert keys.press("x") == {}


@pytest.mark.parametrize("end", ["q", "signal", "hang-up", "terminal"])
def test_whoever_leaves_the_switch_lets_go_of_the_hand(end: str) -> None:
    keyboard, program = pty.openpty()
    with ros_graph() as graph:
        # Holds for a minute: what disengages here is the end of the keys.
        node = graph.add(CommandNode, namespace="right", disengage_after_s=60.0)
        environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())}
        process = subprocess.Popen(
            ENGAGE,
            stdin=program,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        try:
            graph.until(lambda: not termios.tcgetattr(program)[3] & termios.ICANON, timeout_s=30.0)
            os.write(keyboard, b"e")
            graph.until(lambda: node._controller.phase.name == "HOLDING")
            os.close(program)
            if end == "q":
                os.write(keyboard, b"q")
            elif end == "signal":
                process.send_signal(signal.SIGTERM)
            elif end == "hang-up":
                process.send_signal(signal.SIGHUP)
            if end == "terminal":
                os.close(keyboard)
            graph.until(lambda: node._controller.phase.name == "DISENGAGED")
            graph.until(lambda: process.poll() is not None)
        finally:
            process.kill()
            output, errors = process.communicate()
            if end != "terminal":
                os.close(keyboard)
    assert "space: emergency stop" in output
    assert "Traceback" not in errors
    assert process.returncode == {"q": 0, "signal": 130, "hang-up": 130, "terminal": 1}[end]


def test_a_second_signal_does_not_cut_the_last_disengage_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0

    def answered() -> bool:
        nonlocal looks
        looks += 1
        signal.raise_signal(signal.SIGTERM)
        return looks == 4

    with reserved_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        with terminal_session("keys", "") as (_, executor):
            with pytest.raises(KeyboardInterrupt):
                spin_until(executor, answered, 10.0, "no answer")
            assert looks == 1
            spin_until(executor, answered, 10.0, "no answer", interruptible=False)
            assert looks == 4
            with pytest.raises(ProcessError, match="no answer"):
                spin_until(executor, answered, 0.2, "no answer", interruptible=False)


def test_without_command_nodes_it_says_so(terminal: tuple[int, int]) -> None:
    _, program = terminal
    before = termios.tcgetattr(program)
    with ros_graph() as graph:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())}
        done = subprocess.run(
            [*ENGAGE, "--wait", "0.2"],
            stdin=program,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert "no command node answered within 0.2 s" in done.stderr
    assert termios.tcgetattr(program) == before


def test_without_a_terminal_and_with_a_wrong_side_there_is_one_clear_line() -> None:
    for arguments, words in (([], "joy_stop_button"), (["--side", "up"], "right, left, both")):
        done = subprocess.run(
            [*ENGAGE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
