import numpy as np
import pytest
from hand_messages import hands, stamps
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rclpy.serialization import deserialize_message, serialize_message

from rejshand_msgs.msg import HandPose
from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.outputs import DriverJoints, OutputForm, format_command
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera, RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import conversions, joint_conversions
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

numbers = st.floats(-10, 10, width=32)
names = st.lists(st.text("abc_.0123", min_size=1, max_size=8), min_size=1, max_size=24, unique=True)


def wire(message):
    """Through the serialiser, as between two processes."""
    return deserialize_message(serialize_message(message), type(message))


@given(hands())
@settings(max_examples=40, deadline=None)
def test_a_hand_survives_the_wire(hand):
    message = wire(conversions.hand_to_message(hand, "camera_optical_frame"))
    back = conversions.hand_from_message(message, hand.vertices)
    assert message.header.frame_id == "camera_optical_frame"
    for name in ("stamp_ns", "side", "state", "score", "hand_length_m", "intrinsics_assumed"):
        assert getattr(back, name) == getattr(hand, name), name
    np.testing.assert_array_equal(back.keypoints_2d, hand.keypoints_2d)
    np.testing.assert_array_equal(back.keypoints_3d, hand.keypoints_3d)
    a, b = back.camera_from_wrist, hand.camera_from_wrist
    np.testing.assert_allclose(a.rotation, b.rotation, atol=1e-9)
    np.testing.assert_array_equal(a.translation, b.translation)


def test_a_lost_hand_is_no_hand():
    message = wire(conversions.lost_hand_message(5, Side.LEFT, "camera"))
    assert message.state == HandPose.STATE_LOST
    assert np.isnan(message.wrist.position.x)
    assert conversions.hand_from_message(message) is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda m: setattr(m, "side", "up"), "unknown side"),
        (lambda m: setattr(m, "state", 9), "state 9"),
        (lambda m: m.keypoints_3d.pop(), "20 points"),
        (lambda m: setattr(m.keypoints_3d[3], "x", float("inf")), "not finite"),
        (lambda m: setattr(m.wrist.position, "x", float("nan")), "not finite"),
        (lambda m: setattr(m.wrist.orientation, "w", float("nan")), "quaternion"),
    ],
)
def test_malformed_hands_are_refused(damage, words):
    hand = TrackedHand(
        1, Side.RIGHT, TrackState.TRACKING, 1.0, np.zeros((21, 2)), np.zeros((21, 3)),
        np.zeros((778, 3)), RigidTransform(), 0.19, False,
    )  # fmt: skip
    message = conversions.hand_to_message(hand, "")
    damage(message)
    with pytest.raises(InputError, match=words):
        conversions.hand_from_message(message)


def test_the_mirrored_mesh_turns_its_triangles():
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    assert conversions.faces_message(faces, Side.RIGHT).faces.tolist() == [0, 1, 2, 2, 1, 3]
    assert conversions.faces_message(faces, Side.LEFT).faces.tolist() == [2, 1, 0, 3, 1, 2]


@pytest.mark.parametrize("coefficients", [0, 4, 5, 8])
def test_a_calibrated_camera_survives_the_wire(coefficients):
    camera = PinholeCamera(
        640,
        480,
        np.array([[500.0, 0, 319], [0, 501, 239], [0, 0, 1]]),
        0.01 * np.arange(1, coefficients + 1),
    )
    back = conversions.camera_from_message(wire(conversions.camera_to_message(camera, 7, "f")))
    assert (back.width, back.height, back.assumed) == (640, 480, False)
    np.testing.assert_array_equal(back.matrix, camera.matrix)
    np.testing.assert_array_equal(back.distortion, camera.distortion)


def test_an_assumed_camera_is_sent_as_uncalibrated():
    camera = PinholeCamera.from_field_of_view(640, 480)
    assert conversions.camera_from_message(conversions.camera_to_message(camera)) is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("width", 0, "positive"),
        ("distortion_model", "equidistant", "equidistant"),
        ("d", [0.1] * 7, "7 coefficients"),
        ("d", [float("nan")] * 5, "not finite"),
        ("d", [1e300] * 5, "wild"),
        ("k", [50.0, 0, 31, 0, 1e-300, 23, 0, 0, 1], "no lens"),
        ("k", [50.0, 0, 1e300, 0, 50, 23, 0, 0, 1], "no lens"),
        ("k", [50.0, 0, 31, 0, 50, 23, 0, 0, 0], "no camera matrix"),
        ("k", [50.0, 0, 31, 0, 50, 23, 0, 7, 1], "no camera matrix"),
    ],
)
def test_cameras_that_cannot_be_are_refused(field, value, words):
    camera = PinholeCamera(64, 48, np.array([[50.0, 0, 31], [0, 50, 23], [0, 0, 1]]), np.ones(5))
    message = conversions.camera_to_message(camera)
    setattr(message, field, value)
    with pytest.raises(InputError, match=words):
        conversions.camera_from_message(message)


