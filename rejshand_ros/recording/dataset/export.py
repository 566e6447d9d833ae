"""Export many episodes: select, stage in parallel, assemble; taken up again where it ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rejshand_ros.errors import MissingDependencyError, RecordingError, unknown_choice
from rejshand_ros.recording.dataset import lerobot, robomimic
from rejshand_ros.recording.dataset.alignment import align_episode
from rejshand_ros.recording.dataset.parts import Part, staged_part
from rejshand_ros.recording.episode import CARD_NAME, METADATA_NAME, read_card
from rejshand_ros.recording.reader import EpisodeReader

FORMATS = {"lerobot": lerobot, "robomimic": robomimic}
BACKENDS = ("processes", "ray")
_STAGING = ".staging"
Progress = Callable[[int, int, str], None]
"""Called with episodes done, episodes in all, and the name of the last; at first with none."""


@dataclass(frozen=True)
class ExportConfig:
    """What is exported and how.

    Attributes:
        format: ``lerobot`` or ``robomimic``.
        fps: Rate of the data set; None for the camera's own.
        max_gap_s: Longest pause of images, joint states or commands that is bridged; episodes
            with a longer one are left out.
        only_success: Leave out episodes that did not succeed or of which nobody said.
        validation_fraction: Share of the episodes held back for validation.
        workers: Processes that work at the same time.
        backend: ``processes`` on this machine or ``ray`` on a cluster.
        robot_type: Name of the robot in the data set.
    """

    format: str = "lerobot"
    fps: int | None = None
    max_gap_s: float = 0.5
    only_success: bool = False
    validation_fraction: float = 0.0
    workers: int = 1
    backend: str = "processes"
    robot_type: str = "dexterous_hand"

    def __post_init__(self) -> None:
        """Check the choices.

        Raises:
            ConfigError: A choice is unknown.
            RecordingError: A number is out of range.
        """
        if self.format not in FORMATS:
            raise unknown_choice("data set format", self.format, FORMATS)
        if self.backend not in BACKENDS:
            raise unknown_choice("backend", self.backend, BACKENDS)
        if not 0.0 <= self.validation_fraction < 1.0:
            raise RecordingError(
                f"validation fraction {self.validation_fraction} is outside 0 (included) .. 1"
            )
        if self.workers < 1:
            raise RecordingError(f"{self.workers} workers cannot work; at least 1 is needed")
        if self.fps is not None and self.fps < 1:
            raise RecordingError(f"a rate of {self.fps} frames a second is too low; at least 1")
        if not self.max_gap_s > 0.0:
            raise RecordingError(f"a longest gap of {self.max_gap_s} s; more than 0 is needed")


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        root: Folder of the data set.
        episodes: Names of the episodes in it, in order.
        validation: How many of the last of them are for validation.
        frames: Frames in all.
        seconds: Their duration.
        reused: Episodes staged by an earlier run.
        left_out: Episode -> why it is not in the data set.
        image_error_ms_p95: Worst of the episodes' 95th percentiles.
        joint_error_ms_p95: Worst of the episodes' 95th percentiles.
    """

    root: Path
    episodes: tuple[str, ...]
    validation: int
    frames: int
    seconds: float
    reused: int
    left_out: dict[str, str]
    image_error_ms_p95: float
    joint_error_ms_p95: float


def find_episodes(paths: list[Path]) -> list[Path]:
    """Episodes among the given folders or directly below them, sorted by name.

    Raises:
        RecordingError: There is none.
    """
    found: dict[str, Path] = {}
    for path in paths:
        candidates = [path, *sorted(path.iterdir())] if path.is_dir() else []
        for folder in candidates:
            if (folder / CARD_NAME).is_file():
                found[str(folder.resolve())] = folder
    if not found:
        raise RecordingError(
            f"no episode (folder with {CARD_NAME}) in or below {', '.join(map(str, paths))}"
        )
    return sorted(found.values(), key=lambda folder: folder.name)


def stage_episode(folder: str, staging: str, config: ExportConfig) -> dict[str, Any]:
    """Stage one episode; the task that every backend runs.

    Returns:
        ``{"part": folder}`` or ``{"refused": reason}``.
    """
    try:
        with EpisodeReader(Path(folder)) as reader:
            card = read_card(Path(folder))
            episode = align_episode(reader, card, config.fps, config.max_gap_s)
            part = FORMATS[config.format].write_part(reader, episode, Path(staging))
        return {"part": str(part.folder)}
    except RecordingError as error:
        return {"refused": str(error)}


def _labels(folders: list[Path]) -> dict[Path, str]:
    """What each episode is called: by its name, or where that is not enough, its place."""
    several = {name for name, n in Counter(folder.name for folder in folders).items() if n > 1}
    labels = {
        folder: f"{folder.resolve().parent.name}/{folder.name}"
        if folder.name in several
        else folder.name
        for folder in folders
    }
    count = Counter(labels.values())
    return {f: label if count[label] == 1 else str(f.resolve()) for f, label in labels.items()}


