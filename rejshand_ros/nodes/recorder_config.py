"""Parameters of the recorder node, and the files whose hashes its episodes' cards tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rejshand_ros.inference.load import weights_file
from rejshand_ros.nodes.base import NodeConfig
from rejshand_ros.nodes.calibration_file import calibration_path
from rejshand_ros.nodes.joint_conversions import COMMAND_TYPES
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.recording.provenance import hand_files
from rejshand_ros.retargeting.calibration import calibration_path as person_path


@dataclass(frozen=True)
class RecorderConfig(NodeConfig):
    """Parameters of the recorder node; their descriptions are in the fields."""

    folder: str = parameter("episodes", "folder below which each episode gets its own")
    episode: str = parameter("", "episode to begin at once; empty: wait for start_episode")
    resume: bool = parameter(
        False,
        "where that episode ended early, go on with a further one, named with a number, as soon "
        "as the disk has room again; false: the node ends",
    )
    side: str = parameter("right", "hands to record", choices=tuple(SIDES))
    transport: str = parameter("compressed", "form of the images", choices=("raw", "compressed"))
    command_type: str = parameter(
        "sensor_msgs/msg/JointState",
        "message type of joint_command",
        choices=tuple(COMMAND_TYPES.values()),
    )
    reliable_images: bool = parameter(
        True, "false where the camera driver publishes images best effort"
    )
    extra_topics: tuple[str, ...] = parameter((), "more to record, each as topic:package/msg/Name")
    preroll_s: float = parameter(
        1.0, "time before the start that belongs to an episode [s]", low=0.0, high=60.0
    )
    hand: str = parameter("allegro", "robot hand, whose configuration's hash the card tells")
    weights: str = parameter("default", "weights, whose hash the card tells; empty: none")
    calibration: str = parameter(
        "", "calibration, whose hash the card tells, as camera_info_url; empty: none"
    )
    person: str = parameter(
        "", "whose hand calibration is in use, whose hash the card tells; empty: nobody's"
    )
    task: str = parameter("", "task of an episode whose start names none", mutable=True)
    operator: str = parameter("", "operator of an episode whose start names none", mutable=True)
    joy_record_button: int = parameter(
        -1, "button that starts an episode, and ends it as a success; -1: none", low=-1, high=64
    )
    joy_discard_button: int = parameter(
        -1, "button that throws the episode away; -1: none", low=-1, high=64
    )
    minimum_free_mb: float = parameter(
        500.0, "free disk below which nothing is recorded [MB]", low=1.0, high=1e9
    )
    repair: bool = parameter(True, "complete unfinished episodes in the folder at the start")
    flush_period_s: float = parameter(
        0.5, "time between two looks at the disk [s]", low=0.05, high=10.0
    )


def shaping_files(config: RecorderConfig) -> dict[str, Path]:
    """The files that decide what the chain makes of an image: what each is called in a card.

    Raises:
        ConfigError: There is no such hand, person or set of weights.
    """
    files = hand_files(config.hand, SIDES[config.side])
    if config.weights:
        card = weights_file(config.weights, ".json")
        both = (card.with_suffix(suffix) for suffix in (".bin", ".safetensors"))
        files |= {f"weights/{path.name}": path for path in both if path.is_file()}
    if config.calibration:
        calibration = calibration_path(config.calibration)
        files[f"calibration/{calibration.name}"] = calibration
    if config.person:
        for side in SIDES[config.side]:
            path = person_path(config.person, config.hand, side)
            files[f"person/{path.name}"] = path
    return files
