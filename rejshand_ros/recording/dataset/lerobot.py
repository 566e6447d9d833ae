"""LeRobot data set, version 3.0: Parquet tables and MP4 videos, a file of each an episode.

Episodes are first written by themselves into a staging folder, in any order and by any number of
workers; `assemble` then numbers them and writes the tables that tie them together.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.dataset.alignment import AlignedEpisode
from rejshand_ros.recording.dataset.frames import frames
from rejshand_ros.recording.dataset.parts import PART_NAME, Part, check_alike
from rejshand_ros.recording.dataset.statistics import describe, describe_images, merge
from rejshand_ros.recording.episode import write_atomically
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.viewing.video import VideoWriter

VERSION = "v3.0"
CAMERA = "observation.images.camera"
_CHUNK = 1000
_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_PIXELS_A_FRAME = 400


def write_part(reader: EpisodeReader, episode: AlignedEpisode, folder: Path) -> Part:
    """Stage one episode.

    Args:
        reader: The episode.
        episode: The same, aligned.
        folder: New folder for its files.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = len(episode.times_ns)
    rng = np.random.default_rng(0)
    pixels: list[Any] = []
    writer: VideoWriter | None = None
    size = (0, 0)
    for image in frames(reader, episode):
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        if writer is None:
            size = image.shape[:2]
            # A key frame a second and no B-frames: loaders jump to single frames.
            options = {"g": str(max(2, episode.fps)), "bf": "0", "preset": "superfast"}
            writer = VideoWriter(
                folder / "video.mp4", size[1], size[0], episode.fps, options=options
            )
        writer.write(np.ascontiguousarray(image))
        flat = image.reshape(-1, 3)
        pixels.append(flat[rng.integers(0, len(flat), _PIXELS_A_FRAME), ::-1] / 255.0)
    if writer is None or len(pixels) != count:
        raise RecordingError(f"{reader.folder}: {len(pixels)} of {count} images could be read")
    writer.close()
    timestamps = np.arange(count, dtype=np.float64) / episode.fps
    table = pa.table(
        {
            "observation.state": _rows(episode.state),
            "action": _rows(episode.action),
            "capture_stamp_ns": pa.array(episode.times_ns),
            "timestamp": pa.array(timestamps.astype(np.float32)),
            "frame_index": pa.array(np.arange(count)),
        }
    )
    pq.write_table(table, folder / "data.parquet")
    facts = {
        "name": episode.card.name,
        "task": episode.card.task or "teleoperation",
        "success": episode.card.success,
        "fps": episode.fps,
        "length": count,
        "height": int(size[0]),
        "width": int(size[1]),
        "state_names": list(episode.state_names),
        "action_names": list(episode.action_names),
        "image_error_ms_p95": float(np.quantile(episode.image_error_s, 0.95) * 1e3),
        "joint_error_ms_p95": float(np.quantile(episode.joint_error_s, 0.95) * 1e3),
        "stats": {
            "observation.state": describe(episode.state),
            "action": describe(episode.action),
            "timestamp": describe(timestamps),
            CAMERA: {**describe_images(np.concatenate(pixels)), "count": [count]},
        },
    }
    write_atomically(folder / PART_NAME, json.dumps(facts))
    return Part(folder, facts)


def _rows(values: Any) -> pa.Array:
    """(n, d) values as n lists of float32."""
    flat = pa.array(np.asarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1]).cast(
        pa.list_(pa.float32(), values.shape[1])
    )


def _features(facts: dict[str, Any]) -> dict[str, Any]:
    scalar = {"shape": [1], "names": None}
    return {
        "observation.state": {
            "dtype": "float32",
            "shape": [len(facts["state_names"])],
            "names": facts["state_names"],
        },
        "action": {
            "dtype": "float32",
            "shape": [len(facts["action_names"])],
            "names": facts["action_names"],
        },
        CAMERA: {
            "dtype": "video",
            "shape": [facts["height"], facts["width"], 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": facts["height"],
                "video.width": facts["width"],
                "video.codec": "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "video.fps": facts["fps"],
                "video.channels": 3,
                "has_audio": False,
            },
        },
        "capture_stamp_ns": {"dtype": "int64", **scalar},
        "timestamp": {"dtype": "float32", **scalar},
        "frame_index": {"dtype": "int64", **scalar},
        "episode_index": {"dtype": "int64", **scalar},
        "index": {"dtype": "int64", **scalar},
        "task_index": {"dtype": "int64", **scalar},
    }


