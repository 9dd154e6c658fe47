"""from_pretrained and save_pretrained: tensors and settings, dtypes, presets, and invalid files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.helpers.random_networks import noise_pair, random_model, tiny_config
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import (
    ALIKEDDetectorConfig,
    AutoModelForKeypointMatching,
    DISKDetectorConfig,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    XFeatDetectorConfig,
)
from tiepoint.models.lightglue.recognition import OWN_FAMILY
from tiepoint.presets import PRESETS

transformers = pytest.importorskip("transformers")

State = dict[str, Tensor]
SELF, CROSS = "transformer_layers.1.self_attention.", "transformer_layers.1.cross_attention."


@pytest.fixture(scope="module")
def model() -> LightGlueForKeypointMatching:
    return random_model(tiny_config(max_keypoints=100, depth_confidence=-1))


@pytest.fixture
def folder(model: LightGlueForKeypointMatching, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def load(folder: Path, **options) -> LightGlueForKeypointMatching:
    return AutoModelForKeypointMatching.from_pretrained(folder, **options)


def assert_same_tensors(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(tensor, other[name]), name


def changed(folder: Path, change: Callable[[State], object]) -> Path:
    """Apply `change` to the tensors of the folder's file; return the folder."""
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def set_config(folder: Path, **values) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
    return folder


# --- Round trips ---


@pytest.mark.slow
def test_saved_folder_has_two_files_and_loads(model, folder):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    loaded = load(folder)
    assert_same_tensors(loaded.state_dict(), model.state_dict())
    assert loaded.config == model.config
    assert not loaded.training
    images = noise_pair()[None]
    with torch.inference_mode():
        assert torch.equal(loaded(images).matches, model(images).matches)


@pytest.mark.slow
def test_transformers_loads_our_checkpoint(folder):
    theirs, info = transformers.LightGlueForKeypointMatching.from_pretrained(folder, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_same_tensors(theirs.state_dict(), load_file(folder / "model.safetensors"))
    assert theirs.config.num_hidden_layers == 3


@pytest.mark.slow
def test_checkpoint_of_transformers_loads(folder, model, tmp_path):
    theirs = transformers.LightGlueForKeypointMatching.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "theirs")
    loaded = load(tmp_path / "theirs")
    assert_same_tensors(loaded.state_dict(), model.state_dict())
    assert_same_tensors(
        load_file(tmp_path / "theirs" / "model.safetensors"), load_file(folder / "model.safetensors")
    )


@pytest.mark.slow
def test_unknown_keys_of_the_configuration_are_kept(folder, tmp_path):
    loaded = load(set_config(folder, unknown_key=[1, 2]))
    loaded.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["unknown_key"] == [1, 2]


def test_folder_that_cannot_be_created(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot create folder"):
        model.save_pretrained(tmp_path / "file" / "below")


# --- Dtypes, devices, settings ---


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", torch.bfloat16, "torch.float16"])
def test_dtypes_by_name(folder, dtype):
    expected = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype.removeprefix("torch."))
    assert load(folder, dtype=dtype).dtype == expected
    assert load(folder, torch_dtype=dtype).dtype == expected


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [None, "auto"])
def test_stored_dtype_is_kept(folder, model, dtype):
    assert load(folder, dtype=dtype).dtype == torch.float32
    half = load(folder, dtype="float16")
    half.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    again = load(folder, dtype=dtype)
    assert again.dtype == torch.float16
    assert_same_tensors(again.state_dict(), half.state_dict())


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_auto_follows_the_configuration(folder, key):
    values = {"dtype": None} | {key: "bfloat16"}
    assert load(set_config(folder, **values), dtype="auto").dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["int8", "half precision", "nn"])
