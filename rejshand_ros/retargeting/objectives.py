"""What is asked of a robot hand, frame by frame: vectors, positions, pinches.

An objective owns the arrays of `Terms`; it fills targets and weights in from human keypoints. The
same three kinds serve every hand: what they join stands in the hand's YAML.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import FINGERS, KEYPOINT_COUNT, WRIST, finger_keypoints
from rejshand_ros.retargeting.calibration import Calibration
from rejshand_ros.retargeting.hand_parts import ObjectiveConfig, PinchConfig, Term
from rejshand_ros.retargeting.pinch import PinchState
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.targets import HumanVectors, fill_targets
from rejshand_ros.retargeting.terms import Terms

Points = list[tuple[str, Array]]


class Objective(ABC):
    """Something to minimise, in terms of points on the robot."""

    points: Points
    """Points that the terms join, as link and (3,) metres in it."""
    terms: Terms
    """Filled by `update`; indices are those of `points`."""

    @abstractmethod
    def update(self, keypoints: Array, period_s: float) -> None:
        """Take in a new frame.

        Args:
            keypoints: (21, 3) metres in the operator frame.
            period_s: Time since the last frame, seconds.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget earlier frames."""

    def tip_terms(self) -> dict[str, int]:
        """Finger -> index of the term that places its tip against the wrist."""
        return {}

    def calibrate(self, calibration: Calibration | None) -> None:
        """Take on a person's measures, or the configured scale again."""
        raise ConfigError(f"{type(self).__name__} takes no calibration, given {calibration}")


class VectorObjective(Objective):
    """Vectors between links equal to scaled human ones (kinds ``vector`` and ``position``)."""

    def __init__(self, model: RobotModel, config: ObjectiveConfig) -> None:
        """Lay out the terms.

        Args:
            model: The robot.
            config: What its YAML asks.
        """
        robot = model.config
        self._config = config
        self._robot = robot
        rest = model.link_poses(robot.rest)
        frame = rest[robot.operator_link] @ robot.operator_link_from_frame
        self.root_from_operator = frame
        self.points = []
        indices = [
            (
                self._point(*self._start(term, robot)),
                self._point(term.to_link, np.zeros(3)),
            )
            for term in config.terms
        ]
        count = len(indices)
        self.vectors = HumanVectors(
            start=np.array([term.from_keypoint for term in config.terms], np.int64),
            end=np.array([term.to_keypoint for term in config.terms], np.int64),
            factor=np.array([(term.scale or config.scale) / config.scale for term in config.terms]),
            scale=np.empty(KEYPOINT_COUNT),
            offset=np.empty((KEYPOINT_COUNT, 3)),
            root_from_operator=frame.rotation.copy(),
        )
        self._base_weight = np.array([term.weight for term in config.terms]) / count
        pads = self._pads(robot)
        self.terms = Terms(
            start=np.array([i for i, _ in indices], np.int64),
            end=np.array([j for _, j in indices], np.int64),
            target=np.zeros((count, 3)),
            weight=self._base_weight.copy(),
            huber=np.full(count, config.huber_m),
            pad_start=np.array([i for i, _, _ in pads], np.int64),
            pad_end=np.array([j for _, j, _ in pads], np.int64),
            pad_distance=np.array([distance for _, _, distance in pads], float),
            pad_weight=np.zeros(len(pads)),
            pad_huber=np.full(len(pads), config.huber_m),
        )
        self.calibrate(None)

    def update(self, keypoints: Array, period_s: float) -> None:
        """Fill the targets in."""
        fill_targets(keypoints, self.vectors, self.terms.target)

    def reset(self) -> None:
        """Nothing is remembered."""

    def calibrate(self, calibration: Calibration | None) -> None:
        """Map human keypoints by a person's measures, or by the configured scale."""
        scale, offset = self.vectors.scale, self.vectors.offset
        scale[:], offset[:] = self._config.scale, 0.0
        if calibration is None:
            return
        scale[WRIST] = 1.0
        for finger in FINGERS:
            keypoints = list(finger_keypoints(finger))
            if finger in calibration.fingers:
                fit = calibration.fingers[finger]
                scale[keypoints] = fit.scale
                offset[keypoints] = fit.offset

    def tip_terms(self) -> dict[str, int]:
        """Finger -> index of the term that places its tip against the wrist."""
        found: dict[str, int] = {}
        for finger, parts in self._robot.fingers.items():
            for index, term in enumerate(self._config.terms):
                if term.to_link == parts.tip_link and term.from_keypoint == WRIST:
                    found.setdefault(finger, index)
        return found

    def _pads(self, robot: RobotHandConfig) -> list[tuple[int, int, float]]:
        return []

    def _start(self, term: Term, robot: RobotHandConfig) -> tuple[str, Array]:
        if term.from_link is None:
            return robot.root_link, self.root_from_operator.translation
        return term.from_link, np.zeros(3)

    def _point(self, link: str, local: Array) -> int:
        for index, (known, place) in enumerate(self.points):
            if known == link and np.array_equal(place, local):
                return index
        self.points.append((link, np.asarray(local, float)))
        return len(self.points) - 1


