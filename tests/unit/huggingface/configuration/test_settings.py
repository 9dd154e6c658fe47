"""Settings: round trips, unknown keys, overrides, assignment, invalid files."""

import copy
import json
import pickle

import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration.configs import ALIKEDDetectorConfig, LightGlueConfig, SuperPointConfig


@pytest.mark.parametrize(
    "config",
    [
        LightGlueConfig(num_hidden_layers=2, filter_threshold=0.3),
        LightGlueConfig(keypoint_detector_config=ALIKEDDetectorConfig(variant="t16")),
        LightGlueConfig(keypoint_detector_config={"model_type": "disk", "max_keypoints": -1}),
        SuperPointConfig(encoder_hidden_sizes=[8, 8, 16, 16]),
    ],
    ids=lambda config: type(config).__name__,
)
def test_configurations_survive_every_round_trip(config, tmp_path):
    config.save_pretrained(tmp_path / "new" / "folder")
    assert type(config).from_pretrained(tmp_path / "new" / "folder") == config
    assert type(config).from_dict(json.loads(config.to_json_string())) == config
    assert copy.deepcopy(config) == config == pickle.loads(pickle.dumps(config))
    assert config != type(config)()


def test_unknown_keywords_warn_and_unknown_keys_of_a_file_do_not():
    with pytest.warns(UserWarning, match="no setting depth_confidance"):
        config = LightGlueConfig(depth_confidance=-1)
    assert config.depth_confidence == 0.95
    assert LightGlueConfig.from_dict({"depth_confidance": -1}).extra == {"depth_confidance": -1}


def test_a_key_named_like_a_method_does_not_replace_it():
    config = LightGlueConfig.from_dict({"to_dict": "no", "save_pretrained": 1})
    assert config.to_dict()["to_dict"] == "no"


def test_overrides_of_from_pretrained_replace_values_of_the_file(tmp_path):
    LightGlueConfig(num_hidden_layers=3).save_pretrained(tmp_path)
    config = LightGlueConfig.from_pretrained(tmp_path, filter_threshold=0.5)
    assert (config.num_hidden_layers, config.filter_threshold) == (3, 0.5)


def test_attributes_can_be_set_and_are_validated():
    config = LightGlueConfig()
    config.depth_confidence = -1
    config.keypoint_detector_config = {"model_type": "aliked"}
    assert (config.depth_confidence, config.keypoint_detector_config) == (-1.0, ALIKEDDetectorConfig())
    with pytest.raises(InvalidInput, match="num_hidden_layers must be int, got 'nine'"):
        config.num_hidden_layers = "nine"
    with pytest.raises(AttributeError, match="LightGlueConfig has no setting 'nothing'"):
        _ = config.nothing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "bert"}', "type 'bert'"),
        ('{"model_type"', "is not valid JSON"),
        ("[1]", "expected a JSON object, got a list"),
        (b"\xff\xfe", "is not valid JSON"),
    ],
)
def test_invalid_files_are_rejected(content, message, tmp_path):
    (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=message):
        LightGlueConfig.from_pretrained(tmp_path)


def test_missing_file_and_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(WeightsError, match=r"config\.json not found .*a\.txt"):
        LightGlueConfig.from_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="cannot create folder"):
        LightGlueConfig().save_pretrained(tmp_path / "a.txt" / "below")


def test_repr_is_readable_and_configs_are_not_hashable():
    assert repr(SuperPointConfig()).startswith('SuperPointConfig {\n  "border_removal_distance": 4,')
    with pytest.raises(TypeError):
        hash(SuperPointConfig())
