"""`rejshand`: the command line. Each verb lives in its own room and is imported when asked for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rejshand_ros import __version__
from rejshand_ros.errors import ConfigError, RejshandError


@dataclass(frozen=True)
class Verb:
    """A subcommand.

    Attributes:
        target: ``module:function``; the function takes the remaining arguments.
        summary: What it does, in a few words.
    """

    target: str
    summary: str


VERBS = {
    "demo": Verb("rejshand_ros.demo.run:main", "run the whole chain on a video, camera or clip"),
    "teleop": Verb("rejshand_ros.demo.teleop:main", "drive a hand from a live camera"),
    "doctor": Verb("rejshand_ros.demo.doctor:main", "check what is installed and what is missing"),
    "info": Verb("rejshand_ros.demo.info:main", "versions, weights, robot hands"),
    "train": Verb("rejshand_ros.training.commands:train_main", "train the hand network"),
    "evaluate": Verb("rejshand_ros.training.commands:evaluate_main", "measure weights"),
    "export-model": Verb(
        "rejshand_ros.training.commands:export_main", "a training run to shippable weights"
    ),
    "engage": Verb("rejshand_ros.nodes.engage:main", "engage, disengage and stop hands by key"),
    "record": Verb("rejshand_ros.nodes.record:main", "start and end episodes by key"),
    "inspect": Verb("rejshand_ros.recording.commands:inspect_main", "what an episode holds"),
    "replay": Verb("rejshand_ros.nodes.replay:replay_main", "publish an episode again"),
    "retarget": Verb(
        "rejshand_ros.recording.commands:retarget_main", "an episode for another robot hand"
    ),
    "repair": Verb("rejshand_ros.recording.commands:repair_main", "recover unfinished episodes"),
    "export-dataset": Verb(
        "rejshand_ros.recording.commands:export_main", "episodes to a data set for learning"
    ),
}
"""Verb -> what runs it. Rooms add theirs here once they work."""


def usage() -> str:
    """The list of verbs."""
    width = max(map(len, VERBS))
    lines = [f"  {name.ljust(width)}  {verb.summary}" for name, verb in VERBS.items()]
    return "usage: rejshand <verb> [options]; rejshand <verb> --help\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb.

    Returns:
        The exit status: 0, 1 for a failure, 2 for a wrong choice, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if given else 2
    if given[0] in ("-V", "--version"):
        print(__version__)
        return 0
    try:
        if given[0] not in VERBS:
            raise ConfigError(f"unknown verb {given[0]!r}; valid: {', '.join(VERBS)}")
        module, _, function = VERBS[given[0]].target.partition(":")
        getattr(importlib.import_module(module), function)(given[1:])
        sys.stdout.flush()
    except RejshandError as error:
        print(f"rejshand: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("rejshand: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; the interpreter must not complain about it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
