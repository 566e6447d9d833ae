"""Tracking on a real video, a clip of trials, a synthetic clip, and images without a hand.

All counts are taken before smoothing, so that no filter hides a jump.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.report import table, write_report
from benchmarks.tracking_clips import (
    PERIOD_NS,
    Frame,
    Image,
    TrueHand,
    plain_clip,
    read_video,
    torture_clip,
)
from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import PinholeCamera, rotation_vector
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import PALM, Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.synthetic.clip import ClipTruth, ensure_default_clip, load_clip_truth
from rejshand_ros.tracking.close_look import CloseLook
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState
from rejshand_ros.tracking.tracker import HandTracker
from rejshand_ros.tracking.wrist import hand_length
from rejshand_ros.training.detector_data import load_photographs
from rejshand_ros.training.detector_evaluate import evaluate

_DATA = (Path(__file__).parents[1] / "../shared/data").resolve()
_EMPTY_FRAMES = 300
_MIN_SCORE = 0.4


@dataclass
class Counts:
    """What a tracker did on a clip.

    Attributes:
        visible: Visible hands over all frames.
        found: Of these, reported as tracked within half a box of where they are.
        side_flips: Changes of the side under which one hand is reported.
        long_flips: Runs of more than three frames under the wrong side.
        jumps: Moves of the palm's centre by more than half a box between frames that the hand
            itself did not make.
        false: Tracked hands where none is.
        reacquired: Frames from each return of a hand to its being tracked.
        distances: Mean distance of the 2D keypoints to the reference, share of the hull's side.
        seconds: Time of each update.
    """

    visible: int = 0
    found: int = 0
    side_flips: int = 0
    long_flips: int = 0
    jumps: int = 0
    false: int = 0
    reacquired: list[int] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass
class _Watch:
    """One true hand over a clip."""

    unseen: int = 0
    was_visible: bool = True
    waiting: bool = False
    reported: Side | None = None
    wrong_run: int = 0
    palm: np.ndarray | None = None
    true_palm: np.ndarray | None = None


def follow(tracker: HandTracker, frames: Iterable[Frame]) -> Counts:
    """Run a tracker over a clip and count."""
    counts = Counts()
    watches: dict[int, _Watch] = {}
    tracker.reset()
    for frame in frames:
        height, width = frame.image.shape[:2]
        camera = PinholeCamera.from_field_of_view(width, height)
        start = time.perf_counter()
        answer = tracker.update(frame.image, frame.stamp_ns, camera)
        counts.seconds.append(time.perf_counter() - start)
        tracked = [hand for hand in answer if hand.state is TrackState.TRACKING]
        matched: set[int] = set()
        for number, true in enumerate(frame.hands):
            watch = watches.setdefault(number, _Watch())
            best = _nearest(tracked, true)
            if best is not None:
                matched.add(id(best))
            _count(counts, watch, true, best)
        counts.false += sum(id(hand) not in matched for hand in tracked)
    return counts


def _side_px(pixels: np.ndarray) -> float:
    return float(np.ptp(pixels, axis=0).max())


def _nearest(tracked: list[TrackedHand], true: TrueHand) -> TrackedHand | None:
    """The reported hand that lies on a true one."""
    centre, reach = true.pixels.mean(0), 0.6 * _side_px(true.pixels)
    near = [h for h in tracked if np.abs(h.keypoints_2d.mean(0) - centre).max() < reach]
    return min(near, key=lambda h: float(np.abs(h.keypoints_2d - true.pixels).mean()), default=None)


def _count(counts: Counts, watch: _Watch, true: TrueHand, best: TrackedHand | None) -> None:
    """Take in what was reported of one true hand in one frame."""
    if true.visible and not watch.was_visible:
        watch.waiting, watch.unseen = True, 0
    watch.was_visible = true.visible
    if watch.waiting:
        watch.unseen += 1
        if best is not None:
            counts.reacquired.append(watch.unseen)
            watch.waiting = False
    side_px = _side_px(true.pixels)
    if true.visible:
        counts.visible += 1
        counts.found += best is not None
    if best is None:
        watch.palm = None
        return
    if watch.reported is not None and best.side is not watch.reported:
        counts.side_flips += 1
    watch.reported = best.side
    watch.wrong_run = watch.wrong_run + 1 if best.side is not true.side else 0
    counts.long_flips += watch.wrong_run == 4
    palm, true_palm = best.keypoints_2d[list(PALM)].mean(0), true.pixels[list(PALM)].mean(0)
    if watch.palm is not None and watch.true_palm is not None:
        own = np.linalg.norm(palm - watch.palm - (true_palm - watch.true_palm))
        counts.jumps += bool(own > 0.5 * 1.25 * side_px)
    watch.palm, watch.true_palm = palm, true_palm
    if true.visible:
        distance = np.linalg.norm(best.keypoints_2d - true.pixels, axis=1).mean()
        counts.distances.append(float(distance) / side_px)


@dataclass(frozen=True)
class Placement:
    """How well the wrist is placed on a clip of known truth.

    Attributes:
        found: Share of the frames with a tracked hand.
        distance_error: Median error of the wrist's distance, as a share of it.
        orientation_error_deg: Median angle between the wrist frames, degrees.
    """

    found: float
    distance_error: float
    orientation_error_deg: float


def place(tracker: HandTracker, video: Path, truth: ClipTruth) -> Placement:
    """Follow a rendered clip and compare the wrist's pose with the truth."""
    tracker.reset()
    distances, angles = [], []
    for index, image in enumerate(read_video(video, len(truth.uv))):
        height, width = image.shape[:2]
        camera = PinholeCamera(width, height, truth.camera_matrix)
        for hand in tracker.update(image, index * PERIOD_NS, camera):
            if hand.state is not TrackState.TRACKING or hand.side is not truth.side:
                continue
            pose = hand.camera_from_wrist
            real = wrist_frame(truth.xyz[index], truth.side)
            distance = float(np.linalg.norm(real.translation))
            found = float(np.linalg.norm(pose.translation))
            distances.append(abs(found - distance) / distance)
            turn = rotation_vector(real.rotation.T @ pose.rotation)
            angles.append(float(np.degrees(np.linalg.norm(turn))))
    if not distances:
        return Placement(0.0, np.inf, np.inf)
    share = len(distances) / len(truth.uv)
    return Placement(share, float(np.median(distances)), float(np.median(angles)))


