"""Checkpoints: exact round trip, atomic writing, and refusal of other settings."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.training.checkpoints import (
    CHECKPOINT,
    FORMAT,
    BestWeights,
    Checkpoint,
    check_checkpoint,
    load_checkpoint,
    remove_temporary_files,
    save_checkpoint,
)

SETTINGS = {"recipe": "homography", "seed": 0, "data": "abc", "teacher": None}


def checkpoint(step: int = 7) -> Checkpoint:
    weight = torch.linspace(0, 1, 5)
    return Checkpoint(
        settings=SETTINGS,
        step=step,
        pairs=8 * step,
        seconds=0.1 + step,
        network={"weight": weight},
        optimizer={
            "state": {0: {"exp_avg": weight / 3, "step": torch.tensor(7.0)}},
            "param_groups": [{"lr": 0.1}],
        },
    )


def test_round_trip_is_exact(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint())
    found = load_checkpoint(tmp_path, SETTINGS)
    assert found is not None
    assert (found.step, found.pairs, found.seconds) == (7, 56, 7.1)
    assert torch.equal(found.network["weight"], torch.linspace(0, 1, 5))
    assert torch.equal(found.optimizer["state"][0]["exp_avg"], torch.linspace(0, 1, 5) / 3)


def test_best_weights_are_kept(tmp_path: Path) -> None:
    best = BestWeights(step=3, pairs=24, f1=0.5, validation="a", network={"weight": torch.ones(2)})
    save_checkpoint(tmp_path, replace(checkpoint(), best=best))
    found = load_checkpoint(tmp_path, SETTINGS)
    assert found is not None
    assert found.best is not None
    assert (found.best.step, found.best.pairs, found.best.f1, found.best.validation) == (3, 24, 0.5, "a")
    assert torch.equal(found.best.network["weight"], torch.ones(2))


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, SETTINGS) is None


def test_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, checkpoint(step))
    found = load_checkpoint(tmp_path, SETTINGS)
    assert found is not None
    assert found.step == 2
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint())
    with pytest.raises(StoreError, match="recipe 'homography', not 'distill', data 'abc', not 'xyz'"):
        load_checkpoint(tmp_path, SETTINGS | {"recipe": "distill", "data": "xyz"})


def test_known_settings_are_checked_before_the_training(tmp_path: Path) -> None:
    check_checkpoint(tmp_path, {"recipe": "distill"})
    save_checkpoint(tmp_path, checkpoint())
    check_checkpoint(tmp_path, {name: SETTINGS[name] for name in ("recipe", "seed")})
    with pytest.raises(StoreError, match="recipe 'homography', not 'distill'"):
        check_checkpoint(tmp_path, {"recipe": "distill", "seed": 0})


@pytest.mark.parametrize("length", [0, 100, 1000])
def test_damaged_checkpoint_is_named(tmp_path: Path, length: int) -> None:
    path = save_checkpoint(tmp_path, checkpoint())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StoreError, match=r"checkpoint\.pt is damaged"):
        load_checkpoint(tmp_path, SETTINGS)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(1)}, tmp_path / CHECKPOINT)
    with pytest.raises(StoreError, match="not a checkpoint"):
        load_checkpoint(tmp_path, SETTINGS)


def test_older_format_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint())
    torch.save(torch.load(path, weights_only=True) | {"format": FORMAT - 1}, path)
    with pytest.raises(StoreError, match=f"format {FORMAT - 1}, expected {FORMAT}"):
        load_checkpoint(tmp_path, SETTINGS)


def test_new_checkpoint_is_synced_before_it_replaces_the_previous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    synced = []

    def sync(file: int) -> None:
        found = load_checkpoint(tmp_path, SETTINGS)
        assert found is not None
        synced.append(found.step)

    monkeypatch.setattr(os, "fsync", sync)
    save_checkpoint(tmp_path, checkpoint(2))
    assert synced == [1, 2]


def test_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, checkpoint(1))

    def full(path: Path, content: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        save_checkpoint(tmp_path, checkpoint(2))
    found = load_checkpoint(tmp_path, SETTINGS)
    assert found is not None
    assert found.step == 1


def test_temporary_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".tiepoint-0123.pt").write_bytes(b"half")
    (tmp_path / "steps.csv").write_text("step\n")
    remove_temporary_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["steps.csv"]
