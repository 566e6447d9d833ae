"""The tracker of the hand pose node, built from its parameters and warmed up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.inference.predictor import CropPredictor
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.localiser import Localiser
from rejshand_ros.tracking.tracker import HandTracker


def build_tracker(
    *,
    weights: str,
    device: str,
    threads: int,
    sides: Sequence[Side],
    estimator: str = "network",
    detector: str = "network",
    mediapipe_task: str = "",
) -> tuple[HandTracker, str]:
    """Load the networks and run them once: a runtime's first answer takes many times longer.

    Args:
        weights: Name or path of the crop network's weights.
        device: Where the crop network runs.
        threads: CPU threads.
        sides: The hands to follow.
        estimator: What looks at crops: ``"network"`` or ``"mediapipe"``.
        detector: What finds hands in whole images: the same choices.
        mediapipe_task: MediaPipe's .task file, where either is ``"mediapipe"``.

    Returns:
        The tracker and the name of the runtime behind it.

    Raises:
        ModelFileError: Weights are missing or damaged.
        ConfigError: Unknown device.
        MissingDependencyError: MediaPipe is asked for and not installed.
    """
    hands = None
    if "mediapipe" in (estimator, detector):
        from rejshand_ros.tracking.mediapipe_hands import (
            MediapipeHands,
            MediapipeLocaliser,
            MediapipePredictor,
        )

        hands = MediapipeHands(mediapipe_task)
    predictor: CropPredictor
    if hands is not None and estimator == "mediapipe":
        predictor, runtime = MediapipePredictor(hands), "mediapipe"
    else:
        own = load_predictor(weights, device, threads=threads)
        predictor, runtime = own, own.runtime.name
    localiser: Localiser
    if hands is not None and detector == "mediapipe":
        localiser = MediapipeLocaliser(hands)
    else:
        localiser = Detector(threads=threads)
    size = predictor.input_size
    for count in (1, 2):
        predictor.predict(np.zeros((count, size, size, 3), np.uint8))
    blank = np.zeros((480, 640, 3), np.uint8)
    localiser.find(blank, PinholeCamera.from_field_of_view(640, 480))
    tracker = HandTracker(predictor, localiser, TrackingConfig(sides=tuple(sides)))
    return tracker, runtime
