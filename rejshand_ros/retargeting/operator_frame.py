"""The operator frame over time: the wrist frame, made robust to noise and to an edge-on palm."""

from __future__ import annotations

from rejshand_ros.geometry import Array
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import Side


class OperatorFrame:
    """Follows the wrist frame of one hand."""

    def __init__(self, side: Side) -> None:
        """Start without a frame.

        Args:
            side: Side of the hand.
        """
        self._side = side

    def reset(self) -> None:
        """Forget earlier frames."""

    def update(self, keypoints: Array, period_s: float) -> Array:
        """Keypoints (21, 3) in the operator frame, metres.

        Args:
            keypoints: (21, 3) metres, any fixed axes.
            period_s: Time since the last call, seconds.

        Raises:
            InputError: The palm's points span no plane.
        """
        frame = wrist_frame(keypoints, self._side)
        return (keypoints - frame.translation) @ frame.rotation
