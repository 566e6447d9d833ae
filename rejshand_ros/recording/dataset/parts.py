"""Staged episodes: what each worker leaves and a data set is assembled from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rejshand_ros.errors import RecordingError

PART_NAME = "part.json"


@dataclass(frozen=True)
class Part:
    """One staged episode.

    Attributes:
        folder: Where its files lie.
        facts: What `assemble` must know of it.
    """

    folder: Path
    facts: dict[str, Any]


def staged_part(folder: Path) -> Part | None:
    """A part that was completed before, or None."""
    try:
        return Part(folder, json.loads((folder / PART_NAME).read_text()))
    except (OSError, ValueError):
        return None


def check_alike(parts: list[Part]) -> None:
    """See that staged episodes fit into one data set.

    Raises:
        RecordingError: There is none, or they differ in rate, size or joints.
    """
    if not parts:
        raise RecordingError("no episode is left to export")
    first = parts[0].facts
    for part in parts[1:]:
        for key in ("fps", "height", "width", "state_names", "action_names"):
            if part.facts[key] != first[key]:
                raise RecordingError(
                    f"episodes {first['name']} and {part.facts['name']} differ in {key}: "
                    f"{first[key]} and {part.facts[key]}; export them apart"
                )