def assemble(parts: list[Part], root: Path, robot_type: str, validation: int = 0) -> None:
    """Number staged episodes and write the data set.

    Args:
        parts: The episodes in their order; the last `validation` of them are that split.
        root: Folder of the data set; what an earlier run assembled there is replaced.
        robot_type: For example ``"allegro_right"``.
        validation: Number of episodes held back for validation.

    Raises:
        RecordingError: There is none, or they differ in rate, size or joints.
    """
    check_alike(parts)
    for old in ("data", "videos", "meta"):
        shutil.rmtree(root / old, ignore_errors=True)
    tasks = list(dict.fromkeys(part.facts["task"] for part in parts))
    rows: list[dict[str, Any]] = []
    start = 0
    for number, part in enumerate(parts):
        place = {"chunk_index": number // _CHUNK, "file_index": number % _CHUNK}
        length = part.facts["length"]
        task = tasks.index(part.facts["task"])
        table = pq.read_table(part.folder / "data.parquet")
        for name, column in (
            ("episode_index", np.full(length, number)),
            ("index", np.arange(start, start + length)),
            ("task_index", np.full(length, task)),
        ):
            table = table.append_column(name, pa.array(column))
        data = root / _DATA.format(**place)
        data.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, data, compression="snappy")
        video = root / _VIDEO.format(video_key=CAMERA, **place)
        video.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part.folder / "video.mp4", video)
        row = {
            "episode_index": number,
            "tasks": [part.facts["task"]],
            "length": length,
            "data/chunk_index": place["chunk_index"],
            "data/file_index": place["file_index"],
            "dataset_from_index": start,
            "dataset_to_index": start + length,
            f"videos/{CAMERA}/chunk_index": place["chunk_index"],
            f"videos/{CAMERA}/file_index": place["file_index"],
            f"videos/{CAMERA}/from_timestamp": 0.0,
            f"videos/{CAMERA}/to_timestamp": length / part.facts["fps"],
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for feature, statistics in part.facts["stats"].items():
            row |= {f"stats/{feature}/{key}": value for key, value in statistics.items()}
        rows.append(row)
        start += length
    _write_meta(parts, rows, tasks, root, robot_type, validation)


def _write_meta(
    parts: list[Part],
    rows: list[dict[str, Any]],
    tasks: list[str],
    root: Path,
    robot_type: str,
    validation: int,
) -> None:
    facts = parts[0].facts
    episodes = root / _EPISODES.format(chunk_index=0, file_index=0)
    episodes.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), episodes)
    task_table = pa.table({"task_index": pa.array(range(len(tasks))), "task": pa.array(tasks)})
    pandas_index = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {
                "name": name,
                "field_name": name,
                "pandas_type": kind,
                "numpy_type": numpy_kind,
                "metadata": None,
            }
            for name, kind, numpy_kind in (
                ("task_index", "int64", "int64"),
                ("task", "unicode", "object"),
            )
        ],
        "pandas_version": "2.0.0",
    }
    task_table = task_table.replace_schema_metadata({"pandas": json.dumps(pandas_index)})
    pq.write_table(task_table, root / "meta" / "tasks.parquet")
    names = {feature for part in parts for feature in part.facts["stats"]}
    stats = {name: merge([part.facts["stats"][name] for part in parts]) for name in sorted(names)}
    write_atomically(root / "meta" / "stats.json", json.dumps(stats, indent=1))
    training = len(parts) - validation
    splits = {"train": f"0:{training}"}
    if validation:
        splits["validation"] = f"{training}:{len(parts)}"
    information = {
        "codebase_version": VERSION,
        "robot_type": robot_type,
        "total_episodes": len(parts),
        "total_frames": rows[-1]["dataset_to_index"],
        "total_tasks": len(tasks),
        "chunks_size": _CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": facts["fps"],
        "splits": splits,
        "data_path": _DATA,
        "video_path": _VIDEO,
        "features": _features(facts),
    }
    # Written last: a data set without it is unfinished.
    write_atomically(root / "meta" / "info.json", json.dumps(information, indent=1))