def test_invalid_dtypes_are_rejected(folder, dtype):
    with pytest.raises(InvalidInput, match="dtype must be 'auto', 'float16'"):
        load(folder, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("device_map", ["cpu", "auto", {"": "cpu"}, torch.device("cpu")])
def test_devices(folder, device_map, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert load(folder, device_map=device_map).device == torch.device("cpu")


def test_model_cannot_be_split_over_devices(folder):
    with pytest.raises(InvalidInput, match='device_map must be "auto", a device'):
        load(folder, device_map={"matcher": "cpu"})


def test_settings_override_the_stored_ones(folder):
    loaded = load(folder, filter_threshold=0.3, width_confidence=-1)
    assert (loaded.config.filter_threshold, loaded.config.width_confidence) == (0.3, -1.0)


@pytest.mark.slow
def test_configuration_replaces_the_stored_one(folder):
    loaded = load(folder, config=tiny_config(filter_threshold=0.4))
    assert loaded.config.filter_threshold == 0.4
    with pytest.raises(WeightsError):
        load(folder, config=tiny_config(num_hidden_layers=2))


# --- Presets ---


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(
    ("preset", "detector", "dim"),
    [
        ("aliked+lightglue", ALIKEDDetectorConfig, 128),
        ("aliked+lightglue-small", ALIKEDDetectorConfig, 128),
        ("disk+lightglue", DISKDetectorConfig, 128),
        ("xfeat+lighterglue", XFeatDetectorConfig, 64),
        ("fast", XFeatDetectorConfig, 64),
    ],
)
def test_presets_need_no_hub(preset, detector, dim, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    model = load(preset, depth_confidence=-1)
    assert isinstance(model.config.keypoint_detector_config, detector)
    assert model.config.keypoint_detector_config.descriptor_decoder_dim == dim
    assert model.config.depth_confidence == -1
    model.save_pretrained(tmp_path)
    assert_same_tensors(load(tmp_path).state_dict(), model.state_dict())


@pytest.mark.weights
def test_lighterglue_has_its_own_shape_and_confidences():
    config = LightGlueConfig.from_pretrained("fast")
    assert (config.descriptor_dim, config.num_attention_heads, config.num_hidden_layers) == (96, 1, 6)
    assert (config.depth_confidence, config.width_confidence) == (0.95, 0.95)
    assert config.keypoint_detector_config == XFeatDetectorConfig()
    again = LightGlueConfig.from_dict(config.to_dict())
    assert isinstance(again.keypoint_detector_config, XFeatDetectorConfig)
    assert again == config


@pytest.mark.parametrize("preset", ["aliked+nearest", "aliked-t16+nearest", "xfeat+nearest"])
def test_presets_without_lightglue_are_rejected(preset):
    with pytest.raises(InvalidInput, match=r"nearest.*available: aliked\+lightglue"):
        load(preset)


@pytest.mark.parametrize("preset", ["sift+lightglue", "raco-aliked+lightglue", "loma-b", "loma-b128"])
def test_presets_with_other_detectors_are_rejected_by_name(preset):
    extractor = PRESETS[preset].extractor
    with pytest.raises(InvalidInput, match=rf"{extractor}.*available: aliked\+lightglue"):
        load(preset)


# --- Invalid files ---


@pytest.mark.parametrize(
    "name",
    [
        "transformer_layers.1.self_mlp.fc1.weight",
        "keypoint_detector.encoder.conv_blocks.0.conv_a.bias",
        CROSS + "k_proj.weight",
    ],
)
def test_missing_tensor_is_named(folder, name):
    with pytest.raises(WeightsError) as caught:
        load(changed(folder, lambda state: state.pop(name)))
    assert name.removeprefix("keypoint_detector.") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["transformer_layers.1.extra.weight", "keypoint_detector.extra.weight"])
def test_unexpected_tensor_is_named(folder, name):
    with pytest.raises(WeightsError, match=r"extra\.weight"):
        load(changed(folder, lambda state: state.update({name: torch.zeros(1)})))


def test_tensor_of_wrong_shape_is_named(folder):
    name = "match_assignment_layers.0.matchability.weight"
    with pytest.raises(WeightsError, match=r"log_assignment\.0\.matchability\.weight"):
        load(changed(folder, lambda state: state.update({name: torch.zeros(1, 65)})))


@pytest.mark.parametrize("parameter", ["weight", "bias"])
def test_separate_projections_of_cross_attention_load(folder, parameter, tmp_path):
    changed(folder, lambda state: state[f"{CROSS}k_proj.{parameter}"].add_(1))
    model = load(folder)
    assert not model.matcher.shape.shared_qk
    model.save_pretrained(tmp_path / "again")
    assert_same_tensors(
        load_file(tmp_path / "again/model.safetensors"), load_file(folder / "model.safetensors")
    )
    assert_same_tensors(load(tmp_path / "again").state_dict(), model.state_dict())


@pytest.mark.parametrize("attention", [SELF, CROSS])
def test_fewer_key_value_heads_in_the_tensors_are_rejected(folder, attention):
    def narrow(state: State) -> None:
        for name in ("k_proj", "v_proj"):
            for parameter in ("weight", "bias"):
                full = f"{attention}{name}.{parameter}"
                state[full] = state[full][:32].clone()

    with pytest.raises(WeightsError, match=rf"{attention}k_proj.* key/value heads"):
        load(changed(folder, narrow))


def test_configuration_of_another_model_is_rejected(folder):
    with pytest.raises(InvalidInput, match="superglue"):
        load(set_config(folder, model_type="superglue"))


def test_unknown_detector_is_rejected(folder):
    with pytest.raises(InvalidInput, match="'sift'"):
        load(set_config(folder, keypoint_detector_config={"model_type": "sift"}))


def test_corrupted_file_is_rejected(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(WeightsError, match="cannot read weights from"):
        load(folder)


def test_empty_folder(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json not found .*nothing"):
        load(tmp_path)


def test_pickle_is_read_only_on_request(folder, model):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors not found"):
        load(folder)
    assert_same_tensors(load(folder, use_safetensors=False).state_dict(), model.state_dict())


class MaliciousObject:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_code_in_a_pickle_is_not_executed(folder, tmp_path):
    torch.save({"weight": MaliciousObject(tmp_path / "evil")}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="without running code"):
        load(folder, use_safetensors=False)
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
def test_other_detectors_do_not_load_in_transformers(tmp_path):
    config = LightGlueConfig(keypoint_detector_config={"model_type": "aliked", "variant": "t16"})
    LightGlueForKeypointMatching(config).save_pretrained(tmp_path)
    assert load(tmp_path).config.keypoint_detector_config.model_type == "aliked"
    with pytest.raises(Exception, match="aliked"):  # the error class of transformers is not specified
        transformers.LightGlueForKeypointMatching.from_pretrained(tmp_path)


def test_families_with_other_switches_are_refused_by_name(folder):
    """Under official names they would load, and compute something else without a word."""
    state = load_file(folder / "model.safetensors")
    save_file(state, folder / "model.safetensors", {"format": "pt", OWN_FAMILY: "gim"})
    with pytest.raises(WeightsError, match="family gim"):
        load(folder)
    save_file(state, folder / "model.safetensors", {"format": "pt", OWN_FAMILY: "official"})
    load(folder)
