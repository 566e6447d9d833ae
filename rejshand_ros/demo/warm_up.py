"""Compile once, at installation, what would otherwise be compiled at the first start."""

from __future__ import annotations

import numpy as np

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.retargeter import Retargeter
from rejshand_ros.retargeting.robot_hand import available_hands, load_robot_hand
from rejshand_ros.tracking.load import load_tracker
from rejshand_ros.viewing.robot_view import RobotView


def warm_up() -> None:
    """Build tracker and solvers and draw every hand once; their machine code is kept.

    Raises:
        RejshandError: A hand's description is wrong.
    """
    load_tracker(device="cpu")
    for hand, sides in available_hands().items():
        for side in sides:
            robot = load_robot_hand(hand, Side(side))
            Retargeter(robot)
            RobotView(robot).render(robot.joint_names, np.asarray(robot.rest, float))


if __name__ == "__main__":
    warm_up()
