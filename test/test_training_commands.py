"""The verbs train, evaluate and export-model refuse what they cannot do."""

from pathlib import Path

import pytest

from rejshand_ros.errors import ConfigError, MissingDependencyError, ModelFileError
from rejshand_ros.training import commands


def test_train_names_a_missing_configuration(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        commands.train_main([str(tmp_path / "none.yaml")])


def test_train_needs_data() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match="no training data"):
        commands.train_main([])


def test_evaluate_needs_one_source() -> None:
    with pytest.raises(ConfigError, match="--freihand, --photographs, --synthetic"):
        commands.evaluate_main([])
    with pytest.raises(ConfigError, match="it needs --freihand"):
        commands.evaluate_main(["--synthetic", "x", "--pred", "y.json"])


@pytest.mark.parametrize("name", ["run.pt", "net.safetensors", "net.onnx"])
def test_export_names_a_bad_source(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ModelFileError, match=name.split(".")[0]):
        commands.export_main([str(tmp_path / name), "--out", str(tmp_path / "x")])


def test_missing_torch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="training extra"):
        commands.train_main([])