@st.composite
def results(draw):
    joints = tuple(draw(names))
    return RetargetResult(
        joint_names=joints,
        positions=draw(arrays(float, len(joints), elements=numbers)),
        outcome=draw(st.sampled_from(SolveOutcome)),
        # IDL's strings end at a NUL, so no reason on the wire can hold one.
        reason=draw(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9)),
        iterations=draw(st.integers(0, 1000)),
        solve_time_s=draw(st.floats(0, 1, width=32)),
        fingertip_error_m={"thumb": draw(st.floats(0, 1, width=32))},
        active_limits=joints[:1],
    )


@given(results(), stamps, st.sampled_from(Side))
@settings(max_examples=40, deadline=None)
def test_a_target_survives_the_wire(result, stamp, side):
    message = wire(joint_conversions.target_to_message(result, stamp, "allegro", side))
    back = joint_conversions.target_from_message(message)
    np.testing.assert_array_equal(back.positions, result.positions)
    assert {**back.__dict__, "positions": 0} == {**result.__dict__, "positions": 0}


@st.composite
def commands(draw):
    joints = tuple(draw(names))
    values = arrays(float, len(joints), elements=numbers)
    return HandCommand(
        issued_ns=draw(stamps),
        capture_ns=draw(st.none() | stamps),
        phase=draw(st.sampled_from(TeleopPhase)),
        reason="because",
        joint_names=joints,
        positions=draw(values),
        velocities=draw(values),
        first_for_capture=draw(st.booleans()),
    )


@given(commands())
@settings(max_examples=40, deadline=None)
def test_a_command_survives_the_wire_in_every_form(command):
    back = joint_conversions.command_from_message(
        wire(joint_conversions.command_to_message(command))
    )
    np.testing.assert_array_equal(back.positions, command.positions)
    np.testing.assert_array_equal(back.velocities, command.velocities)
    arraysless = {"positions": 0, "velocities": 0}
    assert {**back.__dict__, **arraysless} == {**command.__dict__, **arraysless}
    for form in OutputForm:
        output = format_command(command, form, DriverJoints.same(command.joint_names))
        message = joint_conversions.output_to_message(output, command.issued_ns)
        assert type(message) is joint_conversions.COMMAND_FORMS[form.value]
        positions = joint_conversions.positions_from_form(wire(message), command.joint_names)
        np.testing.assert_array_equal(positions, command.positions)


def test_joint_states_in_another_order_are_sorted_by_name():
    message = joint_conversions.joint_state(1, ("b", "a"), np.array([2.0, 1.0]), np.zeros(2))
    assert joint_conversions.positions_from_form(message, ("a", "b")).tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="lacks c"):
        joint_conversions.positions_from_form(message, ("a", "b", "c"))


def test_a_trajectory_is_one_that_a_trajectory_controller_takes():
    """It counts from receipt, and ends at rest: what it says by default is refused otherwise."""
    command = HandCommand(
        5 * 10**18, None, TeleopPhase.TRACKING, "", ("a",), np.ones(1), np.ones(1), False
    )
    output = format_command(command, OutputForm.JOINT_TRAJECTORY, DriverJoints.same(("a",)))
    message = wire(joint_conversions.output_to_message(output, command.issued_ns))
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (0, 0)
    assert list(message.points[0].velocities) == []
    assert message.points[0].time_from_start.nanosec == 20_000_000


def test_a_joint_that_is_named_twice_is_refused():
    """Which of its two positions was meant, nobody knows."""
    message = joint_conversions.joint_state(1, ("a", "b", "a"), np.arange(3.0), np.zeros(3))
    with pytest.raises(InputError, match="a twice"):
        joint_conversions.positions_from_form(message, ("a", "b"))
