"""What the configurations of all models have in common, compared with transformers' PreTrainedConfig."""

import json

import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, SuperPointConfig

transformers = pytest.importorskip("transformers")


def test_requests_are_settings_of_the_configuration(tmp_path):
    config = LightGlueConfig(output_attentions=True, output_hidden_states=True, return_dict=False)
    config.save_pretrained(tmp_path)
    loaded = LightGlueConfig.from_pretrained(tmp_path)
    assert (loaded.output_attentions, loaded.output_hidden_states, loaded.return_dict) == (True, True, False)
    assert not loaded.use_return_dict


@pytest.mark.parametrize("value", ["float16", "torch.float16", torch.float16])
def test_dtype_is_a_torch_dtype_and_text_in_the_file(value, tmp_path):
    config = LightGlueConfig(torch_dtype=value)
    assert config.dtype == config.torch_dtype == torch.float16
    config.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float16"
    assert transformers.LightGlueConfig.from_pretrained(tmp_path).dtype == torch.float16


def test_an_unknown_dtype_is_refused():
    with pytest.raises(InvalidInput, match="'int8'"):
        LightGlueConfig(dtype="int8")


def test_files_contain_what_differs_from_the_common_defaults():
    ours, theirs = LightGlueConfig(), transformers.LightGlueConfig()
    expected = theirs.to_diff_dict()
    expected.pop("transformers_version")
    expected["keypoint_detector_config"].pop("attn_implementation", None)
    actual = ours.to_diff_dict()
    assert actual["keypoint_detector_config"].pop("strict_border") is True
    assert {name: actual[name] for name in expected} == expected
    assert set(actual) == set(expected)
    assert json.loads(ours.to_json_string(use_diff=False)).keys() >= set(theirs.to_dict()) - {"_name_or_path"}


def test_json_files_of_any_name(tmp_path):
    config = SuperPointConfig(max_keypoints=7)
    config.to_json_file(tmp_path / "detector.json")
    assert SuperPointConfig.from_json_file(tmp_path / "detector.json") == config
    assert SuperPointConfig.from_pretrained(tmp_path / "detector.json") == config
    with pytest.raises(InvalidInput, match=r"missing\.json"):
        SuperPointConfig.from_json_file(tmp_path / "missing.json")


def test_from_dict_takes_overrides_and_returns_unused_options():
    values = LightGlueConfig(descriptor_dim=64).to_dict()
    config = LightGlueConfig.from_dict(
        values, filter_threshold=0.3, keypoint_detector_config={"max_keypoints": 9}
    )
    assert (config.descriptor_dim, config.filter_threshold) == (64, 0.3)
    assert (config.keypoint_detector_config.max_keypoints, config.keypoint_detector_config.nms_radius) == (
        9,
        4,
    )
    config, unused = LightGlueConfig.from_dict(
        values, return_unused_kwargs=True, other=1, filter_threshold=0.4
    )
    assert (config.filter_threshold, unused) == (0.4, {"other": 1})
    with pytest.raises(InvalidInput, match=r"LightGlueConfig\.from_dict: unknown option 'other'"):
        LightGlueConfig.from_dict(values, other=1)


def test_get_config_dict_returns_content_and_other_options(tmp_path):
    LightGlueConfig(descriptor_dim=64).save_pretrained(tmp_path / "sub")
    values, options = LightGlueConfig.get_config_dict(tmp_path, subfolder="sub", other=1)
    assert (values["descriptor_dim"], options) == (64, {"other": 1})


def test_labels():
    config = LightGlueConfig(num_labels=3)
    assert (config.num_labels, config.id2label[2], config.label2id) == (
        3,
        "LABEL_2",
        {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
    )
    stored = LightGlueConfig.from_dict(json.loads(config.to_json_string()))
    assert stored.id2label == config.id2label


def test_the_name_is_remembered_but_not_written(tmp_path):
    LightGlueConfig().save_pretrained(tmp_path)
    config = LightGlueConfig.from_pretrained(tmp_path)
    assert config.name_or_path == str(tmp_path)
    assert "name_or_path" not in config.to_json_string(use_diff=False)
    assert config.get_text_config() is config


def test_attention_implementation():
    assert LightGlueConfig(attn_implementation="sdpa").attn_implementation == "sdpa"
    with pytest.raises(InvalidInput, match="flash"):
        LightGlueConfig(attn_implementation="flash_attention_2")
