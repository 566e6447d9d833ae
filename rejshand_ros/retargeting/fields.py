"""Reading a YAML mapping field by field, so that nothing unknown or mistyped slips through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.geometry import Array
from rejshand_ros.yaml_file import is_finite

_REQUIRED: Any = object()


class Fields:
    """A mapping whose keys are taken one by one; what is left over is an error.

    Use as a context manager: leaving it checks that every key was taken.
    """

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, Mapping):
            raise ConfigError(f"{where} is {values!r}; a mapping is needed")
        self._values = dict(values)
        self._where = where
        self._taken: set[str] = set()

    def __enter__(self) -> Fields:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.check_all_taken()

    def check_all_taken(self) -> None:
        """Refuse keys that nobody asked for.

        Raises:
            ConfigError: There are some.
        """
        for key in self._values:
            if key not in self._taken:
                raise unknown_choice(f"key of {self._where}", key, sorted(self._taken))

    def raw(self, key: str, default: Any = _REQUIRED) -> Any:
        """The value as YAML gave it."""
        self._taken.add(key)
        if key in self._values:
            return self._values[key]
        if default is _REQUIRED:
            raise ConfigError(f"{self._where} lacks {key}")
        return default

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """A text that is not empty."""
        value = self.raw(key, default)
        if value is default:
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"{self._where}.{key} is {value!r}; a text is needed")
        return value

    def number(
        self,
        key: str,
        default: Any = _REQUIRED,
        *,
        least: float = -np.inf,
        above: float = -np.inf,
        most: float = np.inf,
    ) -> float:
        """A finite number within bounds."""
        value = self.raw(key, default)
        if not is_finite(value):
            raise ConfigError(f"{self._where}.{key} is {value!r}; a finite number is needed")
        if not (least <= value <= most and value > above):
            low = f"above {above:g}" if above > -np.inf else f"from {least:g}"
            raise ConfigError(f"{self._where}.{key} is {value!r}; valid: {low}, up to {most:g}")
        return float(value)

    def vector(self, key: str, default: Any = _REQUIRED, size: int = 3) -> Array:
        """Finite numbers (size,)."""
        value = self.raw(key, default)
        try:
            array = np.array(value, float)
        except (TypeError, ValueError, OverflowError):
            array = np.zeros(0)
        if array.shape != (size,) or not np.isfinite(array).all():
            raise ConfigError(f"{self._where}.{key} is {value!r}; {size} finite numbers are needed")
        return array

    def section(self, key: str, default: Any = _REQUIRED) -> Fields:
        """A mapping below this one."""
        return Fields(self.raw(key, default), f"{self._where}.{key}")

    def sections(self, key: str, default: Any = _REQUIRED) -> list[Fields]:
        """A list of mappings below this one."""
        value = self.raw(key, default)
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{self._where}.{key} is {value!r}; a list is needed")
        return [Fields(item, f"{self._where}.{key}[{i}]") for i, item in enumerate(value)]

    def names(self) -> list[str]:
        """Every key, for mappings whose keys are names."""
        self._taken.update(self._values)
        return [str(key) for key in self._values]

    def fail(self, message: str) -> ConfigError:
        """An error that says where."""
        return ConfigError(f"{self._where}: {message}")
