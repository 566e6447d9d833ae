import dataclasses
import importlib
from pathlib import Path
from typing import get_type_hints

import pytest
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter

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


NODES = node_classes()


def fields_of(node_class):
    """Name, type, facts and default of each parameter of a node."""
    kinds = get_type_hints(node_class.CONFIG)
    for field in dataclasses.fields(node_class.CONFIG):
        yield field.name, kinds[field.name], field.metadata["parameter"], field.default


def wrong_values(kind, facts):
    """Values that a parameter must refuse: of another type, beyond its range, no choice of it."""
    yield [1.5] if kind in (str, tuple[str, ...]) else "seven"
    if kind in (int, float):
        yield from (kind(facts.low - 1), kind(facts.high + 1))
    if facts.choices:
        yield "nonsense"


def another_value(kind, facts, value):
    """A valid value other than the given one."""
    if kind is bool:
        return not value
    if kind in (int, float):
        return kind(facts.high if value != facts.high else facts.low)
    if kind is str:
        return next((choice for choice in facts.choices if choice != value), f"{value}x")
    return [*value, "x"]


def test_the_package_has_the_nodes_that_the_readme_names():
    chain = {"camera", "hand_pose", "retargeting", "command", "simulation", "recorder"}
    assert set(NODES) == chain | {"viewer", "frames", "markers", "replay", "manager"}


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_is_described_and_takes_only_what_is_valid(name):
    for field, kind, facts, default in fields_of(NODES[name]):
        assert len(facts.description) > 10, field
        if kind in (int, float):
            assert None not in (facts.low, facts.high), field
        check_value(field, kind, facts, default)
        check_value(field, kind, facts, another_value(kind, facts, default))
        for wrong in wrong_values(kind, facts):
            with pytest.raises(ConfigError, match=field):
                check_value(field, kind, facts, wrong)


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_of_a_running_node_changes_or_is_refused_with_a_reason(graph, name):
    node = graph.add(NODES[name], start=False)
    fields = list(fields_of(NODES[name]))
    request = DescribeParameters.Request(names=[field for field, *_ in fields])
    described = graph.call(DescribeParameters, f"{name}/describe_parameters", request).descriptors

    def set_to(field, value):
        request = SetParameters.Request(
            parameters=[Parameter(field, value=value).to_parameter_msg()]
        )
        return graph.call(SetParameters, f"{name}/set_parameters", request).results[0]

    for (field, kind, facts, default), told in zip(fields, described, strict=True):
        assert told.description == facts.description
        ranges = [*told.integer_range, *told.floating_point_range]
        assert bool(ranges) == (kind in (int, float)), field
        assert all(choice in told.additional_constraints for choice in facts.choices), field
        for wrong in wrong_values(kind, facts):
            refused = set_to(field, wrong)
            assert not refused.successful, (field, wrong)
            assert field in refused.reason
        assert getattr(node.config, field) == default
        value = another_value(kind, facts, default)
        answer = set_to(field, value)
        assert answer.successful == facts.mutable, (field, answer.reason)
        assert facts.mutable or field in answer.reason
        assert getattr(node.config, field) == (value if facts.mutable else default)


def test_lists_hold_texts_only():
    with pytest.raises(ConfigError, match="list of texts"):
        check_value("names", tuple[str, ...], ParameterFacts(""), [1, 2])
    assert check_value("names", tuple[str, ...], ParameterFacts(""), ["x"]) == ("x",)
