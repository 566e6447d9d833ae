"""The states of a teleoperated hand, said to somebody who has never seen one."""

from __future__ import annotations

from rejshand_ros.viewing.live import LiveState

_HEADLINES = {
    "disengaged": "Not engaged",
    "ramping": "Moving to your pose",
    "tracking": "Following your hand",
    "holding": "Holding still",
    "stopped": "Stopped",
}
_HINTS = {
    "disengaged": "The robot hand stays where it is until somebody engages it.",
    "ramping": "It moves slowly until it has reached your pose.",
    "tracking": "What your hand does, the robot hand does.",
    "holding": "It goes on as soon as your hand is seen again.",
    "stopped": "It will not move before the stop is released.",
}


def headline(state: LiveState | None) -> str:
    """The state in two or three words; None where the command node has said nothing yet."""
    if state is None:
        return "Waiting for the command node"
    return _HEADLINES.get(state.phase, state.phase or "Unknown")


def explanation(state: LiveState | None) -> str:
    """What the state means, and why it is so."""
    if state is None:
        return "It tells its state as soon as it runs."
    reason = state.reason.strip()
    told = f"{reason[:1].upper()}{reason[1:]}." if reason else ""
    return f"{_HINTS.get(state.phase, '')} {told}".strip()
