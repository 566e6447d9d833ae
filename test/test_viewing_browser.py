"""The pieces of the browser view: who may do what, what the page says, how hands stand in it."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
import viser
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import RigidTransform, rotation_from_quaternion
from rejshand_ros.hand.keypoints import FINGERS, FINGERTIPS, Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.viewing.access import Access
from rejshand_ros.viewing.browser_view import BrowserView, ViewConfig
from rejshand_ros.viewing.cards import nodes_table, state_card
from rejshand_ros.viewing.figures import ComparisonFigure, RobotFigure
from rejshand_ros.viewing.history import STAGES, History, stage_delays
from rejshand_ros.viewing.live import LiveHand, LiveNode, LivePicture, LiveState
from rejshand_ros.viewing.picture import picture_html
from rejshand_ros.viewing.ports import free_port
from rejshand_ros.viewing.words import explanation, headline


class Recorded:
    """Stands in for a handle of the scene: it keeps what it was given."""

    def __init__(self, **properties: Any) -> None:
        vars(self).update(properties)


class Scene:
    """A scene that keeps its nodes by name."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}

    def __getattr__(self, method: str) -> Any:
        def add(name: str, **properties: Any) -> Recorded:
            properties.setdefault("position", (0.0, 0.0, 0.0))
            if "colors" in properties:
                properties["colors"] = np.asarray(properties["colors"])
            self.nodes[name] = Recorded(**properties)
            return self.nodes[name]  # type: ignore[no-any-return]

        return add


def test_on_this_computer_nobody_needs_a_token_and_other_sites_get_nothing() -> None:
    access = Access("127.0.0.1")
    assert access.token == ""
    assert access.opens("")
    assert access.may_look("localhost:8080", "http://localhost:8080")
    assert access.may_look("127.0.0.1:8080", None)
    assert not access.may_look("localhost:8080", "http://evil.example")
    # A foreign name that resolves to this computer.
    assert not access.may_look("evil.example:8080", "http://evil.example:8080")


def test_beyond_this_computer_only_the_token_opens_the_controls() -> None:
    access = Access("0.0.0.0")
    assert len(access.token) >= 12
    assert access.token != Access("0.0.0.0").token
    assert access.may_look("robot.local:8080", "http://robot.local:8080")
    assert not access.may_look("robot.local:8080", "http://evil.example")
    assert access.opens(access.token)
    assert not access.opens("wrong")
    # Guessing is slow: right after a wrong token not even the right one is looked at.
    assert not access.opens(access.token)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="REJSHAND_VIEW_TOKEN has 5 characters"):
        Access("0.0.0.0", "abcde")


def test_a_taken_port_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            free_port("127.0.0.1", port, tries=1)


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        free_port("192.0.2.1", 8080)


@pytest.fixture
def view() -> Any:
    made = BrowserView(
        ViewConfig(port=free_port("127.0.0.1", 18080)),
        [load_robot_hand("allegro", Side.RIGHT)],
        lambda request: None,
    )
    yield made
    made.close()


def test_the_server_refuses_pages_of_other_sites(view: Any) -> None:
    port = view._server.get_port()
    protocol = [f"viser-v{viser.__version__}"]
    address = f"ws://127.0.0.1:{port}"
    with (
        connect(address, origin="http://evil.example", subprotocols=protocol) as refused,  # type: ignore[arg-type]
        pytest.raises(ConnectionClosed, match="another site"),
    ):
        refused.recv(timeout=10)
    with connect(address, origin=f"http://127.0.0.1:{port}", subprotocols=protocol) as taken:  # type: ignore[arg-type]
        assert taken.recv(timeout=10)


def test_nobody_can_publish_the_page_through_it(view: Any) -> None:
    assert view._server.request_share_url() is None


def test_every_state_is_said_in_plain_words() -> None:
    for phase in ("disengaged", "ramping", "tracking", "holding", "stopped"):
        state = LiveState(phase, "the last target arrived 0.200 s ago")
        assert headline(state).lower() != phase or phase == "stopped"
        assert explanation(state).endswith("The last target arrived 0.200 s ago.")
    assert "command node" in headline(None)


def test_a_card_names_the_hand_and_shows_errors_and_no_markup_of_others() -> None:
    card = state_card(
        "shadow", Side.LEFT, LiveState("stopped", "<script>"), {"thumb": 0.0123}, 14.4
    )
    assert "Shadow · left hand" in card
    assert "12 mm" in card
    assert "14 ms after the image" in card
    assert "<script>" not in card
    assert "<b>" not in nodes_table({"<b>": LiveNode(30.0, 1.0, 2, "<b>")})


