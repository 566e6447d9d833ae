"""Camera node: plays a video, a folder of images or a device as a ROS camera."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.duration import Duration

from rejshand_ros.errors import MediaError, ProcessError, RejshandError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.calibration_file import flipped, load_calibration, scaled
from rejshand_ros.nodes.image_topics import TRANSPORTS, ImageTopics
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.schedule import FrameSchedule
from rejshand_ros.nodes.sources import Frame, FrameSource, open_source

_DELIVERY = Duration(seconds=1.0)
"""Longest wait for the last images to arrive before the node ends."""
_LET_PASS = 0.4
"""Share of a period after which an image is compressed that goes to the network uncompressed."""
_LONGEST_PASS_NS = 15_000_000
"""What the way to the hand takes on two cores, and a little more."""


@dataclass(frozen=True)
class CameraConfig(NodeConfig):
    """Parameters of the camera node; their descriptions are in the fields."""

    input: str = parameter("/dev/video0", "video file, folder of images, or device")
    fps: float = parameter(0.0, "images a second; 0 for the source's own [Hz]", low=0.0, high=480.0)
    width: int = parameter(0, "wanted width of a device [pixel]; 0: its own", low=0, high=8192)
    height: int = parameter(0, "wanted height of a device [pixel]; 0: its own", low=0, high=8192)
    flip: bool = parameter(False, "flip left to right: a right hand becomes a left one")
    loop: bool = parameter(False, "play a file again and again")
    exit_at_end: bool = parameter(True, "end the process after the last image of a file")
    transport: str = parameter("compressed", "form of the images", choices=TRANSPORTS)
    jpeg_quality: int = parameter(90, "quality of compressed images", low=1, high=100, mutable=True)
    frame_id: str = parameter("camera_optical_frame", "optical frame (REP-103) of the images")
    camera_info_url: str = parameter("", "calibration file (YAML); empty: uncalibrated")
    wait_for_subscribers: int = parameter(
        0, "image subscribers to wait for before the first image", low=0, high=64
    )
    wait_timeout_s: float = parameter(
        15.0, "longest wait for them; then the node fails [s]", low=0.0, high=600.0
    )
    reopen_period_s: float = parameter(
        0.5,
        "a device, or a file played again and again, that is lost is opened anew this often until "
        "it is back; 0: the node ends [s]",
        low=0.0,
        high=60.0,
    )


class CameraNode(ChainNode[CameraConfig]):
    """Publishes images and CameraInfo with capture stamps.

    A file's images are stamped with the time they are due, ``start + index / fps``: a player that
    falls behind shows as latency. What becomes of the clip is told on the latched `clip_status`.
    """

    NAME = "camera"
    CONFIG = CameraConfig

    def configure(self) -> None:
        """Open the source and the publishers."""
        config = self.config
        self._open()
        self._topics = ImageTopics(self, config.transport)
        self._status = self.advertise(DiagnosticStatus, "clip_status", qos.latched())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._sent = 0
        self._lost = 0

    def activate(self) -> None:
        """Begin to play."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def deactivate(self) -> None:
        """Cease to play."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def cleanup(self) -> None:
        """Let go of the source."""
        self._source.close()

    def diagnostics(self) -> dict[str, str]:
        """What is played."""
        return {
            "input": self.config.input,
            "sent": str(getattr(self, "_sent", 0)),
            "times_lost": str(getattr(self, "_lost", 0)),
        }

    def _open(self) -> None:
        """Open the source, and its calibration for the size it has.

        Raises:
            RejshandError: One of them cannot be read.
        """
        config = self.config
        source = open_source(config.input, fps=config.fps, width=config.width, height=config.height)
        camera = PinholeCamera.from_field_of_view(source.width, source.height)
        if config.camera_info_url:
            camera = scaled(load_calibration(config.camera_info_url), source.width, source.height)
        self._camera = flipped(camera) if config.flip else camera
        self._source: FrameSource = source

    def _run(self) -> None:
        try:
            self._wait_for_subscribers()
            while not self._stop.is_set():
                try:
                    self._play()
                    return
                except MediaError as error:
                    if not (self.config.reopen_period_s and self._goes_on_for_ever()):
                        raise
                    self._reopen(error)
        except RejshandError as error:
            self.end(error)

    def _goes_on_for_ever(self) -> bool:
        return self._source.live or self.config.loop

    def _reopen(self, reason: MediaError) -> None:
        """Wait until the lost source is back, as after a cable was pulled."""
        self._lost += 1
        self.monitor.fault = str(reason)
        self.get_logger().error(f"{reason}; trying again until it is back")
        self._source.close()
        while not self._stop.wait(self.config.reopen_period_s):
            try:
                self._open()
            except MediaError as error:
                self.monitor.fault = str(error)
                continue
            self.monitor.fault = ""
            self.get_logger().info(f"{self.config.input} is back")
            return

    def _wait_for_subscribers(self) -> None:
        wanted, waited = self.config.wait_for_subscribers, self.config.wait_timeout_s
        deadline = time.monotonic() + waited
        while (found := self._topics.subscribers) < wanted and not self._stop.wait(0.02):
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{found} of {wanted} image subscribers after {waited:g} s; "
                    "is the rest of the chain running?"
                )

    def _simulated(self) -> bool:
        return bool(self.get_parameter("use_sim_time").value)

    def _steady_ns(self) -> int:
        """What the node's clock is compared with to find its jumps."""
        return self.now_ns() if self._simulated() else time.monotonic_ns()

    def _play(self) -> None:
        # Simulated time begins with the first message on /clock.
        while self._simulated() and self.now_ns() == 0:
            if self._stop.wait(0.01):
                return
        # Read ahead: decoding a file is no part of what a camera does after the capture.
        frame = self._source.read()
        self._schedule = FrameSchedule(self._source.fps, self.now_ns(), self._steady_ns())
        self._tell(ended=False)
        while frame is not None and not self._stop.is_set():
            stamp_ns = frame.captured_ns
            if stamp_ns is None:
                stamp_ns = self._schedule.next_due(self.now_ns(), self._steady_ns())
                if not self._wait_until(stamp_ns):
                    return
            self._publish(frame, stamp_ns)
            frame = self._source.read()
            if frame is None and self.config.loop:
                self._source.rewind()
                frame = self._source.read()
        if frame is None:
            self._tell(ended=True)
            self.get_logger().info(f"{self.config.input} ended after {self._sent} images")
            self._topics.deliver()
            self._status.wait_for_all_acked(_DELIVERY)
            if self.config.exit_at_end:
                self.end()

    def _wait_until(self, stamp_ns: int) -> bool:
        """Wait for a time of the node's clock; False where it was stopped meanwhile."""
        remaining_ns = stamp_ns - self.now_ns()
        while remaining_ns > 0:
            if self._stop.wait(remaining_ns * 1e-9):
                return False
            if not self._simulated():
                # Once is enough, and more would wait for a clock that was set back.
                break
            # Simulated time may run slower, and moves in steps: ask again, but with a pause.
            remaining_ns = stamp_ns - self.now_ns()
            remaining_ns = max(remaining_ns, 1_000_000) if remaining_ns > 0 else 0
        return not self._stop.is_set()

    def _publish(self, frame: Frame, stamp_ns: int) -> None:
        image = frame.image
        if self.config.flip:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
        frame_id, quality = self.config.frame_id, self.config.jpeg_quality
        self._topics.publish(image, self._camera, stamp_ns, frame_id)
        age_ns, apart = self.now_ns() - stamp_ns, self._topics.for_the_disk
        if apart:
            self._let_pass(stamp_ns)
        self._topics.publish_compressed(image, stamp_ns, frame_id, quality)
        self._sent += 1
        self.monitor.handle(age_ns if apart else self.now_ns() - stamp_ns)

    def _let_pass(self, stamp_ns: int) -> None:
        """Leave the processor to the raw image's way to the hand before compressing it."""
        way_ns = min(round(_LET_PASS * 1e9 / self._source.fps), _LONGEST_PASS_NS)
        rest_ns = stamp_ns + way_ns - self.now_ns()
        # One that is late, or whose clock was set back, does not wait.
        if 0 < rest_ns <= way_ns:
            self._stop.wait(rest_ns * 1e-9)

    def _tell(self, *, ended: bool) -> None:
        values = {
            "input": self.config.input,
            "ended": str(ended).lower(),
            "sent": str(self._sent),
            "fps": f"{self._source.fps:.9g}",
            "start_ns": str(self._schedule.start_ns),
            "flip": str(self.config.flip).lower(),
            "width": str(self._source.width),
            "height": str(self._source.height),
        }
        status = DiagnosticStatus(
            name="clip",
            message="ended" if ended else "playing",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        self._status.publish(status)


def main() -> int:
    """Run the camera node."""
    return run_node(CameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
