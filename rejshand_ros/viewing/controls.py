"""The buttons of one open page; each page has its own, so that only who may press gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.viewing.live import LiveState

STOP_ORDER, ENGAGE_ORDER, EPISODE_ORDER, CALIBRATION_ORDER = 1.0, 20.0, 30.0, 40.0
"""Places on the page; the state of each hand stands between the first and the second."""
_SUCCESS, _FAILURE, _DISCARD = "Success", "Failure", "Discard"
_ENGAGE, _DISENGAGE = "Engage", "Disengage"


class Action(Enum):
    """What a button asks for."""

    ENGAGE = "engage"
    DISENGAGE = "disengage"
    EMERGENCY_STOP = "emergency stop"
    RELEASE_STOP = "release of the stop"
    CALIBRATE = "calibration"
    START_EPISODE = "start of the episode"
    END_AS_SUCCESS = "end of the episode as a success"
    END_AS_FAILURE = "end of the episode as a failure"
    DISCARD_EPISODE = "discarding the episode"


@dataclass(frozen=True)
class Request:
    """A pressed button.

    Attributes:
        action: What is asked for.
        sides: The hands meant; empty for episodes.
        text: The person to calibrate, or the task of an episode.
        answer: To be called with whether it was done and what is to be said.
    """

    action: Action
    sides: tuple[Side, ...]
    text: str
    answer: Callable[[bool, str], None]


@dataclass(frozen=True)
class Offer:
    """What can be asked for at the moment.

    Attributes:
        states: The hands and their states; None for a hand whose command node is silent.
        episode: Folder being recorded; empty for none; None where no recorder runs.
        calibrating: Whether somebody can measure hands.
    """

    states: Mapping[Side, LiveState | None]
    episode: str | None = None
    calibrating: bool = False


class Controls:
    """Buttons and fields of one page."""

    def __init__(
        self,
        gui: Any,
        sides: Sequence[Side],
        request: Callable[[Request], None],
        notify: Callable[[bool, str, str], None],
    ) -> None:
        """Build them.

        Args:
            gui: viser's gui of this page.
            sides: The hands.
            request: Takes what is asked for.
            notify: Tells the page's reader whether it was done, of what, and how.
        """
        self._sides = tuple(sides)
        self._request, self._notify = request, notify
        self._stop = gui.add_button(
            "Emergency stop", color="red", icon="hand-stop", order=STOP_ORDER,
            hint="Holds every hand at once until the stop is released",
        )  # fmt: skip
        self._stop.on_click(lambda _: self._ask(Action.EMERGENCY_STOP, self._sides))
        self._release = gui.add_button(
            "Release the stop", color="gray", icon="lock-open", order=STOP_ORDER + 0.5,
            visible=False,
        )  # fmt: skip
        self._release.on_click(lambda _: self._ask(Action.RELEASE_STOP, self._sides))
        for place, side in enumerate(self._sides):
            self._add_engage(gui, side, ENGAGE_ORDER + 0.1 * place)
        self._episodes = gui.add_folder("Episodes", order=EPISODE_ORDER, visible=False)
        with self._episodes:
            self._task = gui.add_text("Task", "", hint="What is demonstrated, in words")
            self._start = gui.add_button("Start an episode", color="gray", icon="player-record")
            self._start.on_click(lambda _: self._ask(Action.START_EPISODE, (), self._task.value))
            self._end = gui.add_button_group(
                "End as", (_SUCCESS, _FAILURE, _DISCARD), visible=False
            )
            self._end.on_click(lambda event: self._ask(_ENDS[event.target.value], ()))
        self._calibration = gui.add_folder(
            "Calibration", order=CALIBRATION_ORDER, visible=False, expand_by_default=False
        )
        with self._calibration:
            self._person = gui.add_text(
                "Person", "operator", hint="Name under which the measures are saved"
            )
            for side in self._sides:
                label = "Measure my hand" if len(self._sides) == 1 else f"Measure my {side} hand"
                button = gui.add_button(label, color="gray", icon="ruler-measure")
                button.on_click(
                    lambda _, side=side: self._ask(Action.CALIBRATE, (side,), self._person.value)
                )

    def update(self, offer: Offer) -> None:
        """Show only what can be asked for now."""
        phases = {state.phase for state in offer.states.values() if state is not None}
        _set_visible(self._release, "stopped" in phases)
        _set_visible(self._episodes, offer.episode is not None)
        _set_visible(self._start, offer.episode == "")
        _set_visible(self._end, bool(offer.episode))
        _set_visible(self._calibration, offer.calibrating)

    def _add_engage(self, gui: Any, side: Side, order: float) -> None:
        label = f"{side.capitalize()} hand"
        group = gui.add_button_group(label, (_ENGAGE, _DISENGAGE), order=order)

        def clicked(event: Any) -> None:
            engage = event.target.value == _ENGAGE
            self._ask(Action.ENGAGE if engage else Action.DISENGAGE, (side,))

        group.on_click(clicked)

    def _ask(self, action: Action, sides: tuple[Side, ...], text: str = "") -> None:
        def answer(done: bool, words: str) -> None:
            self._notify(done, action.value, words)

        self._request(Request(action, sides, text, answer))


_ENDS = {
    _SUCCESS: Action.END_AS_SUCCESS,
    _FAILURE: Action.END_AS_FAILURE,
    _DISCARD: Action.DISCARD_EPISODE,
}


def _set_visible(handle: Any, visible: bool) -> None:
    """A message to the page only where something changes."""
    if handle.visible != visible:
        handle.visible = visible
