"""Recorder node: the chain's messages, as they came, into episodes (rosbag2, MCAP)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path

from sensor_msgs.msg import Joy
from std_msgs.msg import String

from rejshand_msgs.srv import StartEpisode, StopEpisode
from rejshand_ros.errors import ConfigError, RecordingError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.joystick import Buttons
from rejshand_ros.nodes.recorder_config import RecorderConfig, shaping_files
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.topics import SIDES, chain_topics, message_class
from rejshand_ros.recording.episode import EpisodeCard
from rejshand_ros.recording.provenance import file_hashes, software_versions
from rejshand_ros.recording.repair import repair_episode, unfinished_episodes
from rejshand_ros.recording.session import RecordingSession, SessionConfig
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import WriterConfig


class RecorderNode(ChainNode[RecorderConfig]):
    """Writes serialised messages without taking them apart."""

    NAME = "recorder"
    CONFIG = RecorderConfig

    def configure(self) -> None:
        """Subscribe to everything that an episode holds."""
        config = self.config
        if config.repair:
            # Beside the work: an hour's episode must not keep the next one waiting.
            root = Path(config.folder).expanduser()
            threading.Thread(target=self._repair, args=(root,), name="repair", daemon=True).start()
        self._versions = software_versions()
        self._hashes = file_hashes(shaping_files(config))
        self._dropped_before: dict[str, int] = {}
        wanted = chain_topics(
            SIDES[config.side],
            transport=config.transport,
            command_type=config.command_type,
            reliable_images=config.reliable_images,
        )
        chain, extra = map(self._resolved, (wanted, map(_extra, config.extra_topics)))
        # By name: two hands may report their joints on one topic.
        topics = list({topic.name: topic for topic in (*chain, *extra)}.values())
        writer = WriterConfig(minimum_free_bytes=round(config.minimum_free_mb * 1e6))
        self._session = RecordingSession(
            Path(config.folder).expanduser(),
            topics,
            SessionConfig(preroll_s=config.preroll_s, writer=writer),
        )
        self._last_error = ""
        for topic in topics:
            profile = qos.recording(reliable=topic.reliable, transient=topic.latched)
            self.listen(
                message_class(topic.msgtype),
                topic.name,
                self._keeper(topic.name),
                profile,
                raw=True,
                always=topic.latched,
                optional=topic in extra,
            )
        self._buttons = Buttons()
        self._recording = self.advertise(String, "recording", qos.latched())
        # A queue: a press and its release must both be seen, however close together.
        joy_profile = qos.recording(reliable=False, transient=False)
        self.listen(Joy, "joy", self._on_joy, joy_profile, optional=True)
        self.serve(StartEpisode, "start_episode", self._on_start)
        self.serve(StopEpisode, "stop_episode", self._on_stop)
        self.every(config.flush_period_s, self._flush)

    def activate(self) -> None:
        """Begin the episode that a parameter names."""
        self._say_recording("")
        if not self.config.episode:
            return
        try:
            self._begin(self._free_name())
        except RecordingError as error:
            if not self.config.resume:
                raise
            self._episode_lost(error)

    def _free_name(self) -> str:
        """The name of the episode to record; numbered where a part of it exists already."""
        name, root = self.config.episode, Path(self.config.folder).expanduser()
        if not self.config.resume or not (root / name).exists():
            return name
        return next(f"{name}_{n}" for n in count(2) if not (root / f"{name}_{n}").exists())

    def deactivate(self) -> None:
        """Complete the episode being recorded."""
        if self._session.recording:
            self._complete(None)

    def diagnostics(self) -> dict[str, str]:
        """Whether an episode is being written, and how much is in it."""
        session: RecordingSession | None = getattr(self, "_session", None)
        if session is None:
            return {}
        return {
            "recording": str(session.recording).lower(),
            "messages": str(sum(session.counts.values())),
            "last_error": self._last_error,
        }

    def _repair(self, folder: Path) -> None:
        """Complete what an earlier recorder could not, as after a power cut."""
        for episode in unfinished_episodes(folder):
            try:
                report = repair_episode(episode)
                self.get_logger().info(f"repaired {episode}: {report.messages} messages")
            except RecordingError as error:
                self.get_logger().warning(f"{episode} stays unfinished: {error}")

    def _keeper(self, topic: str) -> Callable[[bytes], None]:
        def keep(data: bytes) -> None:
            try:
                self._session.on_message(topic, time.time_ns(), data)
            except RecordingError as error:
                self._episode_lost(error)
            self.monitor.handle()

        return keep

    def _flush(self) -> None:
        try:
            self._session.flush()
            if self.config.episode and self.config.resume and not self._session.recording:
                self._begin(self._free_name())
                self.monitor.fault = ""
        except RecordingError as error:
            self._episode_lost(error)

    def _episode_lost(self, error: RecordingError) -> None:
        """Say that the episode has ended early; the recorder may be asked for another one."""
        self._last_error = str(error)
        self.get_logger().error(self._last_error, throttle_duration_sec=5.0)
        self._say_recording("")
        if self.config.episode and self.config.resume:
            self.monitor.fault = self._last_error
        elif self.config.episode:
            # It was started for this episode; who started it must learn of it.
            self.end(error)

    def _resolved(self, topics: Iterable[RecordedTopic]) -> list[RecordedTopic]:
        """The topics with their full names."""
        return [replace(topic, name=self.resolve_topic_name(topic.name)) for topic in topics]

    def _begin(self, name: str, task: str = "", operator: str = "") -> Path:
        card = EpisodeCard(
            name,
            task=task or self.config.task,
            operator=operator or self.config.operator,
            versions=self._versions,
            hashes=self._hashes,
            extra={"hand": self.config.hand, "side": self.config.side},
        )
        self._dropped_before = dict(self.monitor.dropped_by_topic)
        folder = self._session.start(card, time.time_ns())
        self.get_logger().info(f"recording episode {folder}")
        self._say_recording(str(folder))
        return folder

    def _complete(self, success: bool | None) -> Path:
        try:
            folder = self._session.stop(success, self._drops())
        finally:
            # Also where it could not be completed: whoever counts on an episode may begin another.
            self._say_recording("")
        self.get_logger().info(f"episode {folder} complete")
        return folder

    def _drops(self) -> dict[str, int]:
        """What the middleware lost since the episode's start, by topic."""
        counts = self.monitor.dropped_by_topic
        drops = {topic: n - self._dropped_before.get(topic, 0) for topic, n in counts.items()}
        return {topic: count for topic, count in drops.items() if count}

    def _discard(self) -> Path:
        folder = self._session.discard()
        self.get_logger().info(f"episode {folder} thrown away")
        self._say_recording("")
        return folder

    def _say_recording(self, folder: str) -> None:
        """Tell the folder of the episode being recorded, or that there is none."""
        self._recording.publish(String(data=folder))

    def _on_joy(self, message: Joy) -> None:
        pressed = self._buttons.pressed(message)
        try:
            if self.config.joy_discard_button in pressed and self._session.recording:
                self._discard()
            elif self.config.joy_record_button in pressed:
                if self._session.recording:
                    self._complete(True)
                else:
                    self._begin("")
        except RecordingError as error:
            # Nobody waits for an answer to a button; the next press may find more disk.
            self._last_error = str(error)
            self.get_logger().error(self._last_error)

    def _on_start(
        self, request: StartEpisode.Request, response: StartEpisode.Response
    ) -> StartEpisode.Response:
        try:
            if not self.active:
                raise RecordingError("the recorder is not active")
            response.path = str(self._begin(request.name, request.task, request.operator_name))
            response.success, response.message = True, "recording"
        except RecordingError as error:
            response.success, response.message = False, str(error)
        return response

    def _on_stop(
        self, request: StopEpisode.Request, response: StopEpisode.Response
    ) -> StopEpisode.Response:
        try:
            folder = self._discard() if request.discard else self._complete(request.task_success)
            response.success, response.path = True, str(folder)
            response.message = "thrown away" if request.discard else "complete"
        except RecordingError as error:
            response.success, response.message = False, str(error)
        return response


def _extra(text: str) -> RecordedTopic:
    """A topic given as ``name:package/msg/Name``.

    Raises:
        ConfigError: It is given in another form.
    """
    name, _, msgtype = text.rpartition(":")
    if not name or msgtype.count("/") != 2:
        raise ConfigError(f"extra topic {text!r}; the form is topic:package/msg/Name")
    return RecordedTopic(name, msgtype)


def main() -> int:
    """Run the recorder node."""
    return run_node(RecorderNode)


if __name__ == "__main__":
    raise SystemExit(main())
