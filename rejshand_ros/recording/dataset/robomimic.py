"""Data set in robomimic's layout: one HDF5 file, a group a demonstration."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from rejshand_ros.errors import RecordingError
from rejshand_ros.recording.dataset.alignment import AlignedEpisode
from rejshand_ros.recording.dataset.frames import frames
from rejshand_ros.recording.dataset.parts import PART_NAME, Part, check_alike
from rejshand_ros.recording.episode import write_atomically
from rejshand_ros.recording.reader import EpisodeReader


def write_part(reader: EpisodeReader, episode: AlignedEpisode, folder: Path) -> Part:
    """Stage one episode as an HDF5 file of its own.

    Args:
        reader: The episode.
        episode: The same, aligned.
        folder: New folder for its files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(episode.times_ns)
    written = 0
    size = (0, 0)
    with h5py.File(folder / "demo.hdf5", "w") as file:
        images = None
        for image in frames(reader, episode):
            if images is None:
                size = image.shape[:2]
                images = file.create_dataset(
                    "obs/camera_image",
                    (count, *image.shape),
                    np.uint8,
                    chunks=(1, *image.shape),
                    compression="lzf",
                )
            images[written] = image[..., ::-1]
            written += 1
        if written != count:
            raise RecordingError(f"{reader.folder}: {written} of {count} images could be read")
        file["obs/joint_positions"] = episode.state.astype(np.float32)
        file["actions"] = episode.action.astype(np.float32)
        file["capture_stamp_ns"] = episode.times_ns
        # A demonstration ends once, and is rewarded if it succeeded.
        ends = np.zeros(count)
        ends[-1] = 1.0
        file["dones"] = ends.astype(np.int64)
        file["rewards"] = ends * float(episode.card.success is not False)
        file["states"] = episode.state.astype(np.float64)
    facts = {
        "name": episode.card.name,
        "task": episode.card.task or "teleoperation",
        "success": episode.card.success,
        "fps": episode.fps,
        "length": count,
        "height": size[0],
        "width": size[1],
        "state_names": list(episode.state_names),
        "action_names": list(episode.action_names),
        "image_error_ms_p95": float(np.quantile(episode.image_error_s, 0.95) * 1e3),
        "joint_error_ms_p95": float(np.quantile(episode.joint_error_s, 0.95) * 1e3),
    }
    write_atomically(folder / PART_NAME, json.dumps(facts))
    return Part(folder, facts)


def assemble(parts: list[Part], root: Path, robot_type: str, validation: int = 0) -> None:
    """Join staged episodes into ``demonstrations.hdf5``.

    Args:
        parts: The episodes in their order; the last `validation` of them form the mask ``valid``.
        root: Folder for the file.
        robot_type: For example ``"allegro_right"``.
        validation: Number of episodes held back for validation.

    Raises:
        RecordingError: There is none, or they differ in rate, size or joints.
    """
    check_alike(parts)
    temporary = root / ".demonstrations.hdf5.part"
    with h5py.File(temporary, "w") as file:
        data = file.create_group("data")
        names = [f"demo_{number}" for number in range(len(parts))]
        for name, part in zip(names, parts, strict=True):
            with h5py.File(part.folder / "demo.hdf5", "r") as source:
                demo = data.create_group(name)
                for key in source:
                    source.copy(key, demo)
            demo.attrs["num_samples"] = part.facts["length"]
            demo.attrs["task"] = part.facts["task"]
            demo.attrs["episode"] = part.facts["name"]
        data.attrs["total"] = sum(part.facts["length"] for part in parts)
        data.attrs["env_args"] = json.dumps(
            {
                "env_name": robot_type,
                "type": 1,
                "env_kwargs": {
                    "fps": parts[0].facts["fps"],
                    "state_names": parts[0].facts["state_names"],
                    "action_names": parts[0].facts["action_names"],
                },
            }
        )
        training = len(parts) - validation
        for mask, members in (("train", names[:training]), ("valid", names[training:])):
            if members:
                file[f"mask/{mask}"] = np.array(members, dtype="S")
    temporary.replace(root / "demonstrations.hdf5")
