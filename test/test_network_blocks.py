"""Shapes, gradient flow and parameter counts of ReJSHand's blocks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from rejshand_ros.errors import ConfigError  # noqa: E402
from rejshand_ros.hand.template import load_template  # noqa: E402
from rejshand_ros.network.backbone import Adapter  # noqa: E402
from rejshand_ros.network.build import build_network, count_parameters  # noqa: E402
from rejshand_ros.network.config import (  # noqa: E402
    PRESETS,
    NetworkConfig,
    network_preset,
)
from rejshand_ros.network.coordinate_attention import CoordinateAttention  # noqa: E402
from rejshand_ros.network.expansion import Expansion  # noqa: E402
from rejshand_ros.network.feature_interaction import FeatureInteraction  # noqa: E402
from rejshand_ros.network.keypoint_generator_2d import KeypointGenerator2D  # noqa: E402
from rejshand_ros.network.keypoint_generator_3d import KeypointGenerator3D  # noqa: E402
from rejshand_ros.network.mesh_token import MeshTokenGenerator  # noqa: E402
from rejshand_ros.network.presence_side import PresenceSide  # noqa: E402
from rejshand_ros.network.published_head import (  # noqa: E402
    PublishedBlock,
    PublishedKeypointGenerator2D,
    PublishedMeshHead,
)
from rejshand_ros.network.self_attention import SelfAttention  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def _reaches_all(module, value) -> None:
    """Every parameter gets a gradient that is finite and not all zero."""
    (value * torch.randn_like(value)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias on every key alike changes no attention score.
        if not name.endswith("key.bias"):
            assert parameter.grad.abs().max() > 0, name


def test_keypoint_generator_2d() -> None:
    block = KeypointGenerator2D(32, 7)
    answer = block(torch.randn(2, 32, 7, 7))
    assert answer.shape == (2, 21, 2)
    _reaches_all(block, answer)


@pytest.mark.parametrize("coordinates", [False, True])
def test_expansion(coordinates: bool) -> None:
    block = Expansion(32, coordinates=coordinates)
    keypoints = torch.rand(2, 21, 2, requires_grad=True)
    joint, skeleton = block(torch.randn(2, 32, 7, 7), keypoints)
    assert joint.shape == skeleton.shape == (2, 21, 256)
    _reaches_all(block, torch.cat([joint, skeleton]))
    assert keypoints.grad is not None
    assert keypoints.grad.abs().max() > 0


def test_expansion_samples_where_the_keypoints_are() -> None:
    block = Expansion(4).eval()
    features = torch.zeros(1, 4, 8, 8)
    features[..., 0, 0] = 5.0
    corner, far = torch.zeros(1, 21, 2), torch.ones(1, 21, 2)
    empty = torch.zeros_like(features)
    assert not torch.allclose(block(features, corner)[0], block(empty, corner)[0])
    assert torch.allclose(block(features, far)[0], block(empty, far)[0])


@pytest.mark.parametrize(("tokens", "width"), [(21, 256), (84, 128), (336, 64)])
def test_feature_interaction(tokens: int, width: int) -> None:
    split = width != 64
    block = FeatureInteraction(width, split=split)
    joint, skeleton = torch.randn(2, tokens, width), torch.randn(2, tokens, width)
    answer = block(joint, skeleton)
    expected = (2, 4 * tokens, width // 2) if split else (2, tokens, width)
    assert answer[0].shape == answer[1].shape == expected
    _reaches_all(block, torch.cat(answer))


def test_joint_and_skeleton_inform_each_other() -> None:
    block = FeatureInteraction(64, split=False)
    joint = torch.randn(1, 336, 64, requires_grad=True)
    skeleton = torch.randn(1, 336, 64, requires_grad=True)
    refined_joint, refined_skeleton = block(joint, skeleton)
    for answer, source in ((refined_joint, skeleton), (refined_skeleton, joint)):
        (gradient,) = torch.autograd.grad(answer.square().sum(), source, retain_graph=True)
        assert gradient.abs().max() > 0


def test_coordinate_attention_keeps_shape_and_weighs() -> None:
    block = CoordinateAttention(64)
    joint = torch.randn(2, 21, 64)
    answer = block(joint)
    assert answer.shape == joint.shape
    ratio = answer / joint
    assert ((ratio > 0) & (ratio < 2)).all()
    _reaches_all(block, answer)


@pytest.mark.parametrize(("width", "key"), [(256, 32), (128, 16), (64, 8)])
def test_self_attention_against_its_formula(width: int, key: int) -> None:
    block = SelfAttention(width)
    tokens = torch.randn(2, 5, width)
    parts = [
        layer(tokens).view(2, 5, 8, key).permute(0, 2, 1, 3)
        for layer in (block.query, block.key, block.value)
    ]
    scores = (parts[0] @ parts[1].transpose(2, 3) / key**0.5).softmax(dim=3)
    expected = block.out((scores @ parts[2]).permute(0, 2, 1, 3).reshape(2, 5, width))
    assert torch.allclose(block(tokens), expected, atol=1e-5)


def test_mesh_tokens_agree_with_the_cheap_order() -> None:
    block = MeshTokenGenerator(np.random.default_rng(0).normal(0, 0.05, (778, 3)))
    joint, skeleton = torch.randn(2, 336, 64), torch.randn(2, 336, 64)
    tokens = block.mesh_tokens(joint, skeleton)
    assert tokens.shape == (2, 778, 64)
    vertices = block(joint, skeleton)
    expected = 0.1 * (block.coordinates(tokens) + block.rest)
    assert torch.allclose(vertices, expected, atol=1e-5)
    _reaches_all(block, vertices)


@pytest.mark.parametrize("width", [256, 128, 64])
def test_published_block(width: int) -> None:
    block = PublishedBlock(width)
    answer = block(torch.randn(2, 21, width))
    assert answer.shape == (2, 21, width)
    assert (answer >= 0).all()
    _reaches_all(block, answer)


def test_published_head() -> None:
    flat = PublishedKeypointGenerator2D(32)
    features = torch.randn(2, 32, 7, 7)
    keypoints = flat(features)
    assert keypoints.shape == (2, 21, 2)
    _reaches_all(flat, keypoints)
    head = PublishedMeshHead(32, 7, 4)
    vertices = head(features, keypoints.detach())
    assert vertices.shape == (2, 778, 3)
    _reaches_all(head, vertices)
    # The encoding of places tells equal features at different places apart.
    same = torch.ones_like(features)
    assert not torch.allclose(head(same, torch.full((2, 21, 2), 0.2)), head(same, keypoints))


def test_keypoint_generator_3d_regresses_from_vertices() -> None:
    template = load_template()
    block = KeypointGenerator3D(template.joint_regressor)
    keypoints = block(torch.tensor(template.vertices, dtype=torch.float32)[None])[0].numpy()
    assert np.allclose(keypoints, template.joint_regressor @ template.vertices, atol=1e-6)
    for tip, vertex in zip((4, 8, 12, 16, 20), template.fingertip_vertices, strict=True):
        assert np.allclose(keypoints[tip], template.vertices[vertex], atol=1e-6)
    assert not list(block.parameters())


def test_presence_side() -> None:
    block = PresenceSide(16)
    presence, right = block(torch.randn(3, 16, 4, 4))
    assert presence.shape == right.shape == (3,)
    _reaches_all(block, presence + right)


@pytest.mark.parametrize("fine", [0, 12])
def test_adapter(fine: int) -> None:
    block = Adapter(24, fine, 16)
    level = torch.randn(2, fine, 8, 8) if fine else None
    answer = block(torch.randn(2, 24, 4, 4), level)
    assert answer.shape == (2, 16, 8 if fine else 4, 8 if fine else 4)
    _reaches_all(block, answer)


def test_head_weighs_what_the_paper_says() -> None:
    count = count_parameters(build_network(network_preset("repvit")))
    assert abs(count.head - 1.91e6) < 0.01 * 1.91e6
    assert count.adapter == 0


@pytest.mark.slow
def test_paper_preset_has_an_adapter_and_the_same_head() -> None:
    paper = count_parameters(build_network(network_preset("paper")))
    assert abs(paper.head - 1.91e6) < 0.01 * 1.91e6
    assert paper.adapter > 1216 * 640
    published = count_parameters(build_network(network_preset("published")))
    assert published.adapter == 0
    # The release's 6.02 M, which its layers add up to exactly.
    assert published.head == 6_020_767


@pytest.mark.parametrize("backbone", ["mobilenetv4_conv_small", "fastvit_t8"])
@pytest.mark.parametrize(
    ("fine", "head"), [(True, "paper"), (False, "paper"), (False, "published")]
)
def test_whole_network(backbone: str, fine: bool, head: str) -> None:
    config = NetworkConfig(backbone=backbone, input_size=64, width=64, fine_level=fine, head=head)
    network = build_network(config)
    answer = network(torch.randn(2, 3, 64, 64))
    shapes = [tuple(value.shape) for value in answer]
    assert shapes == [(2, 21, 2), (2, 21, 3), (2, 778, 3), (2,), (2,)]
    assert torch.allclose(answer.keypoints_3d[:, 9], torch.zeros(2, 3), atol=1e-6)
    sum(value.square().sum() for value in answer).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name


def test_configuration_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="fastvit_ma36"):
        NetworkConfig(backbone="resnet18")
    with pytest.raises(ConfigError, match="multiples of 32"):
        NetworkConfig(input_size=100)
    with pytest.raises(ConfigError, match="widht"):
        NetworkConfig.from_dict({"widht": 3})
    with pytest.raises(ConfigError, match="int is needed"):
        NetworkConfig.from_dict({"width": "wide"})
    with pytest.raises(ConfigError, match="light"):
        network_preset("heavy")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_survive_json(name: str) -> None:
    config = network_preset(name)
    assert NetworkConfig.from_dict(config.as_dict()) == config
    changed = NetworkConfig.from_dict({"preset": name, "input_size": 256})
    assert (changed.backbone, changed.input_size) == (config.backbone, 256)
