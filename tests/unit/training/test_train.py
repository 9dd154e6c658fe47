"""train(): invalid calls are refused before anything is read; real trainings are in tests/e2e/test_train.py."""

import sys
from pathlib import Path

import pytest

import tiepoint
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.presets import MODEL
from tiepoint.training.checkpoints import CHECKPOINT
from tiepoint.training.config import TrainConfig


def test_unknown_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="recipe 'homograph'"):
        tiepoint.train(tmp_path, tmp_path / "out", "homograph")
    assert not (tmp_path / "out").exists()


def test_existing_training_is_only_resumed_on_request(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).touch()
    with pytest.raises(InvalidInput, match="--resume"):
        tiepoint.train(tmp_path, tmp_path)


@pytest.mark.parametrize("resume", [False, True])
def test_model_without_a_checkpoint_is_not_overwritten(tmp_path: Path, resume: bool) -> None:
    (tmp_path / MODEL).touch()
    with pytest.raises(InvalidInput, match=CHECKPOINT):
        tiepoint.train(tmp_path, tmp_path, resume=resume)


def test_output_folder_must_be_creatable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot create the folder"):
        tiepoint.train(tmp_path, tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("library", "run"), [("matplotlib", {}), ("h5py", {}), ("tensorboard", {"tensorboard": True})]
)
def test_missing_libraries_are_reported_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, run: dict[str, bool]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependency, match=library):
        tiepoint.train(tmp_path, tmp_path / "out", TrainConfig().replace(run=run))
