"""The browser view: one page that shows a running chain and takes its operator's orders."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.viewing.access import Access
from rejshand_ros.viewing.cards import nodes_table, state_card
from rejshand_ros.viewing.controls import Controls, Offer, Request
from rejshand_ros.viewing.figures import ComparisonFigure, HumanFigure, RobotFigure
from rejshand_ros.viewing.history import History
from rejshand_ros.viewing.live import LiveHand, LiveNode, LivePicture, LiveState
from rejshand_ros.viewing.picture import empty_picture, picture_html
from rejshand_ros.viewing.plots import Plots
from rejshand_ros.viewing.server import ViewServer

_PAIR_M, _ROW_M = 0.5, 0.36
"""Room for a person's hand beside the robot's; height from there down to the two compared."""
_STATE_ORDER, _LOCKED_ORDER = 5.0, 15.0
_CAMERA_WIDTH, _PANEL_WIDTH = 430, 330
_BRAND_RGB = (66, 120, 220)
_BACKDROP_RGB = ((46, 50, 58), (24, 26, 31))
"""Top and bottom of the scene's background."""


@dataclass(frozen=True)
class ViewConfig:
    """Where and how the page is served.

    Attributes:
        host: Address to bind to; by default only this computer can connect.
        port: TCP port.
        objective: Whose scale the comparison of fingertips uses.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    objective: str = "vector"


@dataclass
class _SideOfPage:
    """What the page shows of one hand."""

    robot: RobotHandConfig
    human_figure: HumanFigure
    robot_figure: RobotFigure
    comparison: ComparisonFigure
    card: Any
    positions: Array
    state: LiveState | None = None
    error_m: Mapping[str, float] | None = None


class BrowserView:
    """Serves the page; every method may be called from one thread, the feeding one."""

    def __init__(
        self,
        config: ViewConfig,
        robots: Sequence[RobotHandConfig],
        request: Callable[[Request], None],
        token: str = "",
    ) -> None:
        """Start to serve.

        Args:
            config: Where and how.
            robots: The robot hands, one a side.
            request: Takes what somebody's button asks for, in a thread of the server.
            token: What opens the controls beyond this computer; empty: one is made up.

        Raises:
            ConfigError: The address is taken, the token too short, or no hand is given.
            ModelFileError: A hand has nothing to show.
        """
        if not robots:
            raise ConfigError("the browser view needs at least one robot hand")
        self.access = Access(config.host, token)
        self._request = request
        name = robots[0].hand.capitalize()
        self._server = ViewServer(config.host, config.port, self.access, f"rejshand · {name}")
        self._controls: dict[int, Controls] = {}
        self._lock = threading.Lock()
        self._offer = Offer({robot.side: None for robot in robots})
        self._nodes: dict[str, LiveNode] = {}
        self._history = History()
        self._build_scene()
        self._sides = {
            robot.side: self._build_side(robot, place, len(robots), config.objective)
            for place, robot in enumerate(robots)
        }
        self._build_page()
        self._server.on_client_connect(self._on_connect)
        self._server.on_client_disconnect(self._on_disconnect)

    @property
    def watched(self) -> bool:
        """Whether somebody has the page open."""
        return bool(self._server.get_clients())

    # What a feeder tells.

    def together(self) -> AbstractContextManager[None]:
        """What is shown within this context appears at once, and wakes the server once."""
        return self._server.atomic()

    def show_picture(self, picture: LivePicture, hands: Sequence[LiveHand] | None) -> None:
        """Show a camera image with its skeletons, and mark hands that it does not show.

        Args:
            picture: The image.
            hands: The hands found in it; None where nobody has told.
        """
        with self.together():
            self._picture.content = picture_html(picture, hands)
            self._show_hands(hands or ())

    def _show_hands(self, hands: Sequence[LiveHand]) -> None:
        seen = {hand.side for hand in hands}
        for side, shown in self._sides.items():
            if side not in seen:
                shown.human_figure.seen(False)
        for hand in hands:
            if hand.side in self._sides:
                shown = self._sides[hand.side]
                lines = shown.robot_figure.finger_lines(shown.positions)
                shown.comparison.show(hand.keypoints_in_wrist, lines)

    def show_surface(self, side: Side, vertices_in_wrist: Array) -> None:
        """Show the operator's hand: (778, 3) metres, in the wrist frame."""
        self._sides[side].human_figure.show(vertices_in_wrist)

    def show_joints(self, side: Side, names: tuple[str, ...], positions: Array) -> None:
        """Move the robot hand; radians, one a name.

        Raises:
            InputError: A joint is not one of the hand's.
        """
        shown = self._sides[side]
        shown.positions = shown.robot_figure.show(names, positions)

    def tell_errors(self, side: Side, error_m: Mapping[str, float]) -> None:
        """Take in each fingertip's distance from where it is asked to be, metres."""
        self._sides[side].error_m = error_m

    def tell_state(self, side: Side, state: LiveState) -> None:
        """Take in the state of a hand's teleoperation."""
        self._sides[side].state = state

    def tell_node(self, name: str, node: LiveNode) -> None:
        """Take in a node's report; its name is relative to the chain's namespace."""
        self._nodes[name] = node

    def refresh(self, *, episode: str | None, calibrating: bool) -> None:
        """Bring everything up to date that is read rather than watched; a few times a second.

        Args:
            episode: Folder being recorded; empty for none; None where no recorder runs.
            calibrating: Whether somebody can measure hands.
        """
        stages = {name.rpartition("/")[2]: node for name, node in self._nodes.items()}
        self._history.add(stages)
        if not self.watched:
            return
        for side, shown in self._sides.items():
            command = self._nodes.get(f"{side}/command")
            latency_ms = None if command is None else command.age_ms
            card = state_card(shown.robot.hand, side, shown.state, shown.error_m or {}, latency_ms)
            if shown.card.content != card:
                shown.card.content = card
        self._plots.update()
        table = nodes_table(dict(sorted(self._nodes.items())))
        if self._table.content != table:
            self._table.content = table
        states = {side: shown.state for side, shown in self._sides.items()}
        with self._lock:
            self._offer = Offer(states, episode, calibrating)
            for controls in self._controls.values():
                controls.update(self._offer)

    def close(self) -> None:
        """Stop to serve."""
        self._server.stop()

    # How the page is made.

    def _build_scene(self) -> None:
        server = self._server
        server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, brand_color=_BRAND_RGB
        )
        scene = server.scene
        scene.set_background_image(_backdrop())
        scene.configure_environment_map(None)
        scene.configure_default_lights(enabled=False)
        scene.add_light_hemisphere(
            "/light/sky", sky_color=(255, 255, 255), ground_color=(120, 124, 140), intensity=1.6
        )
        scene.add_light_directional(
            "/light/key", intensity=1.8, position=(1.0, -0.6, 1.2), cast_shadow=False
        )

    def _build_side(
        self, robot: RobotHandConfig, place: int, count: int, objective: str
    ) -> _SideOfPage:
        scene, side = self._server.scene, robot.side
        middle = _PAIR_M * (place - (count - 1) / 2)

        def at(across_m: float, up_m: float) -> RigidTransform:
            return RigidTransform(np.eye(3), np.array([0.0, middle + across_m, up_m]))

        half = _PAIR_M / 4
        human = HumanFigure(scene, f"/{side}/human", side, at(-half, 0.0))
        moving = RobotFigure(scene, f"/{side}/robot", robot, at(half, 0.0))
        # A robot's forearm may hang down where the comparison would stand.
        below = at(-half if moving.depth_m > 0.6 * _ROW_M else 0.0, -_ROW_M)
        scale = robot.objective(objective).scale
        lines = moving.finger_lines(np.array(robot.rest, float))
        comparison = ComparisonFigure(scene, f"/{side}/compared", robot, below, scale, lines)
        card = self._server.gui.add_html("", order=_STATE_ORDER + 0.1 * place)
        return _SideOfPage(robot, human, moving, comparison, card, np.array(robot.rest, float))

    def _build_page(self) -> None:
        gui = self._server.gui
        gui.main_panel.dock_right()
        gui.main_panel.set_width(_PANEL_WIDTH)
        panel = gui.add_panel()
        with panel.add_tab("Camera"):
            self._picture = gui.add_html(empty_picture("waiting for the camera"))
            self._plots = Plots(gui, self._history)
        with panel.add_tab("Nodes"):
            self._table = gui.add_html("")
        panel.dock_left()
        panel.set_width(_CAMERA_WIDTH)
        camera = self._server.initial_camera
        camera.fov = np.radians(30)
        camera.position = (1.1 + 0.55 * len(self._sides), 0.0, 0.1)
        camera.look_at = (0.0, 0.0, -0.1)

    def _on_connect(self, client: Any) -> None:
        if self.access.local:
            self._give_controls(client)
            return
        field = client.gui.add_text("Token", "", order=_LOCKED_ORDER)
        field.hint = "Printed where the view was started; it opens the buttons"
        button = client.gui.add_button("Unlock the controls", order=_LOCKED_ORDER + 0.1)

        def unlock(_: Any) -> None:
            if self.access.opens(field.value):
                field.remove()
                button.remove()
                self._give_controls(client)
            else:
                client.add_notification(
                    "Wrong token", "Wait a second and try again.", color="red",
                    auto_close_seconds=6,
                )  # fmt: skip

        button.on_click(unlock)

    def _give_controls(self, client: Any) -> None:
        def notify(done: bool, what: str, words: str) -> None:
            client.add_notification(
                f"{what.capitalize()}: {'done' if done else 'refused'}", words,
                color="green" if done else "red", auto_close_seconds=6,
            )  # fmt: skip

        controls = Controls(client.gui, tuple(self._sides), self._request, notify)
        with self._lock:
            controls.update(self._offer)
            self._controls[client.client_id] = controls

    def _on_disconnect(self, client: Any) -> None:
        with self._lock:
            self._controls.pop(client.client_id, None)


def _backdrop() -> NDArray[np.uint8]:
    """A dark wall, a little lighter above."""
    share = np.linspace(0, 1, 64)[:, None, None]
    top, bottom = (np.array(colour, float) for colour in _BACKDROP_RGB)
    wall = (1 - share) * top + share * bottom
    return np.broadcast_to(wall, (64, 64, 3)).astype(np.uint8)
