"""When the images of a file are due."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.nodes.schedule import FrameSchedule

SECOND = 1_000_000_000


def test_a_late_player_keeps_the_schedule():
    schedule = FrameSchedule(10.0, now_ns=5 * SECOND, steady_ns=77)
    late = 3 * SECOND
    dues = [schedule.next_due(5 * SECOND + i * late, 77 + i * late) for i in range(4)]
    assert np.diff(dues).tolist() == [SECOND // 10] * 3
    assert dues[0] == schedule.start_ns == 5 * SECOND + SECOND // 10


@given(
    jumps=st.lists(
        st.tuples(st.integers(0, 50), st.floats(-3600, 3600).filter(lambda s: abs(s) > 0.2)),
        max_size=5,
    )
)
def test_no_jump_of_the_clock_silences_or_hurries_the_camera(jumps):
    offset = 10_000 * SECOND
    schedule = FrameSchedule(30.0, offset, 0)
    by_frame = dict(jumps)
    for frame in range(51):
        offset += round(by_frame.get(frame, 0.0) * SECOND)
        steady = round(frame * SECOND / 30)
        due = schedule.next_due(offset + steady, steady)
        # Asked at the time of the frame before: due in one period, give or take rounding.
        assert abs(due - (offset + steady) - SECOND / 30) < 10
