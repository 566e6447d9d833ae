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
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from rejshand_ros.errors import ConfigError, InputError, RejshandError
from rejshand_ros.nodes.diagnostics import Monitor
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


class ChainNode(LifecycleNode, Generic[ConfigT]):
    """A managed node of the chain.

    A subclass names its parameters and fills the four hooks; what it creates through `advertise`,
    `listen`, `every` and `serve` in `configure` is destroyed again when it is cleaned up. The
    callbacks of topics, timers and joints run only while the node is active. An `InputError` in
    one refuses that message; any other project error ends the node with one line.

    Attributes:
        config: The parameters; replaced as a whole when one changes.
        monitor: Counts for /diagnostics.
        failure: Why the last transition failed.
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
        self.failure: Exception | None = None
        self.fault: RejshandError | None = None
        self.finished = threading.Event()
        self._active = self._shut_down = False
        self._entities: list[tuple[Callable[[Any], bool], Any]] = []
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

    # What a subclass fills in.

    def configure(self) -> None:
        """Build the core object, the publishers and the subscribers."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Cease to work, keeping everything built."""

    def cleanup(self) -> None:
        """Let go of what `configure` built, apart from publishers and subscribers."""

    def diagnostics(self) -> dict[str, str]:
        """Further values for /diagnostics."""
        return {}

    # What a subclass uses.

    @property
    def active(self) -> bool:
        """Whether the node is to work."""
        return self._active

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
        self._entities.append((self.destroy_lifecycle_publisher, publisher))
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
        self._entities.append((self.destroy_subscription, subscription))
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
        self._entities.append((self.destroy_timer, timer))

    def serve(self, kind: type[Any], name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service."""
        self._entities.append((self.destroy_service, self.create_service(kind, name, callback)))

    # Managed life.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build everything."""
        result = self._attempt(self.configure)
        if result is not TransitionCallbackReturn.SUCCESS:
            self._destroy_entities()
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        super().on_activate(state)
        result = self._attempt(self.activate)
        self._active = result is TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Cease to work."""
        self._active = False
        result = self._attempt(self.deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything."""
        result = self._attempt(self.cleanup)
        self._destroy_entities()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything, from whatever state."""
        self._shut_down = True
        if self._active:
            self.on_deactivate(state)
        return self.on_cleanup(state) if self._entities else TransitionCallbackReturn.SUCCESS

    def begin(self) -> None:
        """Configure and activate, as a manager would.

        Raises:
            RejshandError: What went wrong.
        """
        self.transition(self.trigger_configure)
        self.transition(self.trigger_activate)

    def stop(self) -> None:
        """Shut down from whatever state, unless a manager has done so.

        Raises:
            RejshandError: What went wrong on the way.
        """
        if not self._shut_down:
            self.transition(self.trigger_shutdown)

    def transition(self, trigger: Callable[[], Any]) -> None:
        """Make a transition of the managed life.

        Args:
            trigger: One of the node's ``trigger_...``.

        Raises:
            RejshandError: Why it failed.
        """
        self.failure = None
        result = trigger()
        if self.failure is not None:
            raise self.failure
        if result is not TransitionCallbackReturn.SUCCESS:
            raise RejshandError(f"transition {trigger.__name__.removeprefix('trigger_')} failed")

    def _attempt(self, hook: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            hook()
        except RejshandError as error:
            self.failure = self.failure or error
            if not self.config.autostart:
                # Whoever manages the node hears only that it failed.
                self.get_logger().error(f"{hook.__name__}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # rclpy swallows what a transition raises; a fault of ours must be seen.
            self.failure = error
            self.get_logger().fatal(f"{hook.__name__}: {type(error).__name__}: {error}")
            raise
        return TransitionCallbackReturn.SUCCESS

    def _destroy_entities(self) -> None:
        while self._entities:
            destroy, entity = self._entities.pop()
            self._peers.forget(entity)
            destroy(entity)

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