def _staging_folder(root: Path, folder: Path, config: ExportConfig) -> Path:
    """Changes with the episode's content and the options that shape it."""
    size = sum(path.stat().st_size for path in sorted(folder.glob("*.mcap")))
    card = read_card(folder)
    place = str(folder.resolve())
    options = [config.format, config.fps, config.max_gap_s]
    key = json.dumps([place, size, card.task, card.success, *options])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return root / _STAGING / f"{folder.name}-{digest}"


def _run(work: dict[Path, Path], config: ExportConfig) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Stage episodes (episode -> staging folder) and yield results as they come."""
    if not work:
        return
    if config.backend == "ray":
        yield from _run_ray(work, config)
    elif config.workers == 1 or len(work) < 2:
        for folder, staging in work.items():
            yield folder, stage_episode(str(folder), str(staging), config)
    else:
        # Fresh processes: forking a process that already runs threads can hang.
        with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
            futures = {
                pool.submit(stage_episode, str(folder), str(staging), config): folder
                for folder, staging in work.items()
            }
            for future in as_completed(futures):
                yield futures[future], future.result()


def _run_ray(work: dict[Path, Path], config: ExportConfig) -> Iterator[tuple[Path, dict[str, Any]]]:
    """On the cluster that RAY_ADDRESS names, or on one of `workers` processes started here."""
    # Ray reports its use over the network unless told otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "backend 'ray' needs the package ray: pip install 'ray[default]'"
        ) from None
    started_here = not ray.is_initialized()
    if started_here:
        address = os.environ.get("RAY_ADDRESS")
        if address:
            # A cluster knows its own processors and refuses to be told.
            ray.init(address=address, log_to_driver=False)
        else:
            ray.init(
                address="local",
                num_cpus=config.workers,
                include_dashboard=False,
                log_to_driver=False,
            )
    try:
        task = ray.remote(stage_episode)
        waiting = {
            task.remote(str(folder), str(staging), config): folder
            for folder, staging in work.items()
        }
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            for reference in ready:
                yield waiting.pop(reference), ray.get(reference)
    finally:
        if started_here:
            ray.shutdown()


def export_dataset(
    paths: list[Path],
    root: Path,
    config: ExportConfig = ExportConfig(),
    progress: Progress = lambda done, total, name: None,
) -> ExportReport:
    """Export episodes as one data set.

    An interrupted export is taken up again by the same call: staged episodes are not read twice.

    Args:
        paths: Episodes, or folders that hold episodes.
        root: Folder of the data set.
        config: What and how.
        progress: Told of the start and of each finished episode.

    Raises:
        RecordingError: No episode is left, or they do not fit together.
        MissingDependencyError: The backend is not installed.
    """
    left_out: dict[str, str] = {}
    parts: dict[str, Part] = {}
    work: dict[Path, Path] = {}
    labels = _labels(find_episodes(paths))
    for folder, label in labels.items():
        card = read_card(folder)
        if not (folder / METADATA_NAME).exists():
            left_out[label] = "unfinished; run 'rejshand repair' on it"
        elif config.only_success and card.success is not True:
            left_out[label] = "not marked as a success"
        else:
            staging = _staging_folder(root, folder, config)
            done = staged_part(staging)
            if done is not None:
                parts[label] = done
            else:
                work[folder] = staging
    reused = len(parts)
    total = reused + len(work)
    root.mkdir(parents=True, exist_ok=True)
    progress(reused, total, "")
    for number, (folder, result) in enumerate(_run(work, config), reused + 1):
        label = labels[folder]
        if "refused" in result:
            left_out[label] = result["refused"]
        else:
            part = staged_part(Path(result["part"]))
            if part is None:
                raise RecordingError(f"the staged episode {result['part']} cannot be read back")
            parts[label] = part
        progress(number, total, label)
    if not parts:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise RecordingError(f"no episode is left to export ({reasons})")
    # By the hash of the name: an episode stays on its side when others are added.
    held_back = round(len(parts) * config.validation_fraction)
    ordered = sorted(parts, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    names = sorted(ordered[held_back:]) + sorted(ordered[:held_back])
    chosen = [parts[name] for name in names]
    FORMATS[config.format].assemble(chosen, root, config.robot_type, held_back)
    frames = sum(part.facts["length"] for part in chosen)
    return ExportReport(
        root=root,
        episodes=tuple(names),
        validation=held_back,
        frames=frames,
        seconds=frames / chosen[0].facts["fps"],
        reused=reused,
        left_out=left_out,
        image_error_ms_p95=max(part.facts["image_error_ms_p95"] for part in chosen),
        joint_error_ms_p95=max(part.facts["joint_error_ms_p95"] for part in chosen),
    )
