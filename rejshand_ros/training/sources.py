"""The data that a run's configuration names, loaded."""

from __future__ import annotations

from pathlib import Path

from rejshand_ros.errors import ConfigError
from rejshand_ros.training.batches import Source
from rejshand_ros.training.config import DataConfig
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.synthetic import load_synthetic


def load_sources(config: DataConfig) -> tuple[list[Source], list[Source]]:
    """Sources to train on, and those held out for validation.

    Raises:
        ConfigError: No source is named.
        ModelFileError: A source is missing or unreadable.
    """
    training: list[Source] = []
    validation: list[Source] = []
    if config.photographs:
        ours, held_out = load_photographs(Path(config.photographs), Path(config.cache))
        training.append(Source("photographs", ours, config.photographs_share, config.empty))
        validation.append(Source("photographs", held_out, 1.0))
    if config.synthetic:
        store = load_synthetic(Path(config.synthetic))
        training.append(Source("synthetic", store, config.synthetic_share, 0.05))
    if not training:
        raise ConfigError("no training data: name data.photographs or data.synthetic")
    return training, validation
