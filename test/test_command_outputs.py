"""Forms of output: names and order as the driver has them, or a refusal that shows both."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.outputs import (
    DriverJoints,
    JointStateOutput,
    MultiArrayOutput,
    OutputForm,
    TrajectoryOutput,
    format_command,
)
from rejshand_ros.errors import ConfigError, InputError

OURS = ("a", "b", "c")
COMMAND = HandCommand(
    0, None, TeleopPhase.TRACKING, "", OURS, np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), False
)


def test_forms_follow_the_drivers_names_and_order() -> None:
    joints = DriverJoints.build(OURS, {"j1": "b", "j0": "a", "j2": "c"})
    state = format_command(COMMAND, OutputForm.JOINT_STATE, joints)
    assert state == JointStateOutput(("j1", "j0", "j2"), (2.0, 1.0, 3.0), (5.0, 4.0, 6.0))
    array = format_command(COMMAND, OutputForm.FLOAT64_MULTI_ARRAY, joints)
    assert array == MultiArrayOutput((2.0, 1.0, 3.0))
    trajectory = format_command(COMMAND, OutputForm.JOINT_TRAJECTORY, joints, 0.05)
    assert trajectory == TrajectoryOutput(("j1", "j0", "j2"), (2.0, 1.0, 3.0), 0.05)


def test_state_of_the_driver_returns_in_our_order() -> None:
    joints = DriverJoints.build(OURS, {"j1": "b", "j0": "a", "j2": "c"})
    assert joints.from_driver(["arm", "j0", "j1", "j2"], [9, 1, 2, 3]) == [1, 2, 3]
    with pytest.raises(ConfigError, match=r"ours \| theirs"):
        joints.from_driver(["j0", "j1"], [1, 2])
    with pytest.raises(InputError):
        joints.from_driver(["j0", "j1"], [1])
    # A joint that has two positions has none; what is not the hand's does not matter.
    with pytest.raises(InputError, match="j1 twice"):
        joints.from_driver(["j0", "j1", "j2", "j1"], [1, 2, 3, 4])
    assert joints.from_driver(["arm", "arm", "j0", "j1", "j2"], [8, 9, 1, 2, 3]) == [1, 2, 3]


def test_other_joints_are_refused_side_by_side() -> None:
    with pytest.raises(ConfigError, match=r"a \| b; b \| a; c \| d"):
        DriverJoints.build(OURS, {"j1": "b", "j0": "a", "j2": "d"}, "driver test")
    with pytest.raises(ConfigError, match=r"j1 \| j0; j0 \| j1; j2 \| j2"):
        DriverJoints.build(OURS, {"j1": "b", "j0": "a", "j2": "c"}).check_receiver(
            ("j0", "j1", "j2"), "the controller"
        )
    with pytest.raises(ConfigError):
        format_command(COMMAND, OutputForm.JOINT_STATE, DriverJoints.same(("x", "b", "c")))


def test_unknown_form_names_the_valid_ones() -> None:
    assert OutputForm.parse("joint_state") is OutputForm.JOINT_STATE
    with pytest.raises(ConfigError, match="float64_multi_array"):
        OutputForm.parse("floats")
