"""Reading a YAML file that anybody may have written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from rejshand_ros.errors import ConfigError, reason_of

_LARGEST_BYTES = 1 << 20


def is_finite(value: Any) -> bool:
    """Whether a value from a YAML file is a number that a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def read_yaml(path: Path) -> Any:
    """Content of a YAML file: plain values, never objects that the file asks for.

    Raises:
        ConfigError: The file is missing, larger than a configuration can be, or is not YAML.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ConfigError(f"{path} is larger than {_LARGEST_BYTES >> 20} MiB; no configuration")
        # The loader written in Python: that of libyaml crashes on deep nesting.
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    # ValueError: a date of the 99th month, or bytes that are no UTF-8.
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {reason_of(error)}") from None
