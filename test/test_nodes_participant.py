"""The numbers of DDS participants, and that a newcomer does not get a dead one's."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rejshand_ros.nodes.participant import (
    FIRST,
    LAST,
    PROFILES_FILE,
    next_number,
    numbered_participant,
)
from rejshand_ros.resources import resource_path

DOMAIN, OF_NODES = 29, 27
"""Below those that this project reserves for itself; a node of one must not disturb the other."""


def test_every_number_has_its_turn_before_one_comes_again(tmp_path):
    numbers = [next_number(DOMAIN, tmp_path) for _ in range(2 * (LAST - FIRST + 1))]
    assert numbers == 2 * list(range(FIRST, LAST + 1))


def test_domains_are_numbered_apart(tmp_path):
    assert next_number(DOMAIN, tmp_path) == next_number(DOMAIN - 1, tmp_path) == FIRST


def test_a_number_in_use_is_left_out(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as user:
        user.bind(("", 7400 + 250 * DOMAIN + 10 + 2 * (FIRST + 1)))
        assert [next_number(DOMAIN, tmp_path) for _ in range(2)] == [FIRST, FIRST + 2]


def test_no_number_where_all_are_in_use(tmp_path):
    users = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(FIRST, LAST + 1)]
    try:
        for number, user in enumerate(users, FIRST):
            user.bind(("", 7400 + 250 * DOMAIN + 10 + 2 * number))
        assert next_number(DOMAIN, tmp_path) is None
    finally:
        for user in users:
            user.close()


def test_newcomers_at_the_same_time_get_different_numbers(tmp_path):
    numbers = []
    threads = [
        threading.Thread(target=lambda: numbers.append(next_number(DOMAIN, tmp_path)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 20


@pytest.mark.parametrize("memory", [b"nonsense", b"-7", b""])
def test_a_broken_memory_is_begun_anew(tmp_path, memory):
    (tmp_path / str(DOMAIN)).write_bytes(memory)
    assert [next_number(DOMAIN, tmp_path) for _ in range(2)] == [FIRST, FIRST + 1]


def test_a_memory_that_cannot_be_written_costs_only_the_turn(tmp_path):
    (tmp_path / "file").touch()
    assert FIRST <= next_number(DOMAIN, tmp_path / "file") <= LAST


def test_the_profile_gets_the_number_and_is_put_back(tmp_path, monkeypatch):
    ours = str(resource_path("config/fastdds.xml"))
    monkeypatch.setenv(PROFILES_FILE, ours)
    with numbered_participant(DOMAIN, tmp_path) as number:
        copy = Path(os.environ[PROFILES_FILE])
        assert f"<rtps><participantID>{number}</participantID>" in copy.read_text()
    assert os.environ[PROFILES_FILE] == ours
    assert not copy.exists()


@pytest.mark.parametrize("profile", [None, "<dds/>", "missing"])
def test_another_profile_is_left_alone(tmp_path, monkeypatch, profile):
    monkeypatch.delenv(PROFILES_FILE, raising=False)
    if profile is not None:
        path = tmp_path / "other.xml"
        if profile != "missing":
            path.write_text(profile)
        monkeypatch.setenv(PROFILES_FILE, str(path))
    before = os.environ.get(PROFILES_FILE)
    with numbered_participant(DOMAIN, tmp_path) as number:
        assert number is None
        assert os.environ.get(PROFILES_FILE) == before


def ports_of(process: int) -> set[str]:
    """The shared-memory ports at which a process listens as a participant of the domain."""
    links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
    names = {Path(link).name.removesuffix("_el") for link in links if "_port" in link}
    first = 7400 + 250 * OF_NODES
    return {name for name in names if first <= int(name.rpartition("port")[2]) < first + 250}


@pytest.mark.ros
def test_who_replaces_a_killed_node_listens_elsewhere():
    ports = []
    for _ in range(2):
        ready_read, ready_write = os.pipe()
        environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(OF_NODES),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "REJSHAND_READY_FD": str(ready_write),
            PROFILES_FILE: str(resource_path("config/fastdds.xml")),
        }
        command = [sys.executable, "-m", "rejshand_ros.nodes.command"]
        with subprocess.Popen(command, env=environment, pass_fds=[ready_write]) as process:
            os.close(ready_write)
            assert os.read(ready_read, 16) == b"ready\n"
            os.close(ready_read)
            ports.append(ports_of(process.pid))
            process.send_signal(signal.SIGKILL)
    if not any(ports):
        pytest.skip("another middleware than Fast DDS, or no shared memory")
    assert all(ports)
    assert not ports[0] & ports[1]