def test_the_picture_holds_the_image_as_it_came_and_a_skeleton() -> None:
    hand = LiveHand(Side.RIGHT, False, np.full((21, 2), 50.0), np.zeros((21, 3)))
    page = picture_html(LivePicture(b"abc", "jpeg", 640, 480), [hand])
    assert "data:image/jpeg;base64,YWJj" in page
    assert page.count("<circle") == 21
    assert "right hand seen" in page
    # Nothing is said of hands that nobody has looked for.
    assert "no hand seen" in picture_html(LivePicture(b"abc", "jpeg", 640, 480), [])
    alone = picture_html(LivePicture(b"abc", "jpeg", 640, 480), None)
    assert "no word from hand_pose" in alone and "seen" not in alone
    broken = LiveHand(Side.RIGHT, True, np.full((21, 2), np.nan), np.zeros((21, 3)))
    assert "<circle" not in picture_html(LivePicture(b"abc", "jpeg", 640, 480), [broken])


def test_stage_delays_add_up_to_the_age_of_the_command() -> None:
    assert stage_delays([2.0, 9.0, 8.5, 11.0]) == (2.0, 7.0, 0.0, 2.0)
    assert stage_delays([None, 9.0, None, 11.0]) == (0.0, 9.0, 0.0, 2.0)
    history = History(span_s=2.0, period_s=0.5)
    for age in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        history.add({stage: LiveNode(30.0, age, 0) for stage in STAGES})
    seconds, *stages = history.delays()
    assert seconds.tolist() == [-1.5, -1.0, -0.5, 0.0]
    assert stages[-1].tolist() == [3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
@pytest.mark.parametrize("side", list(Side))
def test_the_robot_hand_stands_as_the_persons_does(hand: str, side: Side) -> None:
    """Fingers up, thumb on the same side, each tip where the finger lines end."""
    scene = Scene()
    robot = load_robot_hand(hand, side)
    figure = RobotFigure(scene, "/robot", robot, RigidTransform())
    lines = figure.finger_lines(robot.rest)
    assert list(lines) == list(robot.fingertip_links)
    thumb, middle = lines["thumb"][-1], lines["middle"][-1]
    assert middle[2] > 0.1
    assert np.sign(thumb[1] - middle[1]) == (1 if side is Side.RIGHT else -1)
    moved = np.clip(robot.rest + 0.3, robot.lower, robot.upper)
    assert figure.show(robot.joint_names[::-1], moved[::-1]) == pytest.approx(moved)
    # Each link hangs below its parent in the scene: the poses along a finger lead to its tip.
    tip = robot.fingertip_links["middle"]
    (path,) = [name for name in scene.nodes if name.endswith(f"/{tip}")]
    pose = RigidTransform()
    for end in [*(i for i, letter in enumerate(path) if letter == "/"), len(path)][2:]:
        node = scene.nodes[path[:end]]
        w, x, y, z = node.wxyz
        rotation = rotation_from_quaternion([x, y, z, w])
        pose = pose @ RigidTransform(rotation, np.array(node.position))
    expected = RobotModel(robot).link_poses(moved)[tip]
    np.testing.assert_allclose(pose.translation, expected.translation, atol=1e-3)
    with pytest.raises(InputError, match="elbow"):
        figure.show(("elbow",), np.zeros(1))


def test_error_lines_lead_from_the_asked_to_the_reached_fingertips() -> None:
    scene = Scene()
    robot = load_robot_hand("allegro", Side.RIGHT)
    figure = RobotFigure(scene, "/robot", robot, RigidTransform())
    lines = figure.finger_lines(robot.rest)
    comparison = ComparisonFigure(scene, "/compared", robot, RigidTransform(), 1.5, lines)
    keypoints = load_template().rest_keypoints
    comparison.show(keypoints, lines)
    drawn = scene.nodes["/compared/error"].points
    for index, finger in enumerate(lines):
        asked = 1.5 * keypoints[FINGERTIPS[FINGERS.index(finger)]]
        np.testing.assert_allclose(drawn[index], [asked, lines[finger][-1]], atol=1e-6)
    # The dots are where the lines begin, as points too: whatever is moved as a node of the scene
    # the page draws a picture earlier than points.
    np.testing.assert_array_equal(scene.nodes["/compared/asked"].points, drawn[:, 0])
    still = {name: node.position for name, node in scene.nodes.items()}
    comparison.show(1.1 * keypoints, lines)
    assert {name: node.position for name, node in scene.nodes.items()} == still
