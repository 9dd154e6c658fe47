"""Options of loaders: an effect, a warning, or an error; never a setting of a model."""

import warnings

import pytest
from tests.helpers.random_networks import tiny_config

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import AutoConfig, LightGlueConfig, LightGlueForKeypointMatching
from tiepoint.huggingface.hub import HubOptions
from tiepoint.huggingface.loader_options import HUB_OPTION_NAMES, check_attention, split_options


def test_options_are_split_by_their_owner():
    own, settings = split_options("load", {"a": 1, "b": 2, "_from_auto": True}, ["a"], ["b"])
    assert (own, settings) == ({"a": 1}, {"b": 2})


def test_options_without_effect_warn_under_the_name_of_the_function():
    with pytest.warns(UserWarning, match=r"^load: trust_remote_code has no effect") as caught:
        split_options("load", {"trust_remote_code": True}, (), ())
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_options("load", {"trust_remote_code": False, "low_cpu_mem_usage": None}, (), ())


def test_unsupported_and_unknown_options_are_errors():
    with pytest.raises(InvalidInput, match=r"^load: quantization_config is not supported"):
        split_options("load", {"quantization_config": object()}, (), ())
    with pytest.raises(TypeError, match=r"^load: unknown option 'sizee'.*did you mean 'size'"):
        split_options("load", {"sizee": 1}, ["size"], ["color"])


def test_only_equivalent_attention_implementations_are_accepted():
    for name in (None, "eager", "sdpa"):
        check_attention("load", name)
    with pytest.raises(InvalidInput, match="'flash_attention_2' is not supported"):
        check_attention("load", "flash_attention_2")


def test_names_of_hub_options():
    assert set(HUB_OPTION_NAMES) == set(HubOptions.__annotations__)


@pytest.mark.parametrize(
    "load",
    [
        LightGlueConfig.from_pretrained,
        AutoConfig.from_pretrained,
        LightGlueForKeypointMatching.from_pretrained,
    ],
    ids=["config", "auto config", "model"],
)
@pytest.mark.parametrize("option", ["batch_size", "use_fastt"])
def test_unknown_options_of_a_loader_are_refused(load, option, tmp_path):
    LightGlueForKeypointMatching(tiny_config()).save_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match=f"from_pretrained: unknown option '{option}'"):
        load(tmp_path, **{option: 1})
    with pytest.warns(UserWarning, match="from_pretrained: trust_remote_code has no effect"):
        loaded = load(tmp_path, trust_remote_code=True)
    assert "trust_remote_code" not in getattr(loaded, "config", loaded).to_dict()
