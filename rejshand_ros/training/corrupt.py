"""Counts images that cannot be read while training goes on without them."""

from __future__ import annotations

from rejshand_ros.errors import CorruptImageError, ModelFileError


class CorruptImages:
    """Each unreadable image once; more than a hundredth of them is an error.

    Args:
        images: How many there are in all.
    """

    LIMIT = 0.01

    def __init__(self, images: int) -> None:
        self._images = images
        self._reasons: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many have been found."""
        return len(self._reasons)

    def add(self, error: CorruptImageError) -> None:
        """Take note of an image.

        Raises:
            ModelFileError: There are too many.
        """
        self._reasons.setdefault(error.file, str(error))
        if self.count > self.LIMIT * self._images:
            raise ModelFileError(f"{self}; more than {self.LIMIT:.0%} are too many")

    def __str__(self) -> str:
        first = next(iter(self._reasons.values()), "none")
        return f"{self.count} of {self._images} images cannot be read, the first: {first}"
