"""Keys that record: what they ask of the recorder, and a terminal left as it was found."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_graph import ros_graph

from rejshand_ros.errors import ConfigError
from rejshand_ros.nodes.record import EpisodeKeys
from rejshand_ros.nodes.recorder import RecorderNode
from rejshand_ros.nodes.terminal import TerminalKeys
from rejshand_ros.recording.episode import read_card

pytestmark = pytest.mark.ros
RECORD = [sys.executable, "-m", "rejshand_ros.cli", "record"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard's end and the program's end of a terminal."""
    keyboard, program = pty.openpty()
    yield keyboard, program
    os.close(keyboard)
    os.close(program)


def test_keys_come_one_by_one_and_the_terminal_is_restored(terminal: tuple[int, int]) -> None:
    keyboard, program = terminal
    before = termios.tcgetattr(program)

    def interrupted() -> None:
        with TerminalKeys(program) as keys:
            assert not termios.tcgetattr(program)[3] & (termios.ECHO | termios.ICANON)
            assert keys.read(0.0) == ""
            os.write(keyboard, b" f")
            assert keys.read(5.0) + keys.read(5.0) == " f"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert termios.tcgetattr(program) == before


def test_without_a_terminal_there_is_one_clear_line() -> None:
    reader, writer = os.pipe()
    with pytest.raises(ConfigError, match="no terminal"):
        TerminalKeys(reader)
    os.close(reader)
    os.close(writer)
    done = subprocess.run(RECORD, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "start_episode" in done.stderr


def test_without_a_recorder_it_says_so_and_restores(terminal: tuple[int, int]) -> None:
    _, program = terminal
    before = termios.tcgetattr(program)
    with ros_graph() as graph:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())}
        done = subprocess.run(
            [*RECORD, "--wait", "0.2"],
            stdin=program,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert "no recorder answered within 0.2 s" in done.stderr
    assert termios.tcgetattr(program) == before


def test_each_key_does_what_it_says(tmp_path: Path) -> None:
    with ros_graph() as graph:
        episodes = EpisodeKeys(graph.probe, task="pinch", operator="ada")
        graph.add(RecorderNode, folder=str(tmp_path))
        graph.until(lambda: episodes.connected)

        def press(key: str) -> Path:
            folder = episodes.folder
            answer = episodes.press(key)
            graph.until(answer.done)
            assert answer.result().success, answer.result().message
            graph.until(lambda: episodes.folder != folder)
            return Path(answer.result().path)

        assert episodes.press("f") is None
        assert episodes.press("d") is None
        succeeded, failed = (press(" "), press(" "))[1], (press(" "), press("f"))[1]
        thrown_away = (press(" "), press("d"))[1]
        assert episodes.press("x") is None
    cards = read_card(succeeded), read_card(failed)
    assert [card.success for card in cards] == [True, False]
    assert {(card.task, card.operator) for card in cards} == {("pinch", "ada")}
    assert not thrown_away.exists()


@pytest.mark.slow
def test_the_whole_verb_in_a_terminal(terminal: tuple[int, int], tmp_path: Path) -> None:
    keyboard, program = terminal
    before = termios.tcgetattr(program)
    with ros_graph() as graph:
        graph.add(RecorderNode, folder=str(tmp_path))
        environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.context.get_domain_id())}
        process = subprocess.Popen(
            RECORD, stdin=program, stdout=subprocess.PIPE, env=environment, text=True
        )
        try:
            begun = time.monotonic()

            def types(key: bytes, until) -> None:
                os.write(keyboard, key)
                graph.until(until, timeout_s=60.0 - (time.monotonic() - begun))

            def card(state: str) -> bool:
                paths = list(tmp_path.glob("*/episode.json"))
                return bool(paths) and read_card(paths[0].parent).state == state

            types(b"", lambda: not termios.tcgetattr(program)[3] & termios.ICANON)
            types(b" ", lambda: card("recording"))
            types(b" ", lambda: card("complete"))
            types(b"q", lambda: process.poll() is not None)
        finally:
            process.kill()
            output = process.communicate()[0]
    assert process.returncode == 0
    assert "space: start" in output and "complete" in output
    assert termios.tcgetattr(program) == before
