"""What rosbag2 wants to know of an episode: its metadata.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from rejshand_ros.recording.message_types import message_definition
from rejshand_ros.recording.topic import RecordedTopic

_ROSBAG2_VERSION = 9


def rosbag2_metadata(
    mcap_name: str,
    topics: Sequence[RecordedTopic],
    counts: Mapping[str, int],
    first_ns: int,
    last_ns: int,
) -> str:
    """rosbag2's metadata.yaml, version 9.

    Args:
        mcap_name: Name of the file that holds the messages.
        topics: What was recorded.
        counts: Topic -> messages in the file.
        first_ns: Earliest time of receipt, nanoseconds since the epoch.
        last_ns: Latest.
    """
    start = {"nanoseconds_since_epoch": first_ns}
    duration = {"nanoseconds": last_ns - first_ns}
    count = sum(counts.values())
    rows = [
        {
            "topic_metadata": {
                "name": topic.name,
                "type": topic.msgtype,
                "serialization_format": "cdr",
                "offered_qos_profiles": topic.offered_qos(),
                "type_description_hash": message_definition(topic.msgtype)[1],
            },
            "message_count": counts[topic.name],
        }
        for topic in topics
    ]
    information = {
        "version": _ROSBAG2_VERSION,
        "storage_identifier": "mcap",
        "relative_file_paths": [mcap_name],
        "duration": duration,
        "starting_time": start,
        "message_count": count,
        "topics_with_message_count": rows,
        "compression_format": "",
        "compression_mode": "",
        "files": [
            {
                "path": mcap_name,
                "starting_time": start,
                "duration": duration,
                "message_count": count,
            }
        ],
        "custom_data": None,
        "ros_distro": "",
    }
    return yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False)
