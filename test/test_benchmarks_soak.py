"""The soak: how the end is held against the start, and a few seconds of it with the real chain."""

from dataclasses import replace

import pytest

from benchmarks.machine_speed import reference_ms
from benchmarks.soak import Sample, judged, soak


def samples(grown_mb: float, grown_handles: int) -> list[Sample]:
    """A hundred seconds of two processes; the first settles at once, the second grows."""
    return [
        Sample(
            {"steady": 300.0 if at < 5 else 200.0, "other": 100.0 + grown_mb * at / 100},
            {"steady": 20, "other": 10 + grown_handles * at // 100},
        )
        for at in range(101)
    ]


def test_nothing_grows_where_nothing_grows():
    facts = judged(samples(0.0, 0), [20.0] * 100)
    assert facts["memory_growth_percent"] == 0.0
    assert facts["handles_grown"] == 0
    assert facts["latency_p95_ratio"] == 1.0


def test_growth_of_one_process_counts():
    delays_ms = [20.0] * 50 + [30.0] * 50
    facts = judged(samples(10.0, 5), delays_ms)
    # From the median of the seconds 10 to 30 to that of 80 to 100: 7 MB of 300.
    assert facts["memory_growth_percent"] == pytest.approx(100 * 7.05 / 302, abs=0.1)
    assert facts["memory_growth_percent_by_process"]["steady"] == 0.0
    assert facts["handles_grown"] == 4
    assert facts["latency_p95_ratio"] == 1.5
    assert facts["machine_ratio"] == 1.0


def test_a_machine_that_grew_slower_is_told_apart():
    looks = samples(0.0, 0)
    slower = [replace(look, reference_ms=5.0 if at < 50 else 6.0) for at, look in enumerate(looks)]
    assert judged(slower, [20.0] * 100)["machine_ratio"] == pytest.approx(1.2)
    assert reference_ms() > 0.0


@pytest.mark.ros
def test_seconds_of_video_go_through_the_real_chain():
    facts = soak(fps=60.0, video_s=12.0)
    assert facts["video_seconds"] >= 12.0
    assert facts["seconds"] < 60.0
    assert facts["images_processed"] + facts["images_skipped"] > 100
    assert facts["images_with_a_command"] > 20
    assert {"camera", "hand_pose", "right/command"} <= set(
        facts["memory_growth_percent_by_process"]
    )
