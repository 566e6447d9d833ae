"""A local Ray makes the same data set as this process alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from episodes import write_episode

from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.recording.dataset.export import ExportConfig, export_dataset


def test_without_ray_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_episode(tmp_path / "in" / "a", 4)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match="pip install 'ray"):
        export_dataset([tmp_path / "in"], tmp_path / "out", ExportConfig(backend="ray"))


@pytest.mark.slow
@pytest.mark.timeout(300)
# Ray's own: sockets and processes that it leaves to the interpreter's end.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("where", ["here", "on a cluster"])
def test_ray_gives_the_same_data_set(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if where == "here":
        compare_with_this_process(tmp_path)
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        compare_with_this_process(tmp_path)
    finally:
        cluster.shutdown()


def compare_with_this_process(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_episode(tmp_path / "in" / name, 6)
    alone = export_dataset([tmp_path / "in"], tmp_path / "alone")
    config = ExportConfig(workers=2, backend="ray")
    together = export_dataset([tmp_path / "in"], tmp_path / "together", config)
    assert together.episodes == alone.episodes == ("a", "b")
    files = [
        path.relative_to(tmp_path / "alone")
        for path in (tmp_path / "alone").rglob("*")
        if path.is_file() and ".staging" not in path.parts
    ]
    assert len(files) > 5
    for path in files:
        assert (tmp_path / "together" / path).read_bytes() == (
            tmp_path / "alone" / path
        ).read_bytes(), path
    # Everything is staged: the second call has nothing left to do.
    assert export_dataset([tmp_path / "in"], tmp_path / "together", config).reused == 2
