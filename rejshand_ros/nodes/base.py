"""The base of every node: managed life, checked parameters, counted messages, clean ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from rejshand_ros.errors import ConfigError, InputError, RejshandError
from rejshand_ros.nodes.diagnostics import Monitor
from rejshand_ros.nodes.managed_life import ManagedLife
from rejshand_ros.nodes.numbering import gap_counting
from rejshand_ros.nodes.parameters import changed, declare, parameter, refusal
from rejshand_ros.nodes.readiness import Peers


@dataclass(frozen=True)
class NodeConfig:
    """Parameters that every node has.

    Attributes:
        autostart: Configure and activate without waiting for a lifecycle manager.
        diagnostics_period_s: Time between two reports on /diagnostics.
        await_recorder: Name of the recorder that must listen before the node says it is ready.
        await_inputs: Whether its inputs must be published before the node says it is ready.
    """

    autostart: bool = parameter(True, "configure and activate at once, without a manager")
    diagnostics_period_s: float = parameter(
        1.0, "time between two reports on /diagnostics [s]", low=0.1, high=60.0
    )
    await_recorder: str = parameter(
        "", "recorder that must listen before the node tells its parent it is ready; empty: none"
    )
    await_inputs: bool = parameter(
        False, "whether its inputs must be published before the node tells its parent it is ready"
    )


ConfigT = TypeVar("ConfigT", bound=NodeConfig)


class ChainNode(ManagedLife, Generic[ConfigT]):
    """A managed node of the chain.

    A subclass names its parameters and fills the four hooks; what it creates through `advertise`,
    `listen`, `every` and `serve` in `configure` is destroyed again when it is cleaned up. The
    callbacks of topics, timers and joints run only while the node is active. An `InputError` in
    one refuses that message; any other project error ends the node with one line.

    Attributes:
        config: The parameters; replaced as a whole when one changes.
        monitor: Counts for /diagnostics.
        fault: Why the node cannot go on.
        finished: Set by a node that has done all it had to; its process then ends well.
    """

    NAME: ClassVar[str]
    CONFIG: ClassVar[type[NodeConfig]] = NodeConfig

    config: ConfigT

    def __init__(self, **node_arguments: Any) -> None:
        """Make the node and read its parameters.

        Args:
            **node_arguments: What `rclpy.node.Node` takes, e.g. ``parameter_overrides``.

        Raises:
            ConfigError: A parameter is unknown or wrong.
        """
        super().__init__(
            self.NAME, automatically_declare_parameters_from_overrides=True, **node_arguments
        )
        self.monitor = Monitor()
        self._peers = Peers(self)
        self.fault: RejshandError | None = None
        self.finished = threading.Event()
        try:
            self.config = declare(self, self.CONFIG)  # type: ignore[assignment]
        except ConfigError:
            self.destroy_node()
            raise
        self.add_on_set_parameters_callback(self._on_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._peers.publishes(self._diagnostics)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self.config.diagnostics_period_s, self._report, clock=self._steady)

    # What a subclass fills in, beside the hooks of its life.

    def diagnostics(self) -> dict[str, str]:
        """Further values for /diagnostics."""
        return {}

    @property
    def starts_itself(self) -> bool:
        """Whether no manager brings the node up."""
        return self.config.autostart

    def forget(self, entity: Any) -> None:
        """Wait no longer for who publishes or listens to it."""
        self._peers.forget(entity)

    # What a subclass uses.

    def now_ns(self) -> int:
        """The node's time (simulated time where use_sim_time says so), nanoseconds."""
        return int(self.get_clock().now().nanoseconds)

    def unconnected(self) -> list[str]:
        """What the node, once configured, still waits for before it is ready; a phrase each."""
        return self._peers.missing(self.config.await_recorder, inputs=self.config.await_inputs)

    def end(self, fault: RejshandError | None = None) -> None:
        """End the node's process, well or because of a fault; safe from any thread."""
        self.fault = fault
        self.finished.set()
        if self.executor is not None:
            self.executor.wake()

    def advertise(self, kind: type[Any], topic: str, profile: QoSProfile) -> Any:
        """A publisher that is silent while the node is not active."""
        publisher = self.create_lifecycle_publisher(
            kind,
            topic,
            profile,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.keep(self.destroy_lifecycle_publisher, publisher)
        self._peers.publishes(publisher)
        return publisher

    def listen(
        self,
        kind: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        *,
        raw: bool = False,
        numbered: bool = False,
        always: bool = False,
        optional: bool = False,
    ) -> None:
        """Subscribe.

        Args:
            kind: Message type.
            topic: Its name.
            callback: Takes the message.
            profile: Quality of service.
            raw: Hand over the serialised bytes instead.
            numbered: Count gaps in the publisher's numbering as drops, those of a queue that is
                overwritten among them; otherwise only what the middleware says it lost.
            always: Hand over what comes before the node is active, too: what is latched comes once.
            optional: Nobody need publish it (see `unconnected`).
        """

        def received(message: Any) -> None:
            if self._active or always:
                self._guarded(callback, message)

        def missed(count: int) -> None:
            if self._active or always:
                self.monitor.drop(count, topic)

        def lost(event: Any) -> None:
            self.monitor.drop(event.total_count_change, topic)

        subscription = self.create_subscription(
            kind,
            topic,
            gap_counting(received, missed) if numbered else received,
            profile,
            raw=raw,
            event_callbacks=SubscriptionEventCallbacks(message_lost=None if numbered else lost),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.keep(self.destroy_subscription, subscription)
        if not optional:
            self._peers.listens(subscription)

    def every(
        self, period_s: float, callback: Callable[[], None], clock: Clock | None = None
    ) -> None:
        """Call back at a fixed rate while the node is active.

        The rate is that of the steady clock: on the system's, a step back of a minute would keep
        every timer silent for a minute. With use_sim_time it is that of the simulated clock.
        Another clock may be given.
        """
        if clock is None and not self.get_parameter("use_sim_time").value:
            clock = self._steady
        timer = self.create_timer(
            period_s, lambda: callback() if self._active else None, clock=clock
        )
        self.keep(self.destroy_timer, timer)

    def serve(self, kind: type[Any], name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service."""
        self.keep(self.destroy_service, self.create_service(kind, name, callback))

    def _guarded(self, callback: Callable[[Any], None], message: Any) -> None:
        try:
            callback(message)
        except InputError as error:
            self.monitor.refuse(str(error))
            self.get_logger().warning(f"refused: {error}", throttle_duration_sec=2.0)

    def _on_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        try:
            self.config = changed(self.config, parameters)
        except ConfigError as error:
            return refusal(error)
        return SetParametersResult(successful=True)

    def _report(self) -> None:
        name, state = self.get_fully_qualified_name(), "active" if self._active else "inactive"
        report = self.monitor.report(self.now_ns(), name, state, self.diagnostics())
        self._diagnostics.publish(report)
