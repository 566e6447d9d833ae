"""The camera image with its skeletons, as a piece of a web page.

The image goes to the browser as the camera compressed it, and the browser draws the skeletons
over it: nothing is decoded or compressed here, which would cost more than everything else.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, FINGERTIPS, KEYPOINT_COUNT
from rejshand_ros.viewing.colours import FINGER_RGB, PALM_RGB, css
from rejshand_ros.viewing.live import LiveHand, LivePicture
from rejshand_ros.viewing.overlay import finger_of

_SHELL = (
    '<div style="position:relative;margin:0 10px 6px;border-radius:8px;overflow:hidden;'
    'background:#101114;aspect-ratio:{ratio}">{content}</div>'
)
_IMAGE = (
    '<img alt="camera" decoding="sync" style="position:absolute;inset:0;width:100%;height:100%" '
    'src="data:image/{media};base64,{data}">'
)
_NOTE = (
    '<div style="position:absolute;left:8px;bottom:8px;padding:2px 8px;border-radius:6px;'
    'background:rgba(16,17,20,.72);color:#f1f3f5;font-size:12px">{text}</div>'
)
_EMPTY = (
    '<div style="position:absolute;inset:0;display:flex;align-items:center;'
    'justify-content:center;color:#909296;font-size:13px">{text}</div>'
)


def empty_picture(text: str) -> str:
    """A frame with words where no image has come."""
    return _SHELL.format(ratio="4/3", content=_EMPTY.format(text=text))


def picture_html(picture: LivePicture, hands: Sequence[LiveHand] | None) -> str:
    """The image with a skeleton for each hand.

    Args:
        picture: The camera image.
        hands: The hands found in it; None where nobody has told.
    """
    data = base64.b64encode(picture.data).decode("ascii")
    drawn = "".join(_skeleton(hand, picture) for hand in hands or ())
    overlay = (
        f'<svg viewBox="0 0 {picture.width} {picture.height}" preserveAspectRatio="none" '
        f'style="position:absolute;inset:0;width:100%;height:100%">{drawn}</svg>'
    )
    note = _NOTE.format(text=_seen(hands))
    image = _IMAGE.format(media=picture.media, data=data)
    return _SHELL.format(
        ratio=f"{picture.width}/{picture.height}", content=f"{image}{overlay}{note}"
    )


def _seen(hands: Sequence[LiveHand] | None) -> str:
    """Which hands are in the picture, in words."""
    if hands is None:
        return "no word from hand_pose"
    if not hands:
        return "no hand seen"
    return ", ".join(f"{hand.side} hand {'held' if hand.held else 'seen'}" for hand in hands)


def _skeleton(hand: LiveHand, picture: LivePicture) -> str:
    points = hand.keypoints_2d
    if points.shape != (KEYPOINT_COUNT, 2) or not np.isfinite(points).all():
        return ""
    size = max(picture.width, picture.height) / 640
    parts = [f'<g stroke-linecap="round" opacity="{0.45 if hand.held else 1}">']
    width = 2.4 * size
    for parent, child in BONES:
        ends = _line(points[parent], points[child])
        parts.append(f'<line {ends} stroke="#16171a" stroke-width="{width + 2 * size:.1f}"/>')
    for parent, child in BONES:
        colour = css(PALM_RGB if parent == 0 else FINGER_RGB[finger_of(child)])
        ends = _line(points[parent], points[child])
        parts.append(f'<line {ends} stroke="{colour}" stroke-width="{width:.1f}"/>')
    for index, (u, v) in enumerate(points.tolist()):
        colour = css(PALM_RGB if index == 0 else FINGER_RGB[finger_of(index)])
        radius = (4.2 if index in FINGERTIPS else 3.0) * size
        parts.append(
            f'<circle cx="{u:.1f}" cy="{v:.1f}" r="{radius:.1f}" fill="{colour}" '
            f'stroke="#16171a" stroke-width="{size:.1f}"/>'
        )
    return "".join((*parts, "</g>"))


def _line(start: Array, end: Array) -> str:
    return f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
