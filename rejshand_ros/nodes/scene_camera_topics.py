"""The simulated camera's topics: images drawn beside the physics, which must not wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.image_topics import ImageTopics
from rejshand_ros.simulation.backend import HandState
from rejshand_ros.simulation.scene_camera import SceneCamera

FRAME = "scene_camera_optical_frame"


class SceneCameraTopics:
    """Draws and publishes at a rate, on a thread of its own; an image that is late is left out."""

    def __init__(
        self, node: ChainNode[Any], camera: SceneCamera, rate_hz: float, transport: str
    ) -> None:
        """Open the topics.

        Args:
            node: Whose they are.
            camera: What draws.
            rate_hz: Images a second.
            transport: One of `rejshand_ros.nodes.image_topics.TRANSPORTS`.
        """
        self._node, self._camera = node, camera
        self._period_ns = round(1e9 / rate_hz)
        self._due_ns = 0
        self._topics = ImageTopics(node, transport, "scene_camera/")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="scene_camera")
        self._drawing: Future[None] | None = None
        self.drawn = self.left_out = 0

    def offer(self, states: Sequence[HandState], now_ns: int) -> None:
        """Draw these states if an image is due and somebody wants it.

        Raises:
            RejshandError: The last image could not be drawn.
        """
        if self._drawing is not None and self._drawing.done():
            drawing, self._drawing = self._drawing, None
            drawing.result()
        # A clock that was set back must not silence the camera.
        if abs(self._due_ns - now_ns) > 2 * self._period_ns:
            self._due_ns = now_ns
        if now_ns < self._due_ns:
            return
        self._due_ns += self._period_ns
        if not self._topics.subscribers:
            return
        if self._drawing is not None:
            self.left_out += 1
            return
        self._drawing = self._pool.submit(self._draw, tuple(states), now_ns)

    def close(self) -> None:
        """Let the image being drawn end, and draw no more."""
        self._pool.shutdown()

    def _draw(self, states: Sequence[HandState], now_ns: int) -> None:
        image = np.ascontiguousarray(self._camera.render(states)[..., ::-1])
        self._topics.publish(image, self._camera.camera, now_ns, FRAME)
        self._topics.publish_compressed(image, now_ns, FRAME)
        self.drawn += 1
