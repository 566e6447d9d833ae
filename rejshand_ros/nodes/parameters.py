"""ROS parameters as frozen dataclasses: described, ranged, checked, refused by name.

A node's parameters are the fields of a frozen dataclass, each made by `parameter`. Declaring them
gives the descriptors that ``ros2 param describe`` shows and an instance that the node reads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from rejshand_ros.errors import ConfigError

ConfigT = TypeVar("ConfigT")
_KEY = "parameter"
_NOT_OURS = ("use_sim_time", "qos_overrides.", "start_type_description_service")
"""Parameters that rclpy itself declares."""


@dataclasses.dataclass(frozen=True)
class ParameterFacts:
    """What a parameter means and may be.

    Attributes:
        description: One sentence with the unit.
        low: Smallest valid number.
        high: Largest valid number.
        choices: The only valid texts; empty for any.
        mutable: Whether it may change while the node runs.
    """

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    mutable: bool = False


def parameter(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    mutable: bool = False,
) -> Any:
    """A dataclass field that becomes a ROS parameter."""
    facts = ParameterFacts(description, low, high, tuple(choices), mutable)
    return dataclasses.field(default=default, metadata={_KEY: facts})


def check_value(name: str, kind: Any, facts: ParameterFacts, given: Any) -> Any:
    """Return a given value as the field's type, or say what would be valid.

    Args:
        name: Name of the parameter.
        kind: Type of the field: bool, int, float, str or ``tuple[str, ...]``.
        facts: Range and choices.
        given: What the user gave.

    Raises:
        ConfigError: It is of another type or outside the range or choices.
    """
    if kind is float and isinstance(given, int) and not isinstance(given, bool):
        given = float(given)
    if kind == tuple[str, ...]:
        is_list = isinstance(given, list | tuple)
        if not is_list or not all(isinstance(item, str) for item in given):
            raise ConfigError(f"parameter {name} is {given!r}; a list of texts is needed")
        values: Sequence[str] = given
        given = tuple(given)
    else:
        if type(given) is not kind:
            raise ConfigError(f"parameter {name} is {given!r}; {kind.__name__} is needed")
        values = (given,) if kind is str else ()
    for value in values:
        if facts.choices and value not in facts.choices:
            raise ConfigError(
                f"parameter {name} is {value!r}; valid: {', '.join(map(repr, facts.choices))}"
            )
    if kind in (int, float):
        low = -math.inf if facts.low is None else facts.low
        high = math.inf if facts.high is None else facts.high
        if not (math.isfinite(given) and low <= given <= high):
            raise ConfigError(f"parameter {name} is {given}; valid: {low:g} to {high:g}")
    return given


def descriptor_of(name: str, kind: Any, facts: ParameterFacts) -> ParameterDescriptor:
    """The ROS description of a parameter."""
    descriptor = ParameterDescriptor(
        name=name,
        description=facts.description,
        additional_constraints=f"one of {', '.join(facts.choices)}" if facts.choices else "",
        read_only=not facts.mutable,
        # The kind is checked here, with a clearer message and whole numbers taken for floats.
        dynamic_typing=True,
    )
    bounded = facts.low is not None and facts.high is not None
    if kind is int and bounded:
        limits = IntegerRange(from_value=int(facts.low), to_value=int(facts.high), step=0)  # type: ignore[arg-type]
        descriptor.integer_range = [limits]
    if kind is float and bounded:
        span = FloatingPointRange(from_value=float(facts.low), to_value=float(facts.high), step=0.0)  # type: ignore[arg-type]
        descriptor.floating_point_range = [span]
    return descriptor


def declare(node: Node, config_class: type[ConfigT]) -> ConfigT:
    """Declare every field of a dataclass as a parameter and read what was given.

    The node must have been made with ``automatically_declare_parameters_from_overrides``, which
    is how parameters that nobody knows are found and refused.

    Raises:
        ConfigError: A given parameter is unknown, of the wrong type or out of range.
    """
    kinds = get_type_hints(config_class)
    fields = {field.name: field for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    given = [
        name
        for name in node.list_parameters([], 0).names
        if not any(name.startswith(prefix) for prefix in _NOT_OURS)
    ]
    unknown = [name for name in given if name not in fields]
    if unknown:
        raise ConfigError(
            f"unknown parameter {', '.join(sorted(unknown))}; valid: {', '.join(sorted(fields))}"
        )
    values: dict[str, Any] = {}
    for name, field in fields.items():
        facts: ParameterFacts = field.metadata[_KEY]
        value = field.default
        if name in given:
            value = node.get_parameter(name).value
            node.undeclare_parameter(name)
        values[name] = check_value(name, kinds[name], facts, value)
        wire = list(values[name]) if isinstance(values[name], tuple) else values[name]
        descriptor = descriptor_of(name, kinds[name], facts)
        node.declare_parameter(name, wire, descriptor, ignore_override=True)
    return config_class(**values)


def changed(config: ConfigT, parameters: Sequence[Parameter[Any]]) -> ConfigT:
    """A copy of the configuration with some parameters set anew.

    Raises:
        ConfigError: A value is of the wrong type or out of range.
    """
    kinds = get_type_hints(type(config))
    facts = {field.name: field.metadata[_KEY] for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    values = {
        p.name: check_value(p.name, kinds[p.name], facts[p.name], p.value)
        for p in parameters
        if p.name in facts
    }
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def refusal(error: Exception) -> SetParametersResult:
    """The answer to a parameter change that is not accepted."""
    return SetParametersResult(successful=False, reason=str(error))
