"""Where the measured data lies that some tests need and that does not ship with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = (Path(__file__).parents[1] / "../shared/data").resolve()


class _SharedData:
    """The data folder; asking for a path below it skips the test where it is absent.

    Example:
        ``video = SHARED_DATA / "hand_video/human_hand_video.mp4"`` within a test or a fixture
        skips that test; the same line at the top of a module skips the whole module.
    """

    @property
    def available(self) -> bool:
        """Whether the folder is there."""
        return _FOLDER.is_dir()

    def __truediv__(self, relative: str) -> Path:
        """A file or folder below the data folder."""
        path = _FOLDER / relative
        if not path.exists():
            pytest.skip(f"needs {relative} of the data beside the project", allow_module_level=True)
        return path


SHARED_DATA = _SharedData()
