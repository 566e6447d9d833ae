"""The command line's verbs for episodes: inspect, repair, retarget, export-dataset."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.recording.inspection import as_text, summarise
from rejshand_ros.recording.repair import RepairReport, needs_repair, repair_all, repair_episode


def inspect_main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand inspect EPISODE`: contents, rates, gaps and a contact sheet."""
    parser = argparse.ArgumentParser("rejshand inspect", description=inspect_main.__doc__)
    parser.add_argument("episode", type=Path, help="folder of the episode")
    parser.add_argument(
        "--sheet", type=Path, help="picture to write (default: contact_sheet.png in the episode)"
    )
    options = parser.parse_args(arguments)
    summary = summarise(options.episode)
    print(as_text(summary))
    if any(topic.msgtype.endswith("Image") and topic.messages for topic in summary.topics):
        from rejshand_ros.viewing.contact_sheet import write_contact_sheet

        sheet = options.sheet or options.episode / "contact_sheet.png"
        print(f"contact sheet: {write_contact_sheet(options.episode, sheet)}")


def _tell(report: RepairReport) -> None:
    if report.messages:
        print(f"{report.folder}: {report.messages} messages, {report.seconds:.1f} s recovered")
    else:
        print(f"{report.folder}: left as it is: {report.damage}")


def repair_main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand repair FOLDER`: recover episodes whose recorder was killed."""
    parser = argparse.ArgumentParser("rejshand repair", description=repair_main.__doc__)
    parser.add_argument("folder", type=Path, help="an episode, or a folder of episodes")
    options = parser.parse_args(arguments)
    if needs_repair(options.folder) or not options.folder.is_dir():
        _tell(repair_episode(options.folder))
        return
    reports = repair_all(options.folder)
    for report in reports:
        _tell(report)
    if not reports:
        print(f"{options.folder}: nothing to repair")


def retarget_main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand retarget EPISODE --hand HAND`: the recorded motion for another robot hand."""
    from rejshand_ros.recording.retargeted import retarget_episode

    parser = argparse.ArgumentParser("rejshand retarget", description=retarget_main.__doc__)
    parser.add_argument("episode", type=Path, help="folder of the episode")
    parser.add_argument("--hand", required=True, help="robot hand (a file in config/hands)")
    parser.add_argument("--objective", default="vector", help="an objective of that hand")
    parser.add_argument("--out", type=Path, help="new folder (default: <episode>_<hand>)")
    options = parser.parse_args(arguments)
    episode = options.episode.resolve()
    out = options.out or episode.with_name(f"{episode.name}_{options.hand}")
    report = retarget_episode(episode, out, options.hand, options.objective)
    print(f"{report.folder}: {report.targets} joint targets, {report.failures} failed solves")


def export_main(arguments: Sequence[str] | None = None) -> None:
    """`rejshand export-dataset EPISODES --out FOLDER`: a data set for imitation learning."""
    try:
        from rejshand_ros.recording.dataset.export import (
            BACKENDS,
            FORMATS,
            ExportConfig,
            export_dataset,
        )
    except ImportError as error:
        raise MissingDependencyError(
            f"export-dataset needs {error.name}: pip install -r requirements/export.txt"
        ) from error

    parser = argparse.ArgumentParser("rejshand export-dataset", description=export_main.__doc__)
    parser.add_argument("episodes", type=Path, nargs="+", help="episodes or folders of episodes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--format", default="lerobot", help=f"one of {', '.join(FORMATS)}")
    parser.add_argument("--fps", type=int, help="rate (default: the camera's)")
    parser.add_argument(
        "--max-gap", type=float, default=0.5, help="longest pause that is bridged, seconds (0.5)"
    )
    parser.add_argument("--only-success", action="store_true", help="leave out other episodes")
    parser.add_argument("--validation", type=float, default=0.0, help="share held back, 0..1")
    parser.add_argument("--workers", type=int, default=1, help="processes at the same time")
    parser.add_argument("--backend", default="processes", help=f"one of {', '.join(BACKENDS)}")
    parser.add_argument("--robot-type", default="dexterous_hand", help="name of the robot")
    options = parser.parse_args(arguments)
    config = ExportConfig(
        format=options.format,
        fps=options.fps,
        max_gap_s=options.max_gap,
        only_success=options.only_success,
        validation_fraction=options.validation,
        workers=options.workers,
        backend=options.backend,
        robot_type=options.robot_type,
    )
    with tqdm(unit="episode", leave=False) as bar:

        def progress(done: int, total: int, name: str) -> None:
            bar.total = total
            bar.n = done
            bar.set_description(name)

        report = export_dataset(options.episodes, options.out, config, progress)
    for name, reason in report.left_out.items():
        print(f"left out {name}: {reason}")
    print(
        f"{report.root}: {len(report.episodes)} episodes ({report.validation} for validation, "
        f"{report.reused} staged before), {report.frames} frames, {report.seconds:.1f} s; "
        f"95th percentile of the alignment error: images {report.image_error_ms_p95:.2f} ms, "
        f"joints {report.joint_error_ms_p95:.2f} ms"
    )
