"""What a training run does: YAML and overrides to one frozen description."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.network.config import NetworkConfig, network_preset
from rejshand_ros.training.augment import AugmentConfig
from rejshand_ros.training.losses import LossConfig
from rejshand_ros.yaml_file import read_yaml

SCHEDULES = ("cosine", "paper")
OPTIMISERS = ("adam", "adamw")
HALF_TYPES = ("auto", "bfloat16", "float16")
"""``auto``: float16 with a gradient scaler on a GPU, bfloat16 on a CPU."""


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast.

    Attributes:
        steps: Steps in all; counts where `minutes` is 0.
        minutes: Wall-clock length instead; a resumed run spends what is left of it.
        name: ``cosine`` to zero, or ``paper``: the rate, then a tenth of it in the second half.
        rate: Highest learning rate.
        warm_up: Share of the run in which the rate rises.
        optimiser: ``adam`` (the paper) or ``adamw``.
        weight_decay: Of AdamW.
        clip: Largest norm of the gradient; 0 for no limit.
        ema: Decay of the averaged weights a step (rising to it from a plain mean); 0 for none.
        batch: Samples a step.
        flat_until: Share of the run in which only 2D, presence and side are learnt; where things
            are has to be known before depth can be, and this part is twice as fast.
        lift_most: Most samples of a batch that pass the 3D part, those with 3D labels first; 0
            for all.
        frozen_stages: First stages of a pretrained backbone that stay as they are, the stem being
            one; saves up to half of the time.
        backbone_rate: Learning rate of the backbone, relative to the head's.
        channels_last: Memory format of the backbone's convolutions; EfficientNets train 1.5 times
            as fast with it on a CPU (FastViT crashes torch 2.15 there).
        amp: Half-precision arithmetic where torch finds it safe.
        amp_type: One of `HALF_TYPES`.
    """

    steps: int = 10_000
    minutes: float = 0.0
    name: str = "cosine"
    rate: float = 1e-3
    warm_up: float = 0.03
    optimiser: str = "adamw"
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    batch: int = 64
    flat_until: float = 0.0
    lift_most: int = 0
    frozen_stages: int = 0
    backbone_rate: float = 1.0
    channels_last: bool = False
    amp: bool = False
    amp_type: str = "auto"

    def __post_init__(self) -> None:
        if self.frozen_stages < 0 or self.backbone_rate <= 0:
            raise ConfigError(
                f"schedule: frozen_stages {self.frozen_stages}, backbone_rate"
                f" {self.backbone_rate}; valid: 0 or more, above 0"
            )
        if self.name not in SCHEDULES:
            raise unknown_choice("schedule", self.name, SCHEDULES)
        if self.optimiser not in OPTIMISERS:
            raise unknown_choice("optimiser", self.optimiser, OPTIMISERS)
        if self.amp_type not in HALF_TYPES:
            raise unknown_choice("schedule.amp_type", self.amp_type, HALF_TYPES)
        if self.steps < 1 or self.minutes < 0 or self.batch < 2:
            raise ConfigError(
                f"schedule: {self.steps} steps, {self.minutes} minutes, batch {self.batch};"
                " valid: 1 step or more, no negative time, a batch of 2 or more"
            )
        if not 0 < self.rate < 1 or not 0 <= self.warm_up < 1 or not 0 <= self.ema < 1:
            raise ConfigError(
                f"schedule: rate {self.rate}, warm_up {self.warm_up}, ema {self.ema};"
                " valid: rate inside 0..1, the others from 0 to below 1"
            )


@dataclass(frozen=True)
class DataConfig:
    """Where samples come from and how they mix; an empty path leaves a source out.

    Attributes:
        photographs: Folder with labels.jsonl.
        photographs_share: How often photographs are drawn, relative to the others.
        synthetic: Folder of rendered shards.
        synthetic_share: How often rendered hands are drawn.
        empty: Share of the photographs' samples that show no hand.
        freihand: Folder of FreiHAND, as its archive unpacks.
        freihand_share: How often its images are drawn.
        mano: The user's own MANO_RIGHT.pkl, which FreiHAND needs.
        cache: Folder for prepared crops.
        on_device: Keep all crops in the training device's memory, and cut and change them there;
            for a GPU, which would wait for the processors otherwise.
        growing: The folder of rendered shards is still being filled: take in new ones while
            training. Needs `on_device`.
    """

    photographs: str = ""
    photographs_share: float = 1.0
    synthetic: str = ""
    synthetic_share: float = 1.0
    empty: float = 0.1
    freihand: str = ""
    freihand_share: float = 1.0
    mano: str = ""
    cache: str = "out/cache"
    on_device: bool = False
    growing: bool = False

    def __post_init__(self) -> None:
        if self.growing and not (self.on_device and self.synthetic):
            raise ConfigError("data.growing is true; valid with data.on_device and data.synthetic")


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        network: Architecture.
        data: Sources.
        augment: Augmentation.
        losses: Weights of the losses.
        schedule: Length and rates.
        start: Weights of a trained network to begin with, for a longer run or other data; empty
            for none. Tensors of another shape (of another input size, say) begin anew.
        out: Folder of checkpoints and logs.
        seed: Where chance starts.
        threads: Threads of torch; 0 leaves them as they are.
        device: ``auto``, ``cpu`` or ``cuda``.
        save_every: Steps between checkpoints.
        log_every: Steps between logged values.
        validate_every: Steps between looks at the held-out groups; 0 for none.
    """

    network: NetworkConfig = field(default_factory=lambda: network_preset("light"))
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    start: str = ""
    out: str = "out/train"
    seed: int = 0
    threads: int = 0
    device: str = "auto"
    save_every: int = 500
    log_every: int = 50
    validate_every: int = 1000


def load_train_config(path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML file and apply overrides such as ``schedule.rate=5e-4``.

    Raises:
        ConfigError: The file is missing or no mapping, or holds an unknown key or a wrong value.
    """
    values: dict[str, Any] = {}
    if path is not None:
        if not path.is_file():
            raise ConfigError(f"training configuration {path} does not exist")
        loaded = read_yaml(path)
        if not isinstance(loaded, dict):
            raise ConfigError(f"training configuration {path} holds no mapping")
        values = loaded
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"override {override!r}; valid: section.key=value")
        *sections, last = key.split(".")
        node = values
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise ConfigError(f"override {override!r}: {section} is no section")
        node[last] = yaml.safe_load(text)
    return train_config(values)


def train_config(values: Mapping[str, Any]) -> TrainConfig:
    """Build from plain values, unknown keys refused by name."""
    given = dict(values)
    network = given.pop("network", None)
    built = _build(TrainConfig, given, "")
    if network is None:
        return built
    if not isinstance(network, dict):
        raise ConfigError(f"network is {network!r}; a section of keys is needed")
    return dataclasses.replace(built, network=NetworkConfig.from_dict(network))


def _build(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    """A dataclass of plain values and further dataclasses from nested mappings."""
    known = {f.name: f for f in dataclasses.fields(kind)}
    default = kind()
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise unknown_choice(f"training key {where}", key, known)
        current = getattr(default, key)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}{key} is {value!r}; a section of keys is needed")
            arguments[key] = _build(type(current), value, f"{where}{key}.")
            continue
        # YAML 1.1 reads 1e-3 as text and 1 as a whole number.
        if isinstance(current, float) and not isinstance(value, bool):
            with suppress(TypeError, ValueError, OverflowError):
                value = float(value)
        if type(value) is not type(current):
            needed = type(current).__name__
            raise ConfigError(f"{where}{key} is {value!r}; a {needed} is needed")
        arguments[key] = value
    return kind(**arguments)
