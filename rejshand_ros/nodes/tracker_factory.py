"""The tracker of the hand pose node, built from its parameters and warmed up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.tracker import HandTracker


def build_tracker(
    *, weights: str, device: str, threads: int, sides: Sequence[Side]
) -> tuple[HandTracker, str]:
    """Load the networks and run them once: a runtime's first answer takes many times longer.

    Args:
        weights: Name or path of the crop network's weights.
        device: Where the crop network runs.
        threads: CPU threads.
        sides: The hands to follow.

    Returns:
        The tracker and the name of the runtime behind it.

    Raises:
        ModelFileError: Weights are missing or damaged.
        ConfigError: Unknown device.
    """
    predictor = load_predictor(weights, device, threads=threads)
    detector = Detector(threads=threads)
    size = predictor.input_size
    for count in (1, 2):
        predictor.predict(np.zeros((count, size, size, 3), np.uint8))
    blank = np.zeros((480, 640, 3), np.uint8)
    detector.find(blank, PinholeCamera.from_field_of_view(640, 480))
    tracker = HandTracker(predictor, detector, TrackingConfig(sides=tuple(sides)))
    return tracker, predictor.runtime.name
