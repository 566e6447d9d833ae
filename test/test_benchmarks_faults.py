"""The judge of the fault benchmark: the controller passes, what breaks a rule is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fault_invariants import CommandRules, SeenCommand
from rejshand_ros.command.command import TeleopPhase
from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.controller import TeleopController
from rejshand_ros.command.limits import JointLimits

LIMITS = JointLimits(("a", "b"), [-1.0, 0.0], [1.0, 1.5], [3.0, 2.0], [30.0, 20.0])
SECOND, TICK = 1_000_000_000, 10_000_000


def commands(events, seed=0):
    """What a controller issues: an event a tick, each a pause, a target or a jump of the clock."""
    controller = TeleopController(LIMITS, CommandConfig(auto_engage=True))
    rng = np.random.default_rng(seed)
    now, number, issued = 1_700_000_000 * SECOND, 0, []
    controller.on_measured([0.0, 0.5], now)

    def tick():
        nonlocal number
        command = controller.tick(now)
        if command is None:
            return
        number += 1
        issued.append(
            SeenCommand(
                number, command.issued_ns, command.capture_ns or 0, command.phase,
                command.positions, command.velocities,
            )
        )  # fmt: skip

    for kind, size in events:
        now += TICK
        if kind == "target":
            controller.on_target(rng.uniform(LIMITS.lower, LIMITS.upper), now - TICK, now)
        elif kind == "pause":
            now += round(size * SECOND)
        elif kind == "jump":
            now -= round(size * SECOND)
        tick()
    return issued


def judged(issued):
    rules = CommandRules(LIMITS)
    rules.measured(np.array([0.0, 0.5]))
    for command in issued:
        rules.see(command)
    assert rules.checked == len(issued)
    return rules.violations


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["target"] * 6 + ["wait"] * 6 + ["pause", "jump"]), st.floats(0.0, 4.0)
    ),
    min_size=1,
    max_size=120,
)


@given(events=EVENTS, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_what_the_controller_issues_keeps_the_rules(events, seed):
    assert judged(commands(events, seed)) == []


@pytest.fixture
def smooth():
    """Half a second of following."""
    return commands([("target" if i % 3 == 0 else "wait", 0.0) for i in range(50)])


def changed(issued, index, **values):
    return [*issued[:index], replace(issued[index], **values), *issued[index + 1 :]]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("not finite", lambda c: {"positions": c.positions * np.nan}),
        ("not finite", lambda c: {"positions": np.zeros(3)}),
        ("outside the position limits", lambda c: {"positions": LIMITS.upper + 0.01}),
        ("faster than the velocity limit", lambda c: {"positions": c.positions + 0.2}),
        ("beyond the acceleration limit", lambda c: {"velocities": c.velocities + 1.0}),
        ("moved while the clock went back", lambda c: {"issued_ns": c.issued_ns - SECOND}),
        ("image that was", lambda c: {"capture_ns": c.capture_ns - SECOND}),
    ],
)
def test_what_breaks_a_rule_is_named(smooth, words, change):
    assert judged(smooth) == []
    broken = judged(changed(smooth, 30, **change(smooth[30])))
    assert any(words in violation for violation in broken), broken


def test_following_an_old_input_is_named(smooth):
    still = smooth[20]
    copies = [
        replace(still, number=still.number + i, issued_ns=still.issued_ns + i * TICK,
                velocities=still.velocities * 0)
        for i in range(1, 15)
    ]  # fmt: skip
    assert any("input that was" in violation for violation in judged([*smooth[:21], *copies]))


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        ("tracked straight after holding", lambda s: changed(s, 39, phase=TeleopPhase.HOLDING)),
        ("tracked on after a gap", lambda s: [*s[:40], *(late(c) for c in s[40:])]),
        ("began without a ramp", lambda s: changed(s, 0, phase=TeleopPhase.TRACKING)),
        (
            "from where the hand was",
            lambda s: changed(s, 0, positions=np.array([0.9, 1.4]), phase=TeleopPhase.RAMPING),
        ),
    ],
)
def test_a_missing_ramp_is_named(smooth, words, stream):
    following = [replace(c, phase=TeleopPhase.TRACKING) for c in smooth]
    following[0] = replace(smooth[0], phase=TeleopPhase.RAMPING)
    assert judged(following) == []
    broken = judged(stream(following))
    assert any(words in violation for violation in broken), broken


def late(command):
    return replace(
        command, issued_ns=command.issued_ns + SECOND // 2,
        capture_ns=command.capture_ns + SECOND // 2,
    )  # fmt: skip
