"""What is serialised by hand is what rclpy would write, and is read as rclpy would read it."""

import contextlib
import struct
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hand_messages import hands
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from seen_hand import followed_hand
from sensor_msgs.msg import Image

from rejshand_msgs.msg import HandMesh, HandPose
from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import conversions, serialised
from rejshand_ros.nodes.images import raw_message
from rejshand_ros.nodes.stamps import header

pytestmark = pytest.mark.ros

STAMP = 7_123_456_789
frames = st.text("abc/_é", max_size=9)
pictures = st.builds(
    lambda height, width: np.random.default_rng(height).integers(
        0, 256, (height, width, 3), np.uint8
    ),
    st.integers(1, 9),
    st.integers(1, 9),
)


@given(hands(), frames)
@settings(max_examples=40, deadline=None)
def test_a_mesh_is_what_rclpy_would_write(hand, frame):
    data = serialised.mesh_to_cdr(hand, frame)
    message = deserialize_message(data, HandMesh)
    # Padding may hold anything, so the lengths are compared rather than the bytes.
    assert len(serialize_message(message)) == len(data)
    assert message.header == header(hand.stamp_ns, frame)
    assert message.side == str(hand.side)
    points = np.array([(point.x, point.y, point.z) for point in message.vertices])
    np.testing.assert_array_equal(points, hand.vertices)
    stamp_ns, vertices = serialised.mesh_from_cdr(serialize_message(message))
    assert stamp_ns == hand.stamp_ns
    np.testing.assert_array_equal(vertices, hand.vertices)


@given(hands(), frames)
@settings(max_examples=40, deadline=None)
def test_a_hand_is_what_rclpy_would_write_and_read(hand, frame):
    data = serialised.hand_to_cdr(hand, frame)
    message = deserialize_message(data, HandPose)
    assert message == conversions.hand_to_message(hand, frame)
    theirs = serialize_message(message)
    assert len(theirs) == len(data)
    ours, expected = serialised.hand_from_cdr(theirs), conversions.hand_from_message(message)
    for name in ("stamp_ns", "side", "state", "score", "hand_length_m", "intrinsics_assumed"):
        assert getattr(ours, name) == getattr(expected, name), name
    for name in ("keypoints_2d", "keypoints_3d", "vertices"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(expected, name))
    for name in ("rotation", "translation"):
        np.testing.assert_array_equal(
            getattr(ours.camera_from_wrist, name), getattr(expected.camera_from_wrist, name)
        )


def test_a_hand_of_no_numbers_is_refused_without_a_warning():
    pixels = struct.pack("<f", 320.25)
    hand = replace(followed_hand(), keypoints_2d=np.full((21, 2), 320.25))
    data = serialised.hand_to_cdr(hand, "camera")
    assert data.count(pixels) == 42
    # A signalling NaN, whose cast numpy warns of.
    spoilt = data.replace(pixels, (0x7FA00000).to_bytes(4, "little"), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="not finite"):
            serialised.hand_from_cdr(spoilt)


def test_a_lost_hand_is_no_hand():
    lost = conversions.lost_hand_message(STAMP, Side.LEFT, "camera")
    assert serialised.hand_from_cdr(serialize_message(lost)) is None


@given(pictures, frames)
def test_an_image_is_what_rclpy_would_write_and_read(picture, frame):
    data = serialised.image_to_cdr(picture, STAMP, frame)
    message = deserialize_message(data, Image)
    expected = raw_message(picture)
    expected.header = header(STAMP, frame)
    assert message == expected
    image, stamp_ns, frame_id = serialised.image_from_cdr(serialize_message(expected))
    np.testing.assert_array_equal(image, picture)
    assert (stamp_ns, frame_id) == (STAMP, frame)


def test_images_of_other_layouts_are_read_as_well():
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    swapped = raw_message(picture[..., ::-1])
    swapped.encoding = "rgb8"
    padded = raw_message(np.pad(picture, ((0, 0), (0, 2), (0, 0))))
    padded.width = 8
    # A row of pixels cut out of a larger picture, as a view.
    window = serialised.image_to_cdr(np.pad(picture, ((1, 1), (1, 1), (0, 0)))[1:-1, 1:-1], 1, "")
    for data in (serialize_message(swapped), serialize_message(padded), window):
        np.testing.assert_array_equal(serialised.image_from_cdr(data)[0], picture)


def test_the_other_byte_order_is_read_as_well():
    data = b"".join(
        (
            b"\x00\x00\x00\x00" + struct.pack(">iII", 7, 5, 4) + b"cam\x00",
            struct.pack(">III", 1, 2, 5) + b"bgr8\x00" + bytes(3),
            struct.pack(">II", 6, 6) + bytes(range(6)),
        )
    )
    image, stamp_ns, frame_id = serialised.image_from_cdr(data)
    assert image.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert (stamp_ns, frame_id) == (7_000_000_005, "cam")


@pytest.mark.parametrize(
    "damage",
    [
        lambda m: setattr(m, "step", 25),
        lambda m: setattr(m, "height", 0),
        lambda m: setattr(m, "encoding", "32FC1"),
        lambda m: m.data.pop(),
    ],
)
def test_images_that_contradict_themselves_are_refused(damage):
    message = raw_message(np.zeros((6, 8, 3), np.uint8))
    damage(message)
    with pytest.raises(InputError):
        serialised.image_from_cdr(serialize_message(message))


READERS = {
    "image": (
        serialised.image_from_cdr,
        serialised.image_to_cdr(np.zeros((2, 3, 3), np.uint8), STAMP, "camera"),
    ),
    "hand": (
        serialised.hand_from_cdr,
        bytes(serialize_message(conversions.lost_hand_message(STAMP, Side.LEFT, "camera"))),
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_what_is_cut_short_or_of_another_form_is_refused(kind):
    read, data = READERS[kind]
    for length in range(len(data)):
        with pytest.raises(InputError):
            read(data[:length])
    with pytest.raises(InputError):
        read(b"\x12\x34" + data[2:])


@given(st.sampled_from(sorted(READERS)), st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_cost_an_error_of_ours_at_most(kind, data):
    read, whole = READERS[kind]
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        read(bytes(damaged))
