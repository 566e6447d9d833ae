"""How good the detector is on groups of photographs that it never saw.

Run: ``python -m rejshand_ros.training.detector_evaluate --photographs <folder>``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.tracking.close_look import CloseLook, right_probability
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.localiser import HandBox, overlap
from rejshand_ros.training.detector_data import LabelledHand, Photograph, load_photographs

_SHORTEST_PX = 200
"""Close-ups smaller than this are no frames of a camera; they are left out."""


@dataclass(frozen=True)
class DetectorFigures:
    """Counts over photographs.

    Attributes:
        hands: Labelled hands.
        found: Labelled hands with a find: box overlap of at least 0.5 with keypoint boxes, the
            find's centre inside for drawn ones.
        finds: All finds in photographs whose hands are all labelled.
        false: Those that lie on no labelled hand.
        sided: Found hands of known side.
        side_right: Those whose side was told right, as the tracker tells it: by the crop network's
            close look at the find where there is one.
        finder_side_right: Those whose side the detector alone told right.
    """

    hands: int
    found: int
    finds: int
    false: int
    sided: int
    side_right: int
    finder_side_right: int

    @property
    def figures(self) -> dict[str, float]:
        """Recall, precision and accuracy of the side."""
        return {
            "detector_recall": self.found / max(self.hands, 1),
            "detector_precision": 1.0 - self.false / max(self.finds, 1),
            "detector_side_accuracy": self.side_right / max(self.sided, 1),
        }


def evaluate(
    detector: Detector,
    photographs: Sequence[Photograph],
    *,
    min_score: float,
    close: CloseLook | None = None,
) -> DetectorFigures:
    """Count finds and misses.

    Args:
        detector: What to evaluate.
        photographs: With their labels.
        min_score: Finds below are passed over.
        close: Looks closely at each find for its side, as the tracker does before it follows one.
    """
    hands = found = finds = false = sided = side_right = finder_side_right = 0
    for photograph in photographs:
        height, width = photograph.image.shape[:2]
        if min(height, width) < _SHORTEST_PX:
            continue
        camera = PinholeCamera.from_field_of_view(width, height)
        boxes = [b for b in detector.find(photograph.image, camera) if b.score >= min_score]
        for hand in photograph.hands:
            matches = [box for box in boxes if _matches(box, hand)]
            hands += 1
            found += bool(matches)
            if matches and hand.right is not None:
                sided += 1
                finder = matches[0].side is Side.RIGHT
                finder_side_right += finder == hand.right
                if close is not None:
                    plain, mirrored = close.both_sides(photograph.image, 0, camera, matches[0])
                    finder = right_probability(matches[0], plain[0], mirrored[0]) >= 0.5
                side_right += finder == hand.right
        # Only the drawn boxes are known to be complete.
        if photograph.folder in ("indoor_outdoor", "egocentric"):
            finds += len(boxes)
            false += sum(not any(_touches(box, h) for h in photograph.hands) for box in boxes)
    return DetectorFigures(hands, found, finds, false, sided, side_right, finder_side_right)


def _matches(box: HandBox, hand: LabelledHand) -> bool:
    """Whether a find is this hand."""
    if not hand.exact:
        return _touches(box, hand)
    return overlap(box, HandBox(hand.centre, hand.side_px, 0.0, None, 1.0)) >= 0.5


def _touches(box: HandBox, hand: LabelledHand) -> bool:
    """Whether a find's centre lies in the hand's box."""
    return bool(np.abs(box.centre - hand.centre).max() < hand.side_px / 2)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--weights", default="detector")
    parser.add_argument("--min-score", type=float, default=0.4)
    parser.add_argument("--hand-weights", default="", help="look closely with these, or default")
    given = parser.parse_args()
    close = None
    if given.hand_weights:
        weights = None if given.hand_weights == "default" else given.hand_weights
        close = CloseLook(load_predictor(weights, "cpu"), TrackingConfig.smallest_px)
    detector = Detector(given.weights, min_score=given.min_score, threads=1)
    photographs = load_photographs(given.photographs, held_out=True, longest_px=640)
    for folder in ("indoor_outdoor", "egocentric", "many_people", "letters"):
        part = [p for p in photographs if p.folder == folder]
        print(folder, evaluate(detector, part, min_score=given.min_score, close=close))
    figures = evaluate(detector, photographs, min_score=given.min_score, close=close)
    print(json.dumps(figures.figures, indent=2))


if __name__ == "__main__":
    main()
