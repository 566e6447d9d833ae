"""Compiled models that are kept between starts: each file's own, and within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rejshand_ros.inference.model_cache import cache_folder, folder_for, keep_within


def fill(folder: Path | None, size: int, last_use_s: float) -> Path:
    assert folder is not None
    (folder / "1.blob").write_bytes(bytes(size))
    os.utime(folder, (last_use_s, last_use_s))
    return folder


def test_a_file_has_a_folder_of_its_own_until_it_changes(tmp_path: Path) -> None:
    model, other, cache = tmp_path / "a.xml", tmp_path / "b.xml", tmp_path / "cache"
    for file in (model, model.with_suffix(".bin"), other):
        file.write_text("one")
    first = folder_for(model, cache)
    assert first == folder_for(model, cache)
    assert first != folder_for(other, cache)
    model.with_suffix(".bin").write_text("others")
    assert folder_for(model, cache) != first


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folders = []
    for number in range(4):
        model = tmp_path / f"{number}.xml"
        model.write_text("model")
        folders.append(fill(folder_for(model, cache), 100, 1000.0 + number))
    (cache / "someone's.txt").write_bytes(bytes(1000))
    (cache / "7.blob").write_bytes(bytes(100))
    os.utime(cache / "7.blob", (999.0, 999.0))
    assert folder_for(tmp_path / "0.xml", cache) == folders[0]
    keep_within(cache, 250)
    assert [folder.exists() for folder in folders] == [True, False, False, True]
    assert not (cache / "7.blob").exists()
    assert (cache / "someone's.txt").exists()


def test_the_model_in_use_stays_however_large(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("model")
    folder = fill(folder_for(tmp_path / "a.xml", tmp_path), 100, 1000.0)
    keep_within(tmp_path, 10)
    assert folder.exists()


def test_without_a_folder_to_write_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("model")
    assert folder_for(tmp_path / "a.xml", tmp_path / "a.xml") is None


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rejshand_ros/openvino"
