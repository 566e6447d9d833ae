"""What `rejshand doctor` finds: a level, words, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from rejshand_ros.errors import RejshandError


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: OK; NOTE where the chain runs, but could do better; MISSING where it cannot run.
        words: What was found.
        advice: What to do about it; empty where there is nothing to do.
    """

    level: Level
    words: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """Something to look at.

    Attributes:
        name: What it is.
        look: Looks; what it raises is a finding of the level MISSING.
        advice: What to do where it raises.
    """

    name: str
    look: Callable[[], Finding | str]
    advice: str = ""

    def run(self) -> Finding:
        """Look, and never raise what a missing or broken part may raise."""
        try:
            found = self.look()
        except (RejshandError, ImportError, AttributeError, OSError) as error:
            return Finding(Level.MISSING, " ".join(str(error).split()), self.advice)
        return Finding(Level.OK, found) if isinstance(found, str) else found


def told(name: str, finding: Finding, width: int) -> str:
    """A finding as the terminal shows it."""
    line = f"{finding.level.value:8s} {name:{width}s}  {finding.words}"
    return f"{line}\n{'':8s} {'':{width}s}  -> {finding.advice}" if finding.advice else line
