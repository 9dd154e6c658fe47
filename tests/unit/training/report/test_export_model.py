"""The exported folder: `tiepoint.load` and Hugging Face read it, with the same kind of features."""

import json
from pathlib import Path

import pytest
import torch
from tests.helpers.published_xfeat import random_xfeat

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.xfeat import build as build_xfeat
from tiepoint.presets import MODEL, TRAINING, find_preset
from tiepoint.training.initialization import Pretrained, random_network
from tiepoint.training.report.export_model import detector_config, save_model, save_record

KIND = "aliked-t16@0123"


@pytest.fixture(scope="module")
def network() -> LightGlue:
    """A network with another width than its descriptors, and an odd number of layers."""
    return random_network(LightGlueShape(input_dim=64, dim=24, layers=3, heads=3), seed=2)


@pytest.fixture(scope="module")
def pretrained() -> Pretrained:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        detector = ALIKED(ALIKED_VARIANTS["t16"])
    return Pretrained("aliked-t16", NeuralExtractor(detector, ExtractionSettings(kind=KIND)), None)


@pytest.fixture
def folder(tmp_path: Path, network: LightGlue, pretrained: Pretrained) -> Path:
    save_model(tmp_path, network, pretrained)
    save_record(tmp_path, {"extractor": "aliked-t16", "kind": KIND})
    return tmp_path


@pytest.mark.slow
def test_load_reads_the_folder(folder: Path, network: LightGlue, pretrained: Pretrained) -> None:
    matcher = tiepoint.load(folder, device="cpu")
    for ours, saved in (
        (matcher.matcher.network, network),  # type: ignore[attr-defined]
        (matcher.extractor.network, pretrained.extractor.network),
    ):
        assert all(
            torch.equal(tensor, saved.state_dict()[name]) for name, tensor in ours.state_dict().items()
        )
    assert matcher.matcher.network.shape == network.shape  # type: ignore[attr-defined]


@pytest.mark.slow
def test_features_have_the_kind_of_the_training(folder: Path) -> None:
    matcher = tiepoint.load(str(folder), device="cpu")
    assert matcher.extractor.settings.kind == matcher.matcher.settings.kind == KIND  # type: ignore[attr-defined]


@pytest.mark.slow
def test_from_pretrained_reads_the_folder(folder: Path, network: LightGlue) -> None:
    model = tiepoint.LightGlueForKeypointMatching.from_pretrained(folder)
    assert all(torch.equal(t, network.state_dict()[name]) for name, t in model.matcher.state_dict().items())
    assert model.config.num_attention_heads == 3


@pytest.mark.slow
def test_folder_without_a_record_is_a_preset_too(folder: Path) -> None:
    (folder / TRAINING).unlink()
    kinds = {tiepoint.load(folder, device="cpu").extractor.settings.kind for _ in range(2)}
    assert len(kinds) == 1
    assert kinds.pop().startswith("aliked-t16@")


def test_global_random_state_is_unchanged(tmp_path: Path, network: LightGlue, pretrained: Pretrained) -> None:
    before = torch.get_rng_state()
    save_model(tmp_path, network, pretrained)
    assert torch.equal(torch.get_rng_state(), before)


def test_preset_names_take_precedence_over_folders() -> None:
    assert find_preset("aliked+lightglue").folder is None


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"model\.safetensors"):
        tiepoint.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_configuration_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MODEL).write_bytes(b"")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"config\.json"):
        tiepoint.load(tmp_path)


def test_unknown_detector_is_named(folder: Path) -> None:
    (folder / TRAINING).write_text(json.dumps({"extractor": "surf"}))
    with pytest.raises(InvalidInput, match=r"'surf'.*aliked-n16"):
        tiepoint.load(folder)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("disk", "disk"), ("aliked-n32", "aliked"), ("superpoint-open", "superpoint"), ("xfeat", "xfeat")],
)
def test_every_family_has_a_configuration(name: str, kind: str) -> None:
    extractor = NeuralExtractor(DISK(DISKConfig()), ExtractionSettings(kind="x", detection_threshold=0.25))
    config = detector_config(Pretrained(name, extractor, None))
    assert (config.model_type, config.keypoint_threshold) == (kind, 0.25)


@pytest.mark.slow
def test_confidences_and_upscaling_are_those_of_the_extractor(tmp_path: Path) -> None:
    xfeat = NeuralExtractor(build_xfeat(random_xfeat().state_dict()), ExtractionSettings(kind="xfeat@0123"))
    lighterglue = random_network(LightGlueShape(input_dim=64, dim=24, layers=2, heads=1), seed=3)
    save_model(tmp_path, lighterglue, Pretrained("xfeat", xfeat, None))
    preset, published = find_preset(tmp_path), find_preset("xfeat+lighterglue")
    for name in ("extractor", "depth_confidence", "width_confidence", "upscale"):
        assert getattr(preset, name) == getattr(published, name), name
    loaded = tiepoint.load(tmp_path, device="cpu", max_keypoints=20)
    image = torch.rand(3, 64, 96)
    expected = xfeat.network(image[None], max_keypoints=20)[0]
    torch.testing.assert_close(loaded.extract(image).keypoints, expected.keypoints)


def test_other_families_are_refused(pretrained: Pretrained) -> None:
    with pytest.raises(InvalidInput, match="sift"):
        detector_config(Pretrained("sift", pretrained.extractor, None))
