"""How hands are found, followed, lost and smoothed."""

from __future__ import annotations

from dataclasses import dataclass, field

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.tracking.one_euro import OneEuroConfig

BOX_SCALE = 1.25
"""Side of a hand's square box over the longer side of its keypoints' hull."""


@dataclass(frozen=True)
class TrackingConfig:
    """Parameters of `HandTracker`.

    Attributes:
        sides: The hands to follow; a hand of another side is passed over.
        acquire_presence: Probability of a hand in the crop from which a new hand is taken up; its
            mirror image must reach nearly as much, and a hand that comes back where it was lost
            needs less.
        acquire_error: Distance between a new hand's metric points and its image points above
            which it is not taken up, as a share of its extent.
        keep_presence: Probability below which a followed hand counts as not seen; lower than
            `acquire_presence`, so that a hand on the edge does not flicker.
        hold_s: How long a hand that is not seen is held at its last estimate before it is lost,
            seconds.
        search_period_s: How often the whole image is searched while a hand is followed: for a
            further hand, and to check that the crop still holds the whole hand, seconds. With no
            hand followed every image is searched.
        confirm_frames: Images in a row in which a new hand must be seen before it is reported:
            a false find does not survive them.
        side_time_s: Time constant over which the network's opinion of the side is averaged,
            seconds.
        side_doubt: When the averaged probability of the side that a hand is followed as falls
            below this, the hand is dropped and taken up anew.
        crop_shrink_s: Time constant with which a followed hand's crop shrinks to its keypoints,
            seconds; it widens at once.
        smallest_px: Hands with a box smaller than this are dropped, pixels.
        smooth: Whether to smooth at all.
        image_filter: Of the image points; the unit is the hand's box.
        points_filter: Of the 3D points relative to the wrist, metres.
        position_filter: Of the wrist's position, metres.
        orientation_filter: Of the wrist's orientation, radians.
        hand_length_m: The operator's calibrated hand length (wrist to tip of the straightened
            middle finger), metres; None takes the network's.
        longest_side_px: Larger images are refused, pixels.
    """

    sides: tuple[Side, ...] = (Side.RIGHT, Side.LEFT)
    acquire_presence: float = 0.95
    acquire_error: float = 0.08
    keep_presence: float = 0.5
    hold_s: float = 0.3
    search_period_s: float = 0.4
    confirm_frames: int = 2
    side_time_s: float = 1.0
    side_doubt: float = 0.2
    crop_shrink_s: float = 0.2
    smallest_px: float = 24.0
    smooth: bool = True
    image_filter: OneEuroConfig = field(
        default_factory=lambda: OneEuroConfig(min_cutoff_hz=0.8, beta=10.0, speed_floor=0.1)
    )
    points_filter: OneEuroConfig = field(
        default_factory=lambda: OneEuroConfig(min_cutoff_hz=0.3, beta=7.0, speed_floor=0.02)
    )
    position_filter: OneEuroConfig = field(
        default_factory=lambda: OneEuroConfig(min_cutoff_hz=0.8, beta=6.0, speed_floor=0.02)
    )
    orientation_filter: OneEuroConfig = field(
        default_factory=lambda: OneEuroConfig(min_cutoff_hz=0.8, beta=1.0, speed_floor=0.1)
    )
    hand_length_m: float | None = None
    longest_side_px: int = 8192

    def __post_init__(self) -> None:
        """Refuse values outside their ranges, by name."""
        for name in ("acquire_presence", "keep_presence", "side_doubt"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} {value}; a probability 0..1 is needed")
        if self.keep_presence > self.acquire_presence:
            raise ConfigError(
                f"keep_presence {self.keep_presence} is above acquire_presence"
                f" {self.acquire_presence}; it must not be"
            )
        for name in (
            "hold_s",
            "search_period_s",
            "side_time_s",
            "crop_shrink_s",
            "smallest_px",
            "acquire_error",
        ):
            value = getattr(self, name)
            if not 0.0 < value < float("inf"):
                raise ConfigError(f"{name} {value}; a positive number is needed")
        if self.confirm_frames < 1:
            raise ConfigError(f"confirm_frames {self.confirm_frames}; at least 1 is needed")
        if not self.sides or len(set(self.sides)) != len(self.sides):
            raise ConfigError(f"sides {self.sides}; right, left or both, each once")
        if self.hand_length_m is not None and not 0.08 <= self.hand_length_m <= 0.3:
            raise ConfigError(f"hand_length_m {self.hand_length_m}; 0.08..0.3 m is needed")
