import dataclasses
import importlib
from pathlib import Path
from typing import get_type_hints

import pytest
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter
from ros_graph import ros_graph

from rejshand_ros.errors import ConfigError
from rejshand_ros.nodes import base
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.parameters import ParameterFacts, check_value, parameter

pytestmark = pytest.mark.ros


@dataclasses.dataclass(frozen=True)
class SomeConfig(NodeConfig):
    rate_hz: float = parameter(10.0, "rate [Hz]", low=1.0, high=100.0)
    count: int = parameter(3, "how many", low=0, high=9, mutable=True)
    side: str = parameter("right", "side", choices=("right", "left"))
    names: tuple[str, ...] = parameter((), "names")


class SomeNode(ChainNode[SomeConfig]):
    NAME = "some"
    CONFIG = SomeConfig


@pytest.fixture
def graph():
    with ros_graph() as graph:
        yield graph


def test_defaults_and_given_values(graph):
    node = graph.add(SomeNode, rate_hz=20, side="left", names=["a", "b"])
    assert node.config.rate_hz == 20.0
    assert isinstance(node.config.rate_hz, float)
    assert (node.config.count, node.config.side, node.config.names) == (3, "left", ("a", "b"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rat_hz": 3.0}, ["unknown parameter rat_hz", "rate_hz"]),
        ({"rate_hz": 1000.0}, ["rate_hz", "1000", "1 to 100"]),
        ({"rate_hz": "fast"}, ["rate_hz", "'fast'", "float"]),
        ({"count": 1.5}, ["count", "int"]),
        ({"count": True}, ["count", "int"]),
        ({"side": "up"}, ["side", "'up'", "'right', 'left'"]),
        ({"rate_hz": float("nan")}, ["rate_hz", "nan"]),
    ],
)
def test_wrong_parameters_are_refused_by_name(graph, given, words):
    with pytest.raises(ConfigError) as caught:
        graph.add(SomeNode, **given)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_descriptions_and_ranges_are_shown_to_others(graph):
    graph.add(SomeNode)
    request = DescribeParameters.Request(names=["rate_hz", "count", "side"])
    rate, count, side = graph.call(
        DescribeParameters, "some/describe_parameters", request
    ).descriptors
    assert rate.description == "rate [Hz]"
    assert rate.read_only
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (
        1.0,
        100.0,
    )
    assert not count.read_only
    assert side.additional_constraints == "one of right, left"


def test_changes_at_run_time(graph):
    node = graph.add(SomeNode)
    assert node.set_parameters([Parameter("count", value=7)])[0].successful
    assert node.config.count == 7
    too_many = node.set_parameters([Parameter("count", value=70)])[0]
    assert not too_many.successful
    assert too_many.reason
    fixed = node.set_parameters([Parameter("rate_hz", value=50.0)])[0]
    assert not fixed.successful
    assert fixed.reason
    assert (node.config.count, node.config.rate_hz) == (7, 10.0)


def node_classes():
    """Every node of the package."""
    found = {}
    for path in sorted(Path(base.__file__).parent.glob("*.py")):
        if "run_node(" not in path.read_text(encoding="utf-8"):
            continue
        module = importlib.import_module(f"rejshand_ros.nodes.{path.stem}")
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, ChainNode) and hasattr(item, "NAME"):
                found[item.NAME] = item
    return found


def test_every_parameter_of_every_node_is_described_and_every_number_has_its_range():
    nodes = node_classes()
    assert {"camera", "hand_pose", "retargeting", "command", "simulation", "recorder"} <= set(nodes)
    for name, node_class in nodes.items():
        for field in dataclasses.fields(node_class.CONFIG):
            facts = field.metadata["parameter"]
            assert len(facts.description) > 10, f"{name} {field.name}"
            if type(field.default) in (int, float):
                assert None not in (facts.low, facts.high), f"{name} {field.name}"
            kind = get_type_hints(node_class.CONFIG)[field.name]
            check_value(field.name, kind, facts, field.default)


def test_lists_hold_texts_only():
    with pytest.raises(ConfigError, match="list of texts"):
        check_value("names", tuple[str, ...], ParameterFacts(""), [1, 2])
    assert check_value("names", tuple[str, ...], ParameterFacts(""), ["x"]) == ("x",)
