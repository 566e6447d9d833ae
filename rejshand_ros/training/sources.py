"""The data that a run's configuration names, loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.hand_mesh import HandMesh
from rejshand_ros.hand.mano import load_mano
from rejshand_ros.hand.template import load_template
from rejshand_ros.training.batches import Source
from rejshand_ros.training.config import DataConfig
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.freihand import load_freihand
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.synthetic import load_synthetic


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from.

    Attributes:
        training: Sources to train on.
        held_out: Those for validation alone.
        mesh: The mesh that all vertices are those of.
    """

    training: list[Source]
    held_out: list[Source]
    mesh: HandMesh = field(default_factory=lambda: HandMesh.of_template(load_template()))


def load_sources(config: DataConfig) -> TrainingData:
    """Everything that a configuration names.

    With FreiHAND the network answers with MANO's mesh; of photographs and rendered hands, whose
    vertices are those of the project's own mesh, it then learns keypoints only.

    Raises:
        ConfigError: No source is named, or FreiHAND without MANO.
        ModelFileError: A source is missing or unreadable.
    """
    data = TrainingData([], [])
    if config.freihand:
        if not config.mano:
            raise ConfigError(
                "data.freihand without data.mano; FreiHAND's vertices are MANO's, so its joint"
                " matrix is needed: name your MANO_RIGHT.pkl"
            )
        data = replace(data, mesh=HandMesh.of_mano(load_mano(Path(config.mano))))
        store = load_freihand(Path(config.freihand), "training", Path(config.cache))
        data.training.append(Source("freihand", store, config.freihand_share))
    if config.photographs:
        ours, held_out = load_photographs(Path(config.photographs), Path(config.cache))
        training = Source("photographs", ours, config.photographs_share, config.empty)
        data.training.append(_fitting(training, data.mesh))
        data.held_out.append(_fitting(Source("photographs", held_out, 1.0), data.mesh))
    if config.synthetic:
        rendered = load_synthetic(Path(config.synthetic))
        source = Source("synthetic", rendered, config.synthetic_share, 0.05)
        data.training.append(_fitting(source, data.mesh))
    if not data.training:
        raise ConfigError(
            "no training data: name data.freihand, data.photographs or data.synthetic"
        )
    return data


def _fitting(source: Source, mesh: HandMesh) -> Source:
    """A source of the project's own mesh, its vertices unknown where the run's mesh is another."""
    if mesh.name == "rejshand":
        return source
    store: CropStore = source.store
    unknown = np.broadcast_to(np.float32(np.nan), store.vertices.shape)
    return replace(source, store=replace(store, vertices=unknown))
