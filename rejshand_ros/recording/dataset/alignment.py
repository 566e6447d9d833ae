"""Put images, joint states and commands of an episode on one clock: the camera's.

The grid is regular (a learner expects ``frame_index / fps``) and starts at the first image whose
capture lies inside the span of states and commands. Each grid time takes the nearest image;
joint states and commands are interpolated between their own stamps.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import RecordingError
from rejshand_ros.geometry import Array
from rejshand_ros.recording.episode import EpisodeCard
from rejshand_ros.recording.images import image_topic
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns

_COMMAND = "rejshand_msgs/msg/HandCommand"
_JOINTS = "sensor_msgs/msg/JointState"


@dataclass(frozen=True)
class Series:
    """Joint positions over time.

    Attributes:
        topic: Where they come from.
        names: (d,) joints.
        stamps_ns: (n,) increasing, nanoseconds.
        values: (n, d) radians.
    """

    topic: str
    names: tuple[str, ...]
    stamps_ns: NDArray[np.int64]
    values: Array

    def at(self, times_ns: NDArray[np.int64]) -> tuple[Array, Array]:
        """Interpolate linearly.

        Args:
            times_ns: (m,) nanoseconds.

        Returns:
            Values (m, d), and the time (m,) in seconds from each to the nearest sample.
        """
        base = self.stamps_ns[0]
        own = (self.stamps_ns - base) * 1e-9
        wanted = (times_ns - base) * 1e-9
        values = np.stack([np.interp(wanted, own, column) for column in self.values.T], 1)
        after = np.clip(np.searchsorted(own, wanted), 1, max(len(own) - 1, 1))
        before = after - 1
        after = np.minimum(after, len(own) - 1)
        nearest = np.minimum(np.abs(wanted - own[before]), np.abs(wanted - own[after]))
        return values, nearest


@dataclass(frozen=True)
class AlignedEpisode:
    """An episode on a regular grid of n times.

    Attributes:
        card: The episode's facts.
        fps: Grid times a second.
        times_ns: (n,) grid times, nanoseconds since the epoch.
        image_topic: Topic of the images.
        image_index: (n,) which of the topic's images belongs to each grid time.
        state_names: (d,) joints of `state`.
        state: (n, d) measured joint positions, radians.
        action_names: (d,) joints of `action`.
        action: (n, d) commanded joint positions, radians.
        image_error_s: (n,) from grid time to capture of its image.
        joint_error_s: (n,) from grid time to the nearest joint state or command, the worse.
    """

    card: EpisodeCard
    fps: int
    times_ns: NDArray[np.int64]
    image_topic: str
    image_index: NDArray[np.int64]
    state_names: tuple[str, ...]
    state: Array
    action_names: tuple[str, ...]
    action: Array
    image_error_s: Array
    joint_error_s: Array


def _series(reader: EpisodeReader) -> tuple[list[Series], list[Series]]:
    """Joint states and commands, a series a topic, in the order of their topics."""
    rows: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    names: dict[str, tuple[str, ...]] = {}
    kinds = {
        topic: kind
        for topic, kind in reader.topics.items()
        if kind == _COMMAND or (kind == _JOINTS and topic.endswith("joint_states"))
    }
    for item in reader.messages(kinds):
        message = item.message
        joints, given = (
            (message.names, message.positions)
            if item.msgtype == _COMMAND
            else (message.name, message.position)
        )
        if not joints:
            continue  # of a driver that starts, or a hand that nobody has engaged
        if names.setdefault(item.topic, tuple(joints)) != tuple(joints):
            raise RecordingError(f"{reader.folder}: the joints of {item.topic} change midway")
        if len(given) == len(joints):
            rows[item.topic].append((stamp_ns(message.header.stamp), given))
    found: tuple[list[Series], list[Series]] = ([], [])
    for topic in sorted(rows):
        stamps, order = np.unique(
            np.array([stamp for stamp, _ in rows[topic]], np.int64), return_index=True
        )
        values = np.array([rows[topic][i][1] for i in order], float)
        found[kinds[topic] == _COMMAND].append(Series(topic, names[topic], stamps, values))
    return found


def _joined(series: list[Series], times_ns: NDArray[np.int64]) -> tuple[Any, Array, Array]:
    """Names, values (n, d) and errors (n,) of several series beside each other."""
    prefixed = len(series) > 1
    names: list[str] = []
    for one in series:
        # Two hands of one kind share their joint names: the namespace tells them apart.
        prefix = "/".join(one.topic.strip("/").split("/")[:-1]) + "/" if prefixed else ""
        names += [prefix + name for name in one.names]
    sampled = [one.at(times_ns) for one in series]
    values = np.concatenate([value for value, _ in sampled], axis=1)
    return tuple(names), values, np.max([error for _, error in sampled], axis=0)


def _check_gaps(
    folder: Path, stamps: dict[str, NDArray[np.int64]], begin: int, end: int, longest_s: float
) -> None:
    """See that nothing pauses for long between two times: no learner should meet invented data.

    Args:
        folder: The episode's, for the message.
        stamps: Topic -> (n,) increasing stamps, nanoseconds.
        begin: First time that counts, nanoseconds.
        end: Last one.
        longest_s: Longest pause that may be bridged.

    Raises:
        RecordingError: A topic pauses for longer.
    """
    for topic, own in stamps.items():
        # The samples just outside take part: a pause may begin before the span that counts.
        first = max(int(np.searchsorted(own, begin, "right")) - 1, 0)
        inside = own[first : int(np.searchsorted(own, end)) + 1]
        pauses = np.diff(inside) * 1e-9
        if len(pauses) and pauses.max() > longest_s:
            at = (int(inside[pauses.argmax()]) - begin) * 1e-9
            raise RecordingError(
                f"{folder}: {topic} pauses for {pauses.max():.2f} s, {at:.2f} s from its start; "
                f"at most {longest_s:g} s are bridged"
            )


def align_episode(
    reader: EpisodeReader,
    card: EpisodeCard,
    fps: int | None = None,
    max_gap_s: float = math.inf,
) -> AlignedEpisode:
    """Align an episode by capture stamps.

    Args:
        reader: The episode.
        card: Its facts.
        fps: Grid rate; None for the camera's own, rounded.
        max_gap_s: Longest pause of images, joint states or commands that is bridged, by the
            nearest image and by interpolation.

    Raises:
        RecordingError: Images, joint states or commands are missing, never overlap, or pause
            for longer.
    """
    topic = image_topic(reader)
    captures = np.array(
        [stamp_ns(item.message.header.stamp) for item in reader.messages([topic])],
        np.int64,
    )
    states, commands = _series(reader)
    for what, there in (("joint states", states), ("commands", commands)):
        if not there:
            raise RecordingError(f"{reader.folder} holds no {what} to learn from")
    if len(captures) < 2:
        raise RecordingError(f"{reader.folder} holds {len(captures)} images; at least 2 are needed")
    order = np.argsort(captures, kind="stable")
    sorted_captures = captures[order]
    everything = states + commands
    begin = max(int(one.stamps_ns[0]) for one in everything)
    end = min(int(one.stamps_ns[-1]) for one in everything)
    inside = sorted_captures[(sorted_captures >= begin) & (sorted_captures <= end)]
    if len(inside) < 2:
        raise RecordingError(f"{reader.folder}: images, joint states and commands never overlap")
    stamps = {topic: sorted_captures, **{one.topic: one.stamps_ns for one in everything}}
    _check_gaps(reader.folder, stamps, int(inside[0]), int(inside[-1]), max_gap_s)
    rate = fps or max(1, round(1e9 / float(np.median(np.diff(inside)))))
    count = int((inside[-1] - inside[0]) * 1e-9 * rate + 0.5) + 1
    times = inside[0] + np.round(np.arange(count) * (1e9 / rate)).astype(np.int64)
    times = times[times <= end]
    after = np.clip(np.searchsorted(sorted_captures, times), 1, len(captures) - 1)
    closer = times - sorted_captures[after - 1] <= sorted_captures[after] - times
    chosen = np.where(closer, after - 1, after)
    state_names, state, state_error = _joined(states, times)
    action_names, action, action_error = _joined(commands, times)
    return AlignedEpisode(
        card=card,
        fps=rate,
        times_ns=times,
        image_topic=topic,
        image_index=order[chosen],
        state_names=state_names,
        state=state,
        action_names=action_names,
        action=action,
        image_error_s=np.abs(sorted_captures[chosen] - times) * 1e-9,
        joint_error_s=np.maximum(state_error, action_error),
    )
