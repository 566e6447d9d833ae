"""Pieces of the browser view's page that are only read: each hand's state, the chain's nodes."""

from __future__ import annotations

import html
from collections.abc import Mapping

from rejshand_ros.hand.keypoints import FINGERS, Side
from rejshand_ros.viewing.colours import FINGER_RGB, css, phase_rgb
from rejshand_ros.viewing.live import LiveNode, LiveState
from rejshand_ros.viewing.words import explanation, headline

_LARGEST_ERROR_MM = 40.0
"""An error of this size fills its bar."""
_MUTED = "color:var(--mantine-color-dimmed)"


def state_card(
    hand: str,
    side: Side,
    state: LiveState | None,
    error_m: Mapping[str, float],
    latency_ms: float | None,
) -> str:
    """Which hand it is, what it does and why, and how well it follows.

    Args:
        hand: Name of the robot hand.
        side: Its side.
        state: State of the teleoperation; None where nobody has told it.
        error_m: Finger name -> distance of the robot's fingertip from where it is asked to be.
        latency_ms: Capture to command; None where nothing is commanded.
    """
    colour = css(phase_rgb("" if state is None else state.phase))
    latency = "" if latency_ms is None else f"{latency_ms:.0f} ms after the image"
    bars = "".join(_error_bar(finger, error_m[finger]) for finger in FINGERS if finger in error_m)
    return (
        '<div style="margin:0 10px 8px;padding:10px 12px;border-radius:8px;'
        f'border-left:5px solid {colour};background:rgba(130,140,160,.12)">'
        f'<div style="font-size:12px;{_MUTED};display:flex;justify-content:space-between">'
        f"<span>{html.escape(hand.capitalize())} · {side} hand</span><span>{latency}</span></div>"
        f'<div style="font-size:20px;font-weight:600;line-height:1.35;color:{colour}" '
        f'data-hand="{side}">{html.escape(headline(state))}</div>'
        f'<div style="font-size:12.5px;line-height:1.4">{html.escape(explanation(state))}</div>'
        f"{bars}</div>"
    )


def _error_bar(finger: str, error_m: float) -> str:
    millimetres = 1e3 * error_m
    share = 100 * min(1.0, millimetres / _LARGEST_ERROR_MM)
    return (
        '<div style="display:flex;align-items:center;gap:8px;font-size:12px;margin-top:3px">'
        f'<span style="width:44px;{_MUTED}">{finger}</span>'
        '<span style="flex:1;height:5px;border-radius:3px;background:rgba(130,140,160,.25)">'
        f'<span style="display:block;height:5px;border-radius:3px;width:{share:.0f}%;'
        f'background:{css(FINGER_RGB[finger])}"></span></span>'
        f'<span style="width:48px;text-align:right">{millimetres:.0f} mm</span></div>'
    )


def nodes_table(nodes: Mapping[str, LiveNode]) -> str:
    """Each node's rate, age and drops; what one complains of stands below its line."""
    rows = []
    for name, node in nodes.items():
        age = "" if node.age_ms is None else f"{node.age_ms:.1f} ms"
        colour = "#f0a35c" if node.trouble else "inherit"
        cells = (f"{node.rate_hz:.0f} Hz", age, str(node.dropped))
        numbers = "".join(f'<td style="text-align:right">{cell}</td>' for cell in cells)
        rows.append(f'<tr><td style="color:{colour}">{html.escape(name)}</td>{numbers}</tr>')
        if node.trouble:
            rows.append(
                f'<tr><td colspan="4" style="{_MUTED};padding-left:10px">'
                f"{html.escape(node.trouble)}</td></tr>"
            )
    columns = (("node", "left"), ("rate", "right"), ("age", "right"), ("lost", "right"))
    head = "".join(
        f'<th style="font-weight:500;{_MUTED};text-align:{where}">{text}</th>'
        for text, where in columns
    )
    return (
        '<table style="width:calc(100% - 20px);margin:0 10px 8px;font-size:12px;'
        f'border-collapse:collapse;line-height:1.55"><tr>{head}</tr>{"".join(rows)}</table>'
    )
