"""train(): invalid calls are refused before anything is read; trainings for given features; others in tests/e2e."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.given_features import DIM, KIND, TINY, brightest_points, write_npz_features
from tests.helpers.noise_images import write_images

import tiepoint
from tiepoint.errors import InvalidInput, MissingDependency, StoreError
from tiepoint.image import read_image
from tiepoint.matching.adapters import ADAPTER
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.presets import MODEL
from tiepoint.training.checkpoints import CHECKPOINT
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.homographic_warps import WarpConfig
from tiepoint.training.data.warp_files import write_warps
from tiepoint.training.loop import StepReport
from tiepoint.types import Features


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


def no_features(image: object) -> Features:
    raise AssertionError


@pytest.mark.parametrize(
    ("features", "config", "message"),
    [
        (no_features, {"data": {"features": "f.h5"}}, "function and as files"),
        (no_features, {"model": {"extractor": "disk"}}, "'disk'"),
        ("f.h5", {"model": {"extractor": "disk"}}, "'disk'"),
        ("f.h5", {"data": {"stretch": "auto"}}, "stretch"),
        ("f.h5", {}, "tiepoint warps"),
        (None, {"model": {"extractor": "given"}}, "requires features"),
        (None, {"data": {"kind": "mine"}}, "--features"),
        (no_features, {"data": {"kind": "mine"}}, "Features.kind"),
    ],
)
def test_impossible_features_are_refused(
    tmp_path: Path, features: Any, config: dict[str, Any], message: str
) -> None:
    def run() -> None:
        tiepoint.train(tmp_path, tmp_path / "out", TrainConfig().replace(**config), features=features)

    with pytest.raises(InvalidInput, match=message):
        run()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_images(folder, 10, (96, 96))
    return folder


def interrupt_at_half(report: StepReport) -> None:
    if report.fraction_done >= 0.5:
        raise KeyboardInterrupt


@pytest.mark.slow
class TestGivenFeatures:
    """Real, tiny trainings for features of a function, and of a file."""

    def test_function_and_exact_resume(self, photos: Path, tmp_path: Path) -> None:
        """A stopped and resumed run ends with the same weights; the trained matcher has the kind of the features."""
        cache = {"data": {"cache": tmp_path / "cache"}}
        config = TINY.replace(**cache)
        whole = tiepoint.train(photos, tmp_path / "whole", config, features=brightest_points, device="cpu")
        with pytest.raises(KeyboardInterrupt):
            tiepoint.train(
                photos,
                tmp_path / "part",
                config.replace(run={"checkpoint_seconds": 0.0}),
                features=brightest_points,
                device="cpu",
                on_step=interrupt_at_half,
            )
        tiepoint.train(
            photos, tmp_path / "part", config, features=brightest_points, resume=True, device="cpu"
        )
        states = [
            torch.load(tmp_path / name / CHECKPOINT, weights_only=True)["network"]
            for name in ("whole", "part")
        ]
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
        assert (whole.kind, whole.extractor, whole.shape.input_dim) == (KIND, "given", DIM)

        matcher = tiepoint.load_matcher(tmp_path / "whole", device="cpu")
        features = brightest_points(read_image(photos / "0.png"))
        (result,) = matcher.match_features([(features, features)])
        assert result.features0.kind == KIND
        with pytest.raises(InvalidInput, match=KIND):
            matcher.match_features([(replace(features, kind="other"), replace(features, kind="other"))])
        with pytest.raises(InvalidInput, match="load_matcher"):
            tiepoint.load(tmp_path / "whole")

        other = lambda image: replace(brightest_points(image), kind="other")  # noqa: E731
        with pytest.raises(StoreError, match=r"mine@1.*other|other.*mine@1"):
            tiepoint.train(photos, tmp_path / "part", config, features=other, resume=True, device="cpu")

    def test_files(self, photos: Path, tmp_path: Path) -> None:
        write_warps(photos, tmp_path / "warps", WarpConfig(per_image=2, resize=96))
        features = write_npz_features(tmp_path / "warps", tmp_path / "npz")
        config = TINY.replace(data={"kind": "mine"})
        report = tiepoint.train(tmp_path / "warps", tmp_path / "out", config, features=features, device="cpu")
        assert (report.kind, report.protocol.name, report.problems) == ("mine", "given-warps", ())
        assert tiepoint.load_matcher(tmp_path / "out").matcher.settings.kind == "mine"

    def test_lora(self, photos: Path, tmp_path: Path) -> None:
        """Low-rank updates of a trained matcher; the small file is the trained matcher, together with its base."""
        base = tiepoint.train(photos, tmp_path / "base", TINY, features=brightest_points, device="cpu").folder
        config = TINY.replace(model={"init": base, "lora": 2, "layers": None, "width": None, "heads": None})
        report = tiepoint.train(photos, tmp_path / "out", config, features=brightest_points, device="cpu")
        tensors = [
            open_lightglue(file).weights.tensors
            for file in (report.folder / MODEL, report.folder / ADAPTER, base / MODEL)
        ]
        assert all(torch.equal(tensor, tensors[1][name]) for name, tensor in tensors[0].items())
        assert any(not torch.equal(tensor, tensors[2][name]) for name, tensor in tensors[0].items())
        saved = torch.load(report.folder / CHECKPOINT, weights_only=True)["network"]
        frozen = "transformers.0.self_attn.Wqkv.parametrizations.weight.original"
        assert torch.equal(saved[frozen], tensors[2]["transformers.0.self_attn.Wqkv.weight"])
        other = config.replace(model={"lora": 3})
        with pytest.raises(StoreError, match=r"model\.lora"):
            tiepoint.train(
                photos, tmp_path / "out", other, features=brightest_points, resume=True, device="cpu"
            )
