"""Long lists of equal arrays of numbers from JSON, in little memory.

FreiHAND's vertices are 76 million numbers in one JSON file; as Python's objects they would take
several gigabytes. Nesting is told by counting brackets, so a file of other shape but the right
number of values is found out by its brackets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError

_BLOCK = 16 << 20
_NO_BRACKETS = str.maketrans("[]", "  ")


def read_json_numbers(path: Path, row: tuple[int, ...]) -> NDArray[np.float32]:
    """A list of arrays of numbers, such as ``[[[1, 2], [3, 4]], ...]`` for rows of (2, 2).

    Args:
        path: The JSON file.
        row: Shape of each entry.

    Returns:
        (n, *row) float32, all finite.

    Raises:
        ModelFileError: The file is cut short, or holds something else.
    """
    needed = f"a list of {' x '.join(map(str, row))} numbers each is needed"
    parts: list[NDArray[np.float32]] = []
    opened = closed = 0
    rest = ""
    try:
        if _last_character(path) != b"]":
            raise ModelFileError(f"{path} is cut short: it does not end with ']'; {needed}")
        with path.open(encoding="ascii") as file:
            while block := file.read(_BLOCK):
                opened += block.count("[")
                closed += block.count("]")
                text, comma, after = block.rpartition(",")
                if not comma:
                    rest += block
                    continue
                parts.append(_parsed(rest + text))
                rest = after
        if rest.translate(_NO_BRACKETS).strip():
            parts.append(_parsed(rest))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(f"{path} cannot be read: {reason}; {needed}") from error
    if opened > closed:
        raise ModelFileError(f"{path} is cut short: {opened - closed} brackets are open; {needed}")
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    size = int(np.prod(row))
    count = len(values) // size
    # One bracket around all, and in each row one around every array but the innermost numbers.
    lists = 1 + count * sum(int(np.prod(row[:depth])) for depth in range(len(row)))
    if count == 0 or len(values) % size or opened != lists:
        raise ModelFileError(f"{path} holds {len(values)} numbers in {opened} lists; {needed}")
    rows = values.reshape(count, *row)
    bad = np.flatnonzero(~np.isfinite(rows.reshape(count, -1)).all(1))
    if len(bad):
        raise ModelFileError(f"{path}: entry {bad[0]} is not finite; finite numbers are needed")
    return rows


def _last_character(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip()[-1:]


def _parsed(text: str) -> NDArray[np.float32]:
    return np.fromstring(text.translate(_NO_BRACKETS), sep=",").astype(np.float32)
