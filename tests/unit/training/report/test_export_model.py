"""The folder that comes out: `tiepoint.load` and Hugging Face's names take it, and its features are known again."""

import json
from pathlib import Path

import pytest
import torch

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.presets import MODEL, TRAINING, find_preset
from tiepoint.training.initialization import Published, random_network
from tiepoint.training.report.export_model import detector_config, save_model, save_record

KIND = "aliked-t16@0123"


@pytest.fixture(scope="module")
def network() -> LightGlue:
    """Of another width than its descriptors, and an odd number of layers."""
    return random_network(LightGlueShape(input_dim=64, dim=24, layers=3, heads=3), seed=2)


@pytest.fixture(scope="module")
def published() -> Published:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        detector = ALIKED(ALIKED_VARIANTS["t16"])
    return Published("aliked-t16", NeuralExtractor(detector, ExtractionSettings(kind=KIND)), None)


@pytest.fixture
def folder(tmp_path: Path, network: LightGlue, published: Published) -> Path:
    save_model(tmp_path, network, published)
    save_record(tmp_path, {"extractor": "aliked-t16", "kind": KIND})
    return tmp_path


def test_load_takes_it(folder: Path, network: LightGlue, published: Published) -> None:
    matcher = tiepoint.load(folder, device="cpu")
    for ours, saved in (
        (matcher.matcher.network, network),  # type: ignore[attr-defined]
        (matcher.extractor.network, published.extractor.network),
    ):
        assert all(
            torch.equal(tensor, saved.state_dict()[name]) for name, tensor in ours.state_dict().items()
        )
    assert matcher.matcher.network.shape == network.shape  # type: ignore[attr-defined]


def test_the_features_are_those_of_the_extractor_that_it_was_trained_with(folder: Path) -> None:
    matcher = tiepoint.load(str(folder), device="cpu")
    assert matcher.extractor.settings.kind == matcher.matcher.settings.kind == KIND  # type: ignore[attr-defined]


def test_hugging_faces_names_take_it(folder: Path, network: LightGlue) -> None:
    model = tiepoint.LightGlueForKeypointMatching.from_pretrained(folder)
    assert all(torch.equal(t, network.state_dict()[name]) for name, t in model.matcher.state_dict().items())
    assert model.config.num_attention_heads == 3


def test_a_folder_of_save_pretrained_is_a_preset_too(folder: Path) -> None:
    (folder / TRAINING).unlink()
    kinds = {tiepoint.load(folder, device="cpu").extractor.settings.kind for _ in range(2)}
    assert len(kinds) == 1
    assert kinds.pop().startswith("aliked-t16@")


def test_torchs_own_generator_is_left_alone(tmp_path: Path, network: LightGlue, published: Published) -> None:
    before = torch.get_rng_state()
    save_model(tmp_path, network, published)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_rows_of_the_table_come_first() -> None:
    assert find_preset("aliked+lightglue").folder is None


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds no model\.safetensors"):
        tiepoint.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_configuration_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MODEL).write_bytes(b"")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"config\.json"):
        tiepoint.load(tmp_path)


def test_a_detector_that_nobody_knows_is_named(folder: Path) -> None:
    (folder / TRAINING).write_text(json.dumps({"extractor": "sift"}))
    with pytest.raises(InvalidInput, match=r"'sift'.*there are .*aliked-n16"):
        tiepoint.load(folder)


@pytest.mark.parametrize(
    ("name", "kind"), [("disk", "disk"), ("aliked-n32", "aliked"), ("superpoint-open", "superpoint")]
)
def test_every_family_has_its_configuration(name: str, kind: str) -> None:
    extractor = NeuralExtractor(DISK(DISKConfig()), ExtractionSettings(kind="x", detection_threshold=0.25))
    config = detector_config(Published(name, extractor, None))
    assert (config.model_type, config.keypoint_threshold) == (kind, 0.25)


def test_another_family_is_refused(published: Published) -> None:
    with pytest.raises(InvalidInput, match="but not sift"):
        detector_config(Published("sift", published.extractor, None))
