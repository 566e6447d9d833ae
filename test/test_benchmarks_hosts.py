"""The judge of the benchmark with three hosts: what it measures of a cut and between cuts."""

import numpy as np
import pytest

from benchmarks.fault_invariants import SeenCommand
from benchmarks.hosts import Cut, judged, needless_holds
from rejshand_ros.command.command import TeleopPhase

MS = 1_000_000
CUT = Cut(("network", "robot"), 1000 * MS, 2000 * MS)


def stream(holding: set[int]) -> list[SeenCommand]:
    """A command each 10 ms for ten seconds; those of these numbers hold, the others follow."""
    return [
        SeenCommand(
            number, number * 10 * MS, number * 10 * MS - 12 * MS,
            TeleopPhase.HOLDING if number in holding else TeleopPhase.TRACKING,
            np.zeros(1), np.zeros(1),
        )
        for number in range(1, 1000)
    ]  # fmt: skip


def test_a_cut_is_measured_from_its_beginning_and_the_recovery_from_its_end():
    facts = judged(CUT, stream(set(range(108, 230))))
    assert facts["last_followed_ms"] == pytest.approx(70)
    assert facts["hold_ms"] == pytest.approx(80)
    assert facts["recovered_s"] == pytest.approx(0.3)


def test_a_hand_that_never_holds_or_never_comes_back_is_not_in_time():
    assert judged(CUT, stream(set()))["hold_ms"] == float("inf")
    assert judged(CUT, stream(set(range(108, 1000))))["recovered_s"] == float("inf")


def test_only_holds_far_from_any_cut_are_needless():
    last = Cut(CUT.cable, 9000 * MS, 9500 * MS)
    holding = {50, *range(108, 230), 500, 800, 801, 905, 970}
    assert needless_holds([CUT, last], stream(holding)) == 2
