"""From choices of weights and device to a tracker."""

from __future__ import annotations

from pathlib import Path

from rejshand_ros.inference.load import load_predictor
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.tracker import HandTracker


def load_tracker(
    config: TrackingConfig | None = None,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    detector: str | Path = "detector",
    threads: int = 2,
) -> HandTracker:
    """Load the crop network and the detector.

    Args:
        config: How to track.
        weights: The crop network: a shipped name, a path, or None for the default.
        device: Of the crop network; see `rejshand_ros.inference.load.DEVICES`.
        detector: The detector: a shipped name or a path.
        threads: CPU threads of each.

    Raises:
        ConfigError: Unknown device.
        ModelFileError: A file is missing, cut short or of another kind.
        MissingDependencyError: The device's library is not installed.
    """
    predictor = load_predictor(weights, device, threads=threads)
    return HandTracker(predictor, Detector(detector, threads=threads), config)