def empty_frames(folder: Path, count: int, seed: int = 0) -> list[Image]:
    """Images without a hand: parts of photographs beside all drawn boxes, faces among them."""
    rng = np.random.default_rng(seed)
    entries = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    entries = [e for e in entries if e["boxes"] and e["image"].startswith("indoor_outdoor")]
    images: list[Image] = []
    while len(images) < count:
        entry = entries[rng.integers(len(entries))]
        side = int(rng.integers(130, 300))
        x, y = rng.integers(0, entry["width"] - side), rng.integers(0, entry["height"] - side)
        boxes = np.array(entry["boxes"])
        clear = (boxes[:, 2] < x) | (boxes[:, 0] > x + side) | (boxes[:, 3] < y)
        if not np.all(clear | (boxes[:, 1] > y + side)):
            continue
        image = cv2.imread(str(folder / entry["image"]))
        if image is None:
            raise ModelFileError(f"cannot read {folder / entry['image']}")
        part = cv2.resize(image[y : y + side, x : x + side], (640, 640))
        images.append(np.asarray(part, np.uint8))
    return images


def false_finds(tracker: HandTracker, images: list[Image]) -> int:
    """Images without a hand, each shown for four frames, in which one is reported."""
    camera = PinholeCamera.from_field_of_view(640, 640)
    found = 0
    for image in images:
        tracker.reset()
        answers = [tracker.update(image, i * PERIOD_NS, camera) for i in range(4)]
        found += any(answers)
    return found


def main() -> None:
    """Measure and report."""
    if not _DATA.is_dir():
        raise ModelFileError(f"no recorded data at {_DATA}")
    detector = Detector(min_score=_MIN_SCORE)
    predictor = load_predictor()
    tracker = HandTracker(predictor, detector, TrackingConfig(smooth=False))
    video = _DATA / "hand_video/human_hand_video.mp4"
    pixels = np.load(_DATA / "hand_video/mediapipe_keypoints.npz")["uv"]
    real = follow(tracker, plain_clip(video, pixels, Side.RIGHT))
    torture = follow(tracker, torture_clip(video, pixels, Side.RIGHT))
    clip, truth_path = ensure_default_clip(Path("out/cache/clips"))
    truth = load_clip_truth(truth_path)
    # The rendered hand is as long as the template's: an operator would have calibrated it.
    length = hand_length(truth.xyz[0])
    calibrated = TrackingConfig(smooth=False, hand_length_m=length)
    placed = place(HandTracker(predictor, detector, calibrated), clip, truth)
    false = false_finds(tracker, empty_frames(_DATA / "photos", _EMPTY_FRAMES))
    held_out = load_photographs(_DATA / "photos", held_out=True, longest_px=640)
    close = CloseLook(predictor, TrackingConfig.smallest_px)
    finder = evaluate(detector, held_out, min_score=_MIN_SCORE, close=close)
    rows = [
        (
            name, c.found / max(c.visible, 1), c.false, c.side_flips, c.long_flips, c.jumps,
            float(np.median(c.distances)), 1e3 * float(np.median(c.seconds)),
        )
        for name, c in (("real", real), ("torture", torture))
    ]  # fmt: skip
    header = ("clip", "found", "false", "flips", "flips > 3", "jumps", "2D distance", "ms")
    print(table(header, rows))
    write_report(
        "tracking",
        {
            "found_ratio": real.found / max(real.visible, 1),
            "side_flips": real.side_flips,
            "jumps": real.jumps,
            "reacquire_frames_p95": float(np.percentile(torture.reacquired or [999], 95)),
            "side_flips_over_3_frames": torture.long_flips,
            "false_finds": false,
            **finder.figures,
        },
        {
            "clips": [dict(zip(header, row, strict=True)) for row in rows],
            "synthetic": {
                "found_ratio": placed.found,
                "wrist_distance_error": placed.distance_error,
                "wrist_orientation_error_deg": placed.orientation_error_deg,
            },
            "reacquired_frames": torture.reacquired,
            "frames_without_hand": _EMPTY_FRAMES,
            "update_ms_p95": 1e3 * float(np.percentile(real.seconds, 95)),
        },
    )


if __name__ == "__main__":
    main()