class PinchObjective(VectorObjective):
    """Vectors between all fingertips, and contact where human fingertips meet the thumb's.

    As a finger nears the thumb, its vector to the thumb hands over to a pull between the surfaces
    of the two robot fingertips, gradually in distance and in time, with hysteresis; so nothing
    jumps, and the robot's tips meet although its fingers have other lengths than the person's.
    """

    def __init__(self, model: RobotModel, config: ObjectiveConfig) -> None:
        """Lay out the terms; see `VectorObjective`.

        Raises:
            ConfigError: The hand has no thumb, or a finger has no pad.
        """
        if config.pinch is None:
            raise ConfigError("objective pinch lacks its section pinch")
        self._pinch: PinchConfig = config.pinch
        robot = model.config
        if "thumb" not in robot.fingers or any(f.pad is None for f in robot.fingers.values()):
            raise ConfigError("objective pinch needs a thumb, and a pad for every finger")
        self._pinchers = [finger for finger in robot.fingers if finger != "thumb"]
        self._tips = np.array([finger_keypoints(finger)[-1] for finger in self._pinchers])
        self._thumb = finger_keypoints("thumb")[-1]
        super().__init__(model, config)
        self.state = PinchState(len(self._pinchers), config.pinch)
        pairs = {
            frozenset((int(a), int(b))): k
            for k, (a, b) in enumerate(zip(self.vectors.start, self.vectors.end, strict=True))
        }
        self._pair_terms = [pairs.get(frozenset((int(tip), self._thumb)), -1) for tip in self._tips]
        tips = self.tip_terms()
        self._thumb_term = tips.get("thumb", -1)
        self._tip_terms = [tips.get(finger, -1) for finger in self._pinchers]
        self._contact_weight = config.pinch.weight / len(config.terms)

    def update(self, keypoints: Array, period_s: float) -> None:
        """Fill targets and weights in."""
        super().update(keypoints, period_s)
        gaps = keypoints[self._tips] - keypoints[self._thumb]
        held = self.state.update(np.sqrt((gaps * gaps).sum(1)), period_s)
        self.terms.pad_weight[:] = held * self._contact_weight
        for share, term in zip(held, self._pair_terms, strict=True):
            if term >= 0:
                self.terms.weight[term] = self._base_weight[term] * (1.0 - share)
        self._draw_together(held)

    def _draw_together(self, held: Array) -> None:
        """Let pinching tips be asked to the same place: scaled apart, they would pull at it."""
        if self._thumb_term < 0 or not held.any():
            return
        target = self.terms.target
        thumb = target[self._thumb_term].copy()
        most = 0.0
        for share, term in zip(held, self._tip_terms, strict=True):
            if share > 0.0 and term >= 0:
                middle = (target[term] + thumb) / 2
                target[term] += share * (middle - target[term])
                if share > most:
                    most = float(share)
                    target[self._thumb_term] = thumb + share * (middle - thumb)

    def reset(self) -> None:
        """Let go of every pinch."""
        self.state.reset()

    def _pads(self, robot: RobotHandConfig) -> list[tuple[int, int, float]]:
        margin = robot.collision.margin_m if robot.collision else 0.0
        thumb = robot.fingers["thumb"].pad
        assert thumb is not None
        start = self._point(thumb.link, thumb.centre)
        pads = []
        for finger in self._pinchers:
            pad = robot.fingers[finger].pad
            assert pad is not None
            distance = thumb.radius_m + pad.radius_m + margin
            pads.append((start, self._point(pad.link, pad.centre), distance))
        return pads


def build_objective(model: RobotModel, name: str) -> Objective:
    """An objective of a hand's YAML by its name.

    Raises:
        ConfigError: The YAML has none of that name, or lacks what it needs.
    """
    config = model.config.objective(name)
    return PinchObjective(model, config) if name == "pinch" else VectorObjective(model, config)
