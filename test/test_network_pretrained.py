from __future__ import annotations

import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.network.backbone import freeze_stages, make_body
from rejshand_ros.training.config import ScheduleConfig

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
from convert_efficientnet_lite import converted

NAME = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def classifier() -> torch.nn.Module:
    torch.manual_seed(3)
    return timm.create_model(NAME).eval()


def test_converted_weights_give_the_same_features_at_our_scale(classifier, tmp_path):
    # The package's file names its layers otherwise, in the same order.
    given = {f"layer_{i}": v for i, v in enumerate(classifier.state_dict().values()) if v.ndim}
    save_file(converted(given), str(tmp_path / "lite0.safetensors"))
    body = make_body(NAME, pretrained_file=str(tmp_path / "lite0.safetensors")).eval()
    picture = torch.randint(0, 256, (1, 3, 64, 64)).float()
    with torch.inference_mode():
        wanted = classifier.forward_intermediates(
            (picture - 127.5) / 128, indices=[4], intermediates_only=True
        )
        got = body.forward_intermediates(picture / 255 - 0.5, indices=[4], intermediates_only=True)
    torch.testing.assert_close(got[0], wanted[0], rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_are_refused(classifier, tmp_path):
    state = timm.create_model("mobilenetv4_conv_small").state_dict()
    with pytest.raises(ValueError, match=NAME):
        converted(state)
    save_file(state, str(tmp_path / "other.safetensors"))
    with pytest.raises(ModelFileError, match="another backbone"):
        make_body(NAME, pretrained_file=str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize("name", [NAME, "mobilenetv4_conv_small", "fastvit_t8", "repvit_m0_9"])
def test_frozen_stages_stand_still_and_the_others_move(name):
    body = make_body(name).train()
    frozen = freeze_stages(body, 2)
    assert frozen
    for module in frozen:
        module.eval()
    before = {k: v.clone() for k, v in body.state_dict().items()}
    learning = [p for p in body.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=1.0)
    body.forward_features(torch.randn(2, 3, 64, 64)).square().mean().backward()
    optimiser.step()
    moved = {k for k, v in body.state_dict().items() if not torch.equal(v, before[k])}
    still = {k for k, v in body.named_parameters() if not v.requires_grad}
    assert still and not moved & still
    first, last = next(iter(before)), next(reversed(dict(body.named_parameters())))
    assert first in still and last in moved
    # Running means of frozen norms are buffers; they must not drift either.
    held = {id(m) for m in frozen}
    for path, module in body.named_modules():
        if id(module) in held:
            assert not any(k.startswith(f"{path}.") for k in moved)


def test_no_stage_is_frozen_unless_asked_and_bad_values_are_refused():
    body = make_body(NAME)
    assert freeze_stages(body, 0) == ()
    assert all(p.requires_grad for p in body.parameters())
    with pytest.raises(ConfigError, match="frozen_stages -1"):
        ScheduleConfig(frozen_stages=-1)
    with pytest.raises(ConfigError, match="backbone_rate 0"):
        ScheduleConfig(backbone_rate=0.0)
