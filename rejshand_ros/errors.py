"""The project's exception tree: everything raised on purpose derives from `RejshandError`.

Messages are written for the person at the keyboard: they name what was given and what is valid,
on one line, so that the command line and the nodes can show them without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable


class RejshandError(Exception):
    """Base of every error that this project raises on purpose."""


class ConfigError(RejshandError):
    """A configuration file, parameter or command-line choice is wrong."""


class InputError(RejshandError, ValueError):
    """Data handed to a function has the wrong shape, type, unit or range."""


class ModelFileError(RejshandError):
    """A weights, mesh, URDF or dataset file is missing, cut short or of another kind."""


class CorruptImageError(ModelFileError):
    """One image of a dataset is missing, cut short or no image; the others may be whole.

    Args:
        file: The image.
        reason: What is wrong with it, as the rest of a sentence.
    """

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.file = str(file)


class MediaError(RejshandError):
    """A video, image or camera cannot be opened or read."""


class RecordingError(RejshandError):
    """An episode cannot be written, read or repaired."""


class SimulationError(RejshandError):
    """A simulated hand cannot be built or has diverged."""


class MissingDependencyError(RejshandError):
    """An optional library is needed for what was asked and is not installed."""


class ProcessError(RejshandError):
    """A process of the chain failed to start or ended on its own."""


def reason_of(error: BaseException) -> str:
    """What an error of a library says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def unknown_choice(kind: str, given: object, valid: Iterable[object]) -> ConfigError:
    """Build the error for a choice outside a closed set.

    Args:
        kind: What was chosen, e.g. ``"hand"``.
        given: What the user gave.
        valid: What they may give.
    """
    return ConfigError(f"unknown {kind} {given!r}; valid: {', '.join(map(str, valid))}")
