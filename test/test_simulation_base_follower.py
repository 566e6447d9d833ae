"""The base follows the wrist's movement, never jumps, and never follows a stale wrist."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import RigidTransform, rotation_from_vector
from rejshand_ros.simulation.base_follower import BaseFollower, FollowerConfig

MS = 1_000_000
vectors = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(np.array)


def test_towards_the_camera_is_forward_and_up_is_up() -> None:
    follower = BaseFollower(RigidTransform())
    now = 0
    for step in range(300):
        now += 10 * MS
        share = min(step / 100, 1.0)
        wrist = RigidTransform(translation=np.array([0.0, -0.1 * share, 0.6 - 0.2 * share]))
        follower.on_wrist(wrist, now)
        base = follower.update(True, now)
    assert base.translation == pytest.approx([0.2, 0.0, 0.1], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.one_of(st.none(), vectors), st.sampled_from([10, 33, 500, -20])
        ),
        min_size=2,
        max_size=40,
    )
)
def test_never_jumps(events: list) -> None:
    config = FollowerConfig()
    follower = BaseFollower(RigidTransform(), config)
    now, last = 10**9, follower.update(False, 10**9)
    for following, wrist, period_ms in events:
        now += period_ms * MS
        if wrist is not None:
            follower.on_wrist(RigidTransform(rotation_from_vector(wrist), wrist), now)
        base = follower.update(following, now)
        longest = config.speed_m_s * max(0.0, min(0.05, period_ms * 1e-3))
        assert np.linalg.norm(base.translation - last.translation) <= longest + 1e-9
        if not following:
            assert base.translation == pytest.approx(last.translation)
        last = base


def test_taking_hold_again_starts_from_where_the_base_is() -> None:
    follower = BaseFollower(RigidTransform())
    follower.on_wrist(RigidTransform(), 0)
    follower.update(True, 0)
    follower.update(False, 10 * MS)
    follower.on_wrist(RigidTransform(translation=np.array([0.5, 0.0, 0.0])), 20 * MS)
    assert follower.update(True, 20 * MS).translation == pytest.approx(np.zeros(3))
    assert follower.update(True, 30 * MS).translation == pytest.approx(np.zeros(3))


def test_a_stale_or_lost_wrist_is_not_followed() -> None:
    follower = BaseFollower(RigidTransform())
    follower.on_wrist(RigidTransform(), 0)
    follower.update(True, 0)
    follower.on_wrist(RigidTransform(translation=np.full(3, np.nan)), 10 * MS)
    follower.on_wrist(RigidTransform(translation=np.ones(3)), 20 * MS)
    assert follower.update(True, 400 * MS).translation == pytest.approx(np.zeros(3))


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="scale"):
        FollowerConfig(scale=0.0)
