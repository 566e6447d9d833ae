"""Processes as one: readiness, deaths, stopping, and no orphans."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rejshand_ros.demo.domain import given_domain, reserved_domain
from rejshand_ros.demo.processes import ProcessGroup, ProcessSpec
from rejshand_ros.demo.respawning import RespawningGroup
from rejshand_ros.errors import ConfigError, ProcessError

CHILD = """
import os, signal, sys, time
from rejshand_ros.nodes.supervision import Supervision
role = [a for a in sys.argv if a.startswith("role")][0].split("=")[1].strip('"')
if role == "dies":
    sys.exit("dies: no such thing")
if role == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
else:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
supervision = Supervision.from_environment()
if role != "slow":
    supervision.say_ready()
def go():
    print("going", flush=True)
    if role == "ends":
        os._exit(0)
    if role == "falls":
        print("falls: over", flush=True)
        os._exit(3)
supervision.watch(go, lambda: os._exit(0))
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def group(tmp_path, monkeypatch):
    (tmp_path / "node_stand_in.py").write_text(CHILD)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    monkeypatch.setenv("PYTHONPATH", path)
    group = ProcessGroup(dict(os.environ), tmp_path / "logs")
    yield group
    with contextlib.suppress(ProcessError):  # some stand-ins have died, as they should
        group.stop()


def spec(role, name=None):
    # Text parameters are handed over quoted; the stand-in reads the role from its arguments.
    return _Stand(name or role, "node_stand_in", {"role": role})


class _Stand(ProcessSpec):
    def command(self):
        return [sys.executable, "-m", self.module, f"role={self.parameters['role']}"]


def until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ready_go_end_and_stop(group, tmp_path):
    group.start([spec("lives"), spec("ends")])
    group.wait_ready(10)
    assert not group.has_ended("ends")
    group.go("lives")
    group.go("ends")
    until(lambda: group.has_ended("ends"))
    group.check(may_end=["ends"])
    with pytest.raises(ProcessError, match="ends ended with status 0"):
        group.check()
    until(lambda: (tmp_path / "logs/lives.log").read_text() == "going\n")
    group.stop(last=["lives"])
    assert not group._children


def test_a_death_at_the_start_tells_the_last_line(group):
    group.start([spec("lives"), spec("dies")])
    with pytest.raises(ProcessError, match="dies ended with status 1: dies: no such thing"):
        group.wait_ready(10)


def test_a_death_on_the_way_is_noticed(group):
    group.start([spec("lives"), spec("falls")])
    group.wait_ready(10)
    group.go("falls")

    until(lambda: group._children["falls"].process.poll() is not None)
    with pytest.raises(ProcessError, match="falls ended with status 3: falls: over"):
        group.check()


def test_waiting_for_readiness_is_bounded(group):
    group.start([spec("lives"), spec("slow")])
    with pytest.raises(ProcessError, match="slow not ready after"):
        group.wait_ready(1.0)


def test_one_that_does_not_stop_is_killed_and_named(group):
    group.start([spec("deaf"), spec("lives")])
    group.wait_ready(10)
    pid = group._children["deaf"].process.pid
    with pytest.raises(ProcessError, match="deaf did not stop"):
        group.stop(timeout_s=0.3)
    assert not Path(f"/proc/{pid}").exists()


def test_no_child_outlives_a_killed_parent(tmp_path):
    (tmp_path / "node_stand_in.py").write_text(CHILD)
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from test_demo_processes import spec\n"
        "from rejshand_ros.demo.processes import ProcessGroup\n"
        "group = ProcessGroup(dict(os.environ), Path(sys.argv[1]))\n"
        "group.start([spec('deaf'), spec('lives')])\n"
        "group.wait_ready(10)\n"
        "print(*[c.process.pid for c in group._children.values()], flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(tmp_path), str(root), str(root / "test")])
    process = subprocess.Popen(
        [sys.executable, str(parent), str(tmp_path / "logs")],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    pids = process.stdout.readline().split()
    assert len(pids) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    def gone(pid):
        status = Path(f"/proc/{int(pid)}/stat")
        # Nobody may be there to reap an orphan: a zombie has ended as well.
        return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"

    until(lambda: all(gone(pid) for pid in pids))


def test_parameters_keep_their_kind_on_the_command_line():
    command = ProcessSpec(
        "camera", "m", {"input": "3", "flip": True, "fps": 30.0}, "right"
    ).command()
    assert command[1:4] == ["-m", "m", "--ros-args"]
    assert command[4:] == [
        "-p",
        'input:="3"',
        "-p",
        "flip:=true",
        "-p",
        "fps:=30.0",
        "-r",
        "__ns:=/right",
    ]


def test_domains_are_not_shared():
    with reserved_domain() as one, reserved_domain() as two:
        assert one != two


def test_a_domain_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "mine")
    with pytest.raises(ConfigError, match="'mine'"):
        given_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", "17")
    assert given_domain() == 17
    monkeypatch.delenv("ROS_DOMAIN_ID")
    assert given_domain() is None


# Processes that are started again.


@pytest.fixture
def kept(group, tmp_path):
    kept = RespawningGroup(group._environment, tmp_path / "logs")
    yield kept
    with contextlib.suppress(ProcessError):  # one may die at this very moment
        kept.stop()


def tending(kept, condition, **options):
    def tended():
        kept.tend(**options)
        return condition()

    until(tended)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_who_dies_is_started_again_and_told_to_go(kept, tmp_path, number):
    kept.start([spec("lives"), spec("lives", "other")])
    kept.wait_ready(10)
    for name in ("lives", "other"):
        kept.go(name)
    log = tmp_path / "logs/lives.log"
    until(lambda: log.read_text() == "going\n")
    first, other = kept.pid("lives"), kept.pid("other")
    os.kill(first, number)
    tending(kept, lambda: log.read_text() == "going\n" * 2)
    assert kept.is_up("lives")
    assert kept.pid("lives") != first
    assert kept.pid("other") == other
    assert kept.restarts == {"lives": 1}


def test_who_keeps_dying_is_tried_ever_more_seldom(kept):
    kept.start([spec("falls")])
    kept.wait_ready(10)
    kept.go("falls")
    delays = []
    tending(
        kept,
        lambda: (
            delays.append(kept._returns["falls"].delay_s if kept._returns else 0)
            or kept.restarts["falls"] >= 2
        ),
    )
    assert sorted(set(delays))[-2:] == [0.1, 0.2]


def test_who_may_end_stays_ended(kept):
    kept.start([spec("ends")])
    kept.wait_ready(10)
    kept.go("ends")
    tending(kept, lambda: kept.has_ended("ends"), may_end=["ends"])
    assert not kept.restarts


def test_who_only_looks_on_neither_delays_nor_ends_the_others(group, capfd):
    slow = _Stand("slow", "node_stand_in", {"role": "slow"}, essential=False)
    falls = _Stand("falls", "node_stand_in", {"role": "falls"}, essential=False)
    group.start([spec("lives"), slow, falls])
    group.wait_ready(10)
    group.go("falls")
    until(lambda: group._children["falls"].process.poll() is not None)
    group.check()
    group.check()
    assert capfd.readouterr().err == "falls ended with status 3: falls: over; the rest goes on\n"
    group.stop()
