"""Loading, saving and counting, the same for both models."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tests.helpers.random_networks import TINY_SUPERPOINT, tiny_config

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import (
    LightGlueForKeypointMatching,
    SuperPointConfig,
    SuperPointForKeypointDetection,
)

transformers = pytest.importorskip("transformers")
CLASSES = {
    "lightglue": (LightGlueForKeypointMatching, tiny_config),
    "superpoint": (
        SuperPointForKeypointDetection,
        lambda **values: SuperPointConfig(**TINY_SUPERPOINT | values),
    ),
}


@pytest.fixture(params=CLASSES, scope="module")
def model(request):
    model_class, make_config = CLASSES[request.param]
    torch.manual_seed(0)
    return model_class(make_config())


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def same(state, other):
    assert state.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in state.items())


def test_counts_and_sizes(model):
    expected = sum(parameter.numel() for parameter in model.parameters())
    assert model.num_parameters() == model.num_parameters(exclude_embeddings=True) == expected
    assert model.get_memory_footprint() == 4 * expected
    next(model.parameters()).requires_grad_(False)
    assert model.num_parameters(only_trainable=True) == expected - next(model.parameters()).numel()
    next(model.parameters()).requires_grad_(True)
    assert not model.can_generate()
    assert not model.supports_gradient_checkpointing
    assert model.base_model is model
    with pytest.raises(NotImplementedError, match="image"):
        model.get_input_embeddings()
    with pytest.raises(ValueError, match="gradient checkpointing"):
        model.gradient_checkpointing_enable()


def test_state_dict_loads_under_both_names(model, folder):
    model_class = type(model)
    for state in (model.state_dict(), load_file(folder / "model.safetensors")):
        other = model_class(model.config)
        result = other.load_state_dict(state)
        assert (result.missing_keys, result.unexpected_keys) == ([], [])
        same(other.state_dict(), model.state_dict())
        same(
            model_class.from_pretrained(None, config=model.config, state_dict=state).state_dict(),
            model.state_dict(),
        )
    within = torch.nn.ModuleDict({"inner": model_class(model.config)})
    within.load_state_dict({f"inner.{name}": tensor for name, tensor in state.items()})
    same(within["inner"].state_dict(), model.state_dict())


def test_a_given_state_dict_is_copied(model):
    loaded = type(model).from_pretrained(None, config=model.config, state_dict=model.state_dict())
    first = next(loaded.parameters())
    with torch.no_grad():
        first.fill_(7)
    assert next(model.parameters()).unique().tolist() != [7]


def test_a_name_is_needed_without_tensors(model):
    with pytest.raises(InvalidInput, match=r"config= and state_dict="):
        type(model).from_pretrained(None, config=model.config)


def test_loading_info(model, folder):
    loaded, info = type(model).from_pretrained(folder, output_loading_info=True)
    assert info == {
        "missing_keys": set(),
        "unexpected_keys": set(),
        "mismatched_keys": set(),
        "error_msgs": [],
    }
    assert (loaded.config.name_or_path, loaded.name_or_path, loaded.config.dtype) == (
        str(folder),
        str(folder),
        torch.float32,
    )


@pytest.mark.parametrize("option", ["dtype", "torch_dtype"])
def test_dtype_of_the_weights(model, folder, option):
    assert type(model).from_pretrained(folder, **{option: "bfloat16"}).dtype == torch.bfloat16
    half = type(model).from_pretrained(folder, **{option: torch.float16})
    half.save_pretrained(folder / "half")
    assert type(model).from_pretrained(folder / "half", dtype="auto").config.dtype == torch.float16


def test_subfolder_variant_and_shards(model, tmp_path):
    model.save_pretrained(tmp_path / "sub", variant="best")
    assert (tmp_path / "sub/model.best.safetensors").exists()
    loaded = type(model).from_pretrained(tmp_path, subfolder="sub", variant="best")
    same(loaded.state_dict(), model.state_dict())
    model.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    index = json.loads((tmp_path / "shards/model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    same(type(model).from_pretrained(tmp_path / "shards").state_dict(), model.state_dict())
    theirs = getattr(transformers, type(model).__name__).from_pretrained(tmp_path / "shards")
    same(theirs.state_dict(), model.hub_state_dict())
    (tmp_path / "shards/model.safetensors.index.json").write_text("{}")
    with pytest.raises(WeightsError, match="weight_map"):
        type(model).from_pretrained(tmp_path / "shards")


def test_shards_of_transformers_load(model, tmp_path):
    theirs_class = getattr(transformers, type(model).__name__)
    theirs = theirs_class(theirs_class.config_class.from_dict(model.config.to_dict()))
    theirs.save_pretrained(tmp_path, max_shard_size="100KB")
    same(type(model).from_pretrained(tmp_path).hub_state_dict(), dict(theirs.state_dict()))


def test_other_processes_and_other_tensors(model, tmp_path):
    model.save_pretrained(tmp_path / "none", is_main_process=False)
    assert not (tmp_path / "none").exists()
    zeros = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path, state_dict=zeros)
    assert not any(tensor.any() for tensor in load_file(tmp_path / "model.safetensors").values())
    with pytest.raises(InvalidInput, match="save_pretrained: unknown option 'max_shards'"):
        model.save_pretrained(tmp_path, max_shards=3)


def test_mismatched_sizes(model, folder):
    setting = (
        "descriptor_decoder_dim" if isinstance(model, SuperPointForKeypointDetection) else "descriptor_dim"
    )
    change = {setting: getattr(model.config, setting) // 2}
    with pytest.raises(WeightsError, match="must have shape"):
        type(model).from_pretrained(folder, **change)
    with pytest.warns(UserWarning, match="weights of other shapes stay random"):
        loaded, info = type(model).from_pretrained(
            folder, ignore_mismatched_sizes=True, output_loading_info=True, **change
        )
    names = {name for name, _, _ in info["mismatched_keys"]}
    stored = load_file(folder / "model.safetensors")
    for name, tensor in loaded.hub_state_dict().items():
        assert torch.isfinite(tensor).all()
        assert (name in names) == (tensor.shape != stored[name].shape)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_incomplete_checkpoints_are_refused(model, change):
    state = dict(model.hub_state_dict())
    name = next(name for name in state if "conv" in name)
    if change == "missing":
        del state[name]
    else:
        name = name.replace("conv", "other_conv")
        state[name] = torch.zeros(1)
    with pytest.raises(WeightsError, match=change):
        type(model).from_pretrained(None, config=model.config, state_dict=state)


def test_wrong_configurations_are_refused(model):
    for config in (3, "text", None):
        with pytest.raises(InvalidInput, match="config must be"):
            type(model)(config)
    theirs = getattr(transformers, type(model).config_class.__name__)
    assert type(model)(theirs()).config.model_type == model.config.model_type
