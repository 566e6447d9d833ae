"""The managed life of a node: four hooks, and what goes wrong in them told to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from rejshand_ros.errors import RejshandError


class ManagedLife(LifecycleNode):
    """A lifecycle node whose transitions are hooks that may raise.

    Attributes:
        failure: Why the last transition failed.
    """

    def __init__(self, name: str, **node_arguments: Any) -> None:
        """Make the node; the arguments are those of `rclpy.node.Node`."""
        super().__init__(name, **node_arguments)
        self.failure: Exception | None = None
        self._active = self._shut_down = False
        self._entities: list[tuple[Callable[[Any], bool], Any]] = []

    # What a subclass fills in.

    def configure(self) -> None:
        """Build the core object, the publishers and the subscribers."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Cease to work, keeping everything built."""

    def cleanup(self) -> None:
        """Let go of what `configure` built, apart from publishers and subscribers."""

    @property
    def starts_itself(self) -> bool:
        """Whether no manager asks for the transitions."""
        return True

    def forget(self, entity: Any) -> None:
        """A publisher, subscription, timer or service is about to be destroyed."""

    # What a subclass uses.

    @property
    def active(self) -> bool:
        """Whether the node is to work."""
        return self._active

    def keep(self, destroy: Callable[[Any], bool], entity: Any) -> None:
        """Keep an entity until the node is cleaned up, which destroys it."""
        self._entities.append((destroy, entity))

    # The transitions.

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
            if not self.starts_itself:
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
            self.forget(entity)
            destroy(entity)
