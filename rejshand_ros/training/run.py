"""`rejshand train`: a run from the command line, alone or in several processes of torchrun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rejshand_ros.network.checkpoint import save_network
from rejshand_ros.training.config import TrainConfig, load_train_config
from rejshand_ros.training.loop import train
from rejshand_ros.training.processes import Processes, joined_processes
from rejshand_ros.training.sources import load_sources
from rejshand_ros.training.state import TrainState
from rejshand_ros.training.watch import Watch


def run_training(path: Path | None, overrides: Sequence[str] = ()) -> TrainState:
    """Train as a configuration says, or go on with the run in its folder.

    Args:
        path: YAML file, or None for the defaults.
        overrides: Such as ``"schedule.rate=5e-4"``.
    """
    config = load_train_config(path, overrides)
    with joined_processes(config.device) as processes:
        return _run(config, processes)


def _run(config: TrainConfig, processes: Processes) -> TrainState:
    if not processes.first:
        # The first prepares what is kept in the cache; the others find it there.
        processes.wait()
    data = load_sources(config.data)
    if processes.first:
        processes.wait()
        for source in data.training:
            hands = int(source.store.has_hand.sum())
            print(f"{source.name}: {hands} hands, {len(source.store) - hands} without", flush=True)
        with Watch(config, data) as watch:
            state = train(
                config, data.training, report=watch.report, processes=processes, mesh=data.mesh
            )
        facts = {"training": {"steps": state.step, "config": asdict(config)}}
        out = Path(config.out)
        save_network(state.average, out / "average.safetensors", facts)
        print(f"{state.step} steps; weights in {out / 'average.safetensors'}", flush=True)
        return state
    return train(config, data.training, processes=processes, mesh=data.mesh)
