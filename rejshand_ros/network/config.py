"""What a ReJSHand network is made of: one frozen description, checked when built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from rejshand_ros.errors import ConfigError, unknown_choice

BACKBONES = (
    "fastvit_ma36",
    "repvit_m2_3",
    "fastvit_sa12",
    "fastvit_t8",
    "mobilenetv4_conv_small",
    "repvit_m0_9",
    "tf_efficientnet_lite0",
)
"""Backbones by their name in timm, the paper's first."""
HEADS = ("paper", "published")
"""``paper``: as the paper describes it. ``published``: as its authors' released code differs from
it: no coordinate attention, no skeleton branch of its own, no fusion."""

_STRIDE = 32


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture of a network.

    Attributes:
        backbone: One of `BACKBONES`.
        pretrained: Start the backbone from timm's ImageNet weights (downloaded by timm).
        pretrained_file: Start the backbone from this local file instead; empty for none.
        input_size: Side of the square crop, pixels; a multiple of 32. The paper's is 224.
        width: Channels of the feature map that the head takes. Where the backbone's own width
            differs, a 1x1 convolution (the adapter) stands between them.
        fine_level: Let the adapter also take in the backbone's next finer level (stride 16), so
            that small inputs still give the head a map of some size.
        head: One of `HEADS`.
        upsampling: Kernel and stride of the expansion block's transposed convolution.
        keypoint_maps: Maps a keypoint in the 2D keypoint generator; the paper's reading is 1.
        expected_coordinates: Read the first map of each keypoint as the logits of where it is and
            add the expected place to the linear map's answer. Learns from far fewer pictures.
        joint_coordinates: Give the expansion block's linear maps the coordinates 2u - 1 beside
            the features sampled there.
    """

    backbone: str = "fastvit_ma36"
    pretrained: bool = False
    pretrained_file: str = ""
    input_size: int = 224
    width: int = 640
    fine_level: bool = False
    head: str = "paper"
    upsampling: int = 2
    keypoint_maps: int = 1
    expected_coordinates: bool = False
    joint_coordinates: bool = False

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise unknown_choice("backbone", self.backbone, BACKBONES)
        if self.head not in HEADS:
            raise unknown_choice("head", self.head, HEADS)
        if self.input_size < 2 * _STRIDE or self.input_size % _STRIDE:
            raise ConfigError(f"input_size {self.input_size}; valid: multiples of 32 from 64")
        for name in ("width", "upsampling", "keypoint_maps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}; valid: 1 or more")

    @property
    def map_size(self) -> int:
        """Side of the feature map that the head takes, cells."""
        return self.input_size // (_STRIDE // 2 if self.fine_level else _STRIDE)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Build from plain values; a ``preset`` key names what the others change.

        Raises:
            ConfigError: Unknown key, preset or choice, or a value of the wrong type.
        """
        given = dict(values)
        base = network_preset(given.pop("preset")) if "preset" in given else cls()
        known = {field.name: type(getattr(base, field.name)) for field in fields(cls)}
        for key, value in given.items():
            if key not in known:
                raise unknown_choice("network key", key, known)
            if type(value) is not known[key]:
                raise ConfigError(f"network.{key} is {value!r}; a {known[key].__name__} is needed")
        return replace(base, **given)


_LIGHT: Mapping[str, Any] = MappingProxyType(
    {
        "width": 256,
        "fine_level": True,
        "keypoint_maps": 2,
        "expected_coordinates": True,
        "joint_coordinates": True,
    }
)

PRESETS: Mapping[str, NetworkConfig] = MappingProxyType(
    {
        # The paper's own: FastViT-MA36 is 1216 wide, so an adapter brings it to the paper's 640.
        "paper": NetworkConfig(),
        # 640 wide by itself: no adapter, the head's parameters are the paper's 1.91 M.
        "repvit": NetworkConfig(backbone="repvit_m2_3"),
        # The authors' released code.
        "published": NetworkConfig(width=1216, head="published", upsampling=4),
        # The paper's small RepViT variant, by the reading that comes closest to its words: the
        # backbone's own 384 channels go straight into the same head.
        "small": NetworkConfig(backbone="repvit_m0_9", width=384),
        "sa12": NetworkConfig(backbone="fastvit_sa12"),
        "t8": NetworkConfig(backbone="fastvit_t8"),
        # Real time on one CPU core: the shipped default, from ImageNet weights.
        "light": NetworkConfig(backbone="tf_efficientnet_lite0", input_size=192, **_LIGHT),
        # Half as many multiplications, and no ImageNet weights that the project could get at.
        "lightest": NetworkConfig(backbone="mobilenetv4_conv_small", input_size=128, **_LIGHT),
    }
)


def network_preset(name: str) -> NetworkConfig:
    """A named architecture.

    Raises:
        ConfigError: No preset of that name.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise unknown_choice("network preset", name, PRESETS)
    return PRESETS[name]
