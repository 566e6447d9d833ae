"""What the operator is answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """Answer to a request of the operator.

    Attributes:
        accepted: Whether the request was carried out.
        message: What happened, or why not.
    """

    accepted: bool
    message: str
