"""Compile once, at installation, what would otherwise be compiled at the first start."""

from __future__ import annotations

import numpy as np

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.retargeter import Retargeter
from rejshand_ros.retargeting.robot_hand import available_hands, load_robot_hand
from rejshand_ros.viewing.robot_view import RobotView


def warm_up() -> None:
    """Build every solver and draw every hand once; the machine code stays beside the sources.

    Raises:
        RejshandError: A hand's description is wrong.
    """
    for hand, sides in available_hands().items():
        for side in sides:
            robot = load_robot_hand(hand, Side(side))
            Retargeter(robot)
            RobotView(robot).render(robot.joint_names, np.asarray(robot.rest, float))


if __name__ == "__main__":
    warm_up()
