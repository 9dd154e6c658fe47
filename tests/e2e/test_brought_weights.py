"""Presets whose weights cannot be fetched here run with files of the published names and shapes, with random numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.random_networks import draw_lightglue
from tests.helpers.tiny_detectors import noise
from typer.testing import CliRunner

import tiepoint
from tiepoint.cli import app
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.extraction import networks
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.dedode.checkpoint import LOMA, LOMA_B128
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.dedode.dinov2 import DINOv2Sizes
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.raco import RaCo, RaCoConfig

SMALL = (56, 56)
"""Size in px at which DeDoDe describes images here, instead of 784 x 784."""
IMAGE = noise(64, 72)[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    dad, dedode = DaD().state_dict(), DeDoDe(LOMA_B128).state_dict()
    matcher = LightGlue(LightGlueShape(128, 256, 9, 4, token_confidence=False))
    draw_lightglue(matcher, 48.0)
    loma = {f"_detector.{name}": tensor for name, tensor in dad.items()}
    loma |= {f"_descriptor.{name}": tensor for name, tensor in dedode.items()}
    torch.save(loma | matcher.state_dict(), folder / "loma_B128.pth")
    torch.save(matcher.state_dict(), folder / "matcher_only.pth")
    lightglue_plus = LightGlue(LightGlueShape(128, 256, 9, 4))
    draw_lightglue(lightglue_plus, 48.0)
    torch.save(lightglue_plus.state_dict(), folder / "raco_aliked_lightglue.pth")
    torch.save(RaCo(RaCoConfig()).state_dict(), folder / "raco.pth")
    torch.save(ALIKED(ALIKED_VARIANTS["n16"]).state_dict(), folder / "aliked-n16.pth")
    torch.save(dad, folder / "dad.pth")
    torch.save(DeDoDe(DeDoDeConfig()).state_dict(), folder / "dedode_descriptor_B.pth")
    return folder


@pytest.fixture(autouse=True)
def small_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "LOMA_B128", replace(LOMA_B128, image_size=SMALL))


def test_raco_with_aliked(files: Path):
    matcher = tiepoint.load(
        "raco-aliked+lightglue",
        extractor_weights=(files / "raco.pth", files / "aliked-n16.pth"),
        matcher_weights=files / "raco_aliked_lightglue.pth",
        resize=None,
        max_keypoints=60,
        views=None,
    )
    result = matcher.match(IMAGE, IMAGE)
    assert len(result.features0.keypoints) == 60
    assert result.features0.descriptors.shape == (60, 128)
    assert result.features0.kind.startswith("raco-aliked@")
    assert np.array_equal(result.points0, result.points1)  # random networks need not match anything
    described = matcher.describe(IMAGE, result.features0.keypoints)
    torch.testing.assert_close(described.descriptors, result.features0.descriptors, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["extractor_weights", "matcher_weights"])
def test_one_file_of_loma_is_enough(files: Path, role: str):
    file = files / "loma_B128.pth"
    options = {role: [file] if role == "extractor_weights" else file}  # commands pass a list
    matcher = tiepoint.load("loma-b128", resize=None, max_keypoints=60, views=None, **options)  # type: ignore[arg-type]
    result = matcher.match(IMAGE, IMAGE)
    assert result.features0.descriptors.shape == (60, 128)
    assert np.array_equal(result.points0, result.points1)
    assert result.layers_run == 9
    assert not bool(torch.isclose(result.features0.descriptors.norm(dim=1), torch.ones(60)).any())


def test_dad_with_dedode(files: Path, monkeypatch: pytest.MonkeyPatch):
    config = DeDoDeConfig(image_size=SMALL)
    monkeypatch.setitem(
        networks.NETWORKS,
        "dad-dedode-b",
        lambda dad, dedode: networks.DescribedDetector(
            networks.build_dad(dad), networks.build_dedode(dedode, config)
        ),
    )
    weights = (files / "dad.pth", files / "dedode_descriptor_B.pth")
    matcher = tiepoint.load("dad-dedode-b+nearest", extractor_weights=weights, resize=None, views=None)
    result = matcher.match(IMAGE, IMAGE)
    assert len(result.points0) > 30
    assert np.array_equal(result.points0, result.points1)


def test_loma_b_is_built_from_the_tensors_of_its_file():
    """The published sizes hold 0.3 billion numbers of DINOv2; here it has one layer."""
    config = replace(LOMA, dinov2=DINOv2Sizes(layers=1), image_size=SMALL)
    torch.manual_seed(0)
    parts = {"_detector.": DaD(), "_descriptor.": DeDoDe(config)}
    file = {prefix + name: t for prefix, part in parts.items() for name, t in part.state_dict().items()}
    network = networks.build_loma(file, config)
    with torch.inference_mode():
        (found,) = network(IMAGE[None], max_keypoints=20)
    assert found.descriptors.shape == (20, 256)


class TestErrors:
    def test_files_in_the_wrong_order(self, files: Path):
        with pytest.raises(WeightsError, match=r"cannot load RaCo weights.*these are weights of ALIKED"):
            tiepoint.load(
                "raco-aliked+lightglue", extractor_weights=(files / "aliked-n16.pth", files / "raco.pth")
            )

    def test_one_file_for_two_networks(self, files: Path):
        with pytest.raises(
            InvalidInput, match=r"raco-aliked has 2 weights files \(raco, aliked-n16\), got 1"
        ):
            tiepoint.load("raco-aliked+lightglue", extractor_weights=files / "raco.pth")

    def test_two_files_for_one_network(self, files: Path):
        with pytest.raises(InvalidInput, match=r"aliked-n16 has 1 weights files.*got 2"):
            tiepoint.load("aliked+nearest", extractor_weights=[files / "aliked-n16.pth"] * 2)

    def test_dedode_given_to_dad(self, files: Path):
        weights = (files / "dedode_descriptor_B.pth", files / "dad.pth")
        with pytest.raises(WeightsError, match=r"cannot load DaD weights.*these are weights of DeDoDe-B"):
            tiepoint.load("dad-dedode-b+nearest", extractor_weights=weights)

    def test_a_file_of_loma_without_its_features(self, files: Path):
        with pytest.raises(WeightsError, match=r"expected LoMa's file, with tensors _detector\.\*"):
            tiepoint.load("loma-b128", matcher_weights=files / "matcher_only.pth")

    def test_loma_b128_given_to_loma_b(self, files: Path):
        with pytest.raises(
            WeightsError, match=r"cannot load DeDoDe-G weights.*these are weights of DeDoDe-B"
        ):
            tiepoint.load("loma-b", matcher_weights=files / "loma_B128.pth")

    def test_the_matcher_of_features_of_another_dimension(self, files: Path, tmp_path: Path):
        torch.save(LightGlue(LightGlueShape(256, 256, 9, 4)).state_dict(), tmp_path / "dedodeb_lightglue.pth")
        with pytest.raises(InvalidInput, match=r"expect descriptors of dimension 256.*outputs dimension 128"):
            tiepoint.load(
                "loma-b128",
                extractor_weights=files / "loma_B128.pth",
                matcher_weights=tmp_path / "dedodeb_lightglue.pth",
            )

    def test_weights_that_are_not_here(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
        for preset, name, file in (
            ("raco-aliked+lightglue", "raco", "raco"),
            ("loma-b128", "loma_b128", "loma_B128"),
        ):
            with pytest.raises(WeightsError, match=rf"weights '{name}'.*put the file at .*{file}\.pth"):
                tiepoint.load(preset)

    def test_hugging_faces_names_have_no_such_model(self):
        with pytest.raises(InvalidInput, match=r"no LightGlue model \(extractor 'loma-b128'"):
            tiepoint.pipeline("keypoint-matching", model="loma-b128")


@pytest.mark.parametrize("name", ["raco.pth", "dad.pth", "dedode_descriptor_B.pth", "aliked-n16.pth"])
def test_inspect(files: Path, name: str):
    done = CliRunner().invoke(app, ["weights", "inspect", str(files / name)])
    assert done.exit_code == 0, done.output
    network = {"dedode_descriptor_B.pth": "dedode-b"}.get(name, name.removesuffix(".pth"))
    assert f"network: {network}\n" in done.output


def test_inspect_loma(files: Path):
    done = CliRunner().invoke(app, ["weights", "inspect", str(files / "loma_B128.pth")])
    assert "family: loma\n" in done.output
    assert "_detector. (" in done.output
    assert "_descriptor. (" in done.output
