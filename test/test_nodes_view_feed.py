"""What the browser view takes from the graph, and what its buttons ask of it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.serialization import serialize_message
from ros_graph import Graph, ros_graph
from seen_hand import CAMERA, STAMP_NS, followed_hand
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from rejshand_msgs.msg import HandPoseArray
from rejshand_msgs.srv import Calibrate, StartEpisode, StopEpisode
from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.nodes.conversions import hand_to_message
from rejshand_ros.nodes.images import jpeg_message, raw_message
from rejshand_ros.nodes.serialised import mesh_from_cdr, mesh_to_cdr
from rejshand_ros.nodes.stamps import header
from rejshand_ros.nodes.view_feed import ViewFeed, live_node, live_picture
from rejshand_ros.nodes.view_requests import Requests
from rejshand_ros.viewing.controls import Action, Request

pytestmark = pytest.mark.ros
PICTURE = np.full((48, 64, 3), 90, np.uint8)


def serialised_image(stamp_ns: int) -> bytes:
    message = jpeg_message(PICTURE)
    message.header = header(stamp_ns, CAMERA)
    return serialize_message(message)


def serialised_hands(stamp_ns: int) -> bytes:
    hand = hand_to_message(followed_hand(), CAMERA)
    return serialize_message(HandPoseArray(header=header(stamp_ns, CAMERA), hands=[hand]))


def test_a_mesh_survives_the_wire_and_a_damaged_one_is_refused() -> None:
    hand = followed_hand()
    data = mesh_to_cdr(hand, CAMERA)
    stamp_ns, vertices = mesh_from_cdr(data)
    assert stamp_ns == STAMP_NS
    np.testing.assert_allclose(vertices, hand.vertices, atol=1e-7)
    for cut in (0, 3, 11, 40, len(data) - 1):
        with pytest.raises(InputError):
            mesh_from_cdr(data[:cut])
    with pytest.raises(InputError, match="little-endian"):
        mesh_from_cdr(b"\x00\x00" + data[2:])


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FA00000, 0x7F800000], ids=["nan", "signal", "inf"])
def test_a_mesh_of_no_numbers_is_refused_without_a_warning(bits: int) -> None:
    data = bytearray(mesh_to_cdr(followed_hand(), CAMERA))
    data[-4:] = bits.to_bytes(4, "little")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="not finite"):
            mesh_from_cdr(bytes(data))


def test_hands_are_shown_on_the_image_they_were_found_in() -> None:
    feed = ViewFeed()
    for number in range(3):
        feed.keep_image(serialised_image(STAMP_NS + number))
    feed.keep_hands(serialised_hands(STAMP_NS + 1))
    found = feed.picture_with_hands()
    assert found is not None
    assert found[0] == serialised_image(STAMP_NS + 1)
    assert [hand.side for hand in found[1]] == [Side.RIGHT]
    assert feed.picture_with_hands() is None
    # Hands without their image show nothing rather than a skeleton on another image.
    feed.keep_hands(serialised_hands(STAMP_NS + 9))
    assert feed.picture_with_hands() is None


def test_hands_wait_for_an_image_that_comes_after_them_and_after_newer_hands() -> None:
    feed = ViewFeed()
    for number in range(3):
        feed.keep_hands(serialised_hands(STAMP_NS + number))
        assert feed.picture_with_hands() is None
        if number:
            feed.keep_image(serialised_image(STAMP_NS + number - 1))
            found = feed.picture_with_hands()
            assert found is not None
            assert found[0] == serialised_image(STAMP_NS + number - 1)
    # Those whose image was lost do not come back once newer ones were shown.
    feed.keep_image(serialised_image(STAMP_NS - 1))
    assert feed.picture_with_hands() is None


def test_a_mesh_does_not_wait_for_its_image() -> None:
    feed = ViewFeed()
    feed.keep_hands(serialised_hands(STAMP_NS))
    feed.keeper("right/mesh")(mesh_to_cdr(followed_hand(), CAMERA))
    assert feed.surface(Side.RIGHT) is not None
    feed.keep_image(serialised_image(STAMP_NS))
    assert feed.picture_with_hands() is not None


def test_the_surface_stands_in_the_wrist_frame() -> None:
    feed = ViewFeed()
    feed.keeper("right/mesh")(mesh_to_cdr(followed_hand(), CAMERA))
    assert feed.surface(Side.RIGHT) is None
    feed.keep_image(serialised_image(STAMP_NS))
    feed.keep_hands(serialised_hands(STAMP_NS))
    feed.picture_with_hands()
    feed.keeper("right/mesh")(mesh_to_cdr(followed_hand(), CAMERA))
    np.testing.assert_allclose(feed.surface(Side.RIGHT), load_template().vertices, atol=1e-6)


def test_images_go_on_as_they_came_and_raw_ones_are_compressed() -> None:
    picture = live_picture(serialised_image(STAMP_NS), CompressedImage)
    assert (picture.media, picture.width, picture.height) == ("jpeg", 64, 48)
    assert picture.data == bytes(jpeg_message(PICTURE).data)
    raw = live_picture(serialize_message(raw_message(PICTURE)), Image)
    assert (raw.media, raw.width, raw.height) == ("jpeg", 64, 48)
    broken = CompressedImage(format="jpeg")
    broken.data.frombytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        live_picture(serialize_message(broken), CompressedImage)


def test_a_report_is_read_and_a_foreign_one_refused() -> None:
    values = {"rate_hz": "29.9", "age_ms_median": "", "dropped": "3"}
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN,
        message="3 dropped",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    node = live_node(status)
    assert (node.rate_hz, node.age_ms, node.dropped, node.trouble) == (29.9, None, 3, "3 dropped")
    status.values.append(KeyValue(key="rate_hz", value="often"))
    with pytest.raises(InputError, match="often"):
        live_node(status)


def asked(graph: Graph, requests: Requests, action: Action, text: str = "") -> tuple[bool, str]:
    answers: list[tuple[bool, str]] = []
    sides = () if "episode" in action.value else (Side.RIGHT,)
    requests.send(Request(action, sides, text, lambda done, words: answers.append((done, words))))
    graph.until(lambda: bool(answers))
    return answers[0]


def test_every_button_calls_its_service_and_hears_the_answer() -> None:
    called: list[object] = []

    def answer(request, response):
        called.append(request)
        response.success, response.message = len(called) != 2, f"call {len(called)}"
        return response

    with ros_graph() as graph:
        requests = Requests(graph.probe, (Side.RIGHT,))
        names = ("engage", "disengage", "emergency_stop", "release_stop")
        for name in names:
            graph.probe.create_service(Trigger, f"right/{name}", answer)
        graph.probe.create_service(StartEpisode, "start_episode", answer)
        graph.probe.create_service(StopEpisode, "stop_episode", answer)
        graph.until(lambda: requests.recorder_ready)
        graph.until(lambda: all(c.service_is_ready() for c in requests._triggers.values()))
        assert asked(graph, requests, Action.ENGAGE) == (True, "call 1")
        assert asked(graph, requests, Action.DISENGAGE) == (False, "call 2")
        assert asked(graph, requests, Action.EMERGENCY_STOP)[0]
        assert asked(graph, requests, Action.RELEASE_STOP)[0]
        assert asked(graph, requests, Action.START_EPISODE, "pick a cube")[0]
        assert called[-1].task == "pick a cube"
        for action, success, discard in (
            (Action.END_AS_SUCCESS, True, False),
            (Action.END_AS_FAILURE, False, False),
            (Action.DISCARD_EPISODE, False, True),
        ):
            assert asked(graph, requests, action)[0]
            assert (called[-1].task_success, called[-1].discard) == (success, discard)
        assert not requests.calibration_ready
        done, words = asked(graph, requests, Action.CALIBRATE, "anna")
        assert not done
        assert "calibrate; is its node running" in words
        requests.close()


def test_a_calibration_is_begun_and_its_outcome_told_later() -> None:
    people: list[str] = []

    def calibrate(request, response):
        people.append(request.person)
        response.success = True
        response.message = "watching for 5 s; call again for the outcome"
        if len(people) == 2:
            response.message = "in use; scales: index 1.50"
        return response

    with ros_graph() as graph:
        requests = Requests(graph.probe, (Side.RIGHT,))
        graph.probe.create_service(Calibrate, "right/calibrate", calibrate)
        graph.until(lambda: requests.calibration_ready)
        answers: list[tuple[bool, str]] = []
        take = lambda done, words: answers.append((done, words))  # noqa: E731
        requests.send(Request(Action.CALIBRATE, (Side.RIGHT,), "anna", take))
        graph.until(lambda: len(answers) == 1)
        assert answers[0] == (True, "watching for 5 s")
        now_ns = graph.probe.get_clock().now().nanoseconds
        requests.check(now_ns + 5_000_000_000)
        assert people == ["anna"]
        requests.check(now_ns + 6_500_000_000)
        graph.until(lambda: len(answers) == 2)
        assert answers[1] == (True, "in use; scales: index 1.50")
        requests.check(now_ns + 60_000_000_000)
        assert people == ["anna", "anna"]
        requests.close()


def test_a_silent_service_is_said() -> None:
    with ros_graph() as graph:
        requests = Requests(graph.probe, (Side.RIGHT,))
        graph.probe.create_service(Trigger, "right/engage", lambda _, response: response)
        client = requests._triggers[Action.ENGAGE, Side.RIGHT]
        graph.until(client.service_is_ready)
        answers: list[tuple[bool, str]] = []
        take = lambda done, words: answers.append((done, words))  # noqa: E731
        requests.send(Request(Action.ENGAGE, (Side.RIGHT,), "", take))
        # Nobody spins the service: its time passes without an answer, and it is answered once.
        requests.check(graph.probe.get_clock().now().nanoseconds + 4_000_000_000)
        assert answers == [(False, "no answer within 3 s")]
        requests.close()
