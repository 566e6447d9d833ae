"""Where compiled models are kept between starts, each file's in a folder of its own, within bounds.

OpenVINO keeps what it compiled under a name that it alone can tell, for ever, and a model that was
exported anew or lies elsewhere is another one to it. So each file, as it is now, has its folder;
the folders that were not used for longest go when all of them take too much.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

LIMIT_BYTES = 500_000_000
"""What all compiled models may take on the disk; the shipped network's takes 20 MB."""
_ENDING = ".compiled"


def cache_folder() -> Path:
    """The user's own folder of compiled models."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(base) if base else Path.home() / ".cache"
    return folder / "rejshand_ros" / "openvino"


def folder_for(model: Path, cache: Path) -> Path | None:
    """The folder of one model's compiled form, made if need be and marked as used now.

    Args:
        model: The model's file, which is there; weights may lie beside it as .bin.
        cache: The folder of all compiled models.

    Returns:
        The folder, or None where none can be written.
    """
    parts = [part for part in (model, model.with_suffix(".bin")) if part.is_file()]
    states = [(str(part.resolve()), part.stat().st_mtime_ns, part.stat().st_size) for part in parts]
    state = hashlib.sha256(repr(states).encode()).hexdigest()[:16]
    folder = cache / f"{model.stem}-{state}{_ENDING}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def keep_within(cache: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Remove what was not used for longest, until the rest takes no more than the limit.

    What was used last stays, however large, and so does what cannot be removed. Another process
    may do the same at the same time, or read what is removed: it has its file open, or compiles
    once more.

    Args:
        cache: The folder of all compiled models; what else lies there is left alone.
        limit_bytes: What they may take.
    """
    # OpenVINO's own files lay in the folder itself when each model had none of its own.
    ours = [*cache.glob(f"*{_ENDING}"), *cache.glob("*.blob")]
    total = 0
    for number, entry in enumerate(sorted(ours, key=_last_use, reverse=True)):
        total += _size(entry)
        if number and total > limit_bytes:
            with contextlib.suppress(OSError):
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()


def _last_use(entry: Path) -> int:
    """When an entry was used last, in nanoseconds; 0 if it has just been removed."""
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _size(entry: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 if it has just been removed."""
    try:
        files = entry.iterdir() if entry.is_dir() else [entry]
        return sum(file.stat().st_size for file in files)
    except FileNotFoundError:
        return 0
