"""LightGlueConfig and its detectors' configurations: defaults, round trips, transformers' files, bad values."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
    SuperPointConfig,
)

transformers = pytest.importorskip("transformers")


def test_defaults_are_those_of_transformers():
    ours, theirs = LightGlueConfig().to_dict(), transformers.LightGlueConfig().to_dict()
    detector = ours.pop("keypoint_detector_config")
    assert ours == {name: theirs[name] for name in ours}
    detector.pop("strict_border")  # this package's own
    assert detector == {name: theirs["keypoint_detector_config"][name] for name in detector}


def test_sizes_follow_descriptor_dim():
    config = LightGlueConfig(descriptor_dim=64, hidden_size=7, intermediate_size=7)
    assert (config.hidden_size, config.intermediate_size) == (64, 128)
    config.descriptor_dim = 32
    assert (config.hidden_size, config.intermediate_size) == (32, 64)
    with pytest.raises(AttributeError):
        config.hidden_size = 3


def test_key_value_heads_default_to_the_attention_heads():
    assert LightGlueConfig(num_attention_heads=8).num_key_value_heads == 8
    assert LightGlueConfig(num_key_value_heads=2).num_key_value_heads == 2


@pytest.mark.parametrize("off", [-1, -1.0])
def test_minus_one_switches_adaptivity_off_as_int_or_float(off, tmp_path):
    config = LightGlueConfig(depth_confidence=off, width_confidence=off)
    config.save_pretrained(tmp_path)
    loaded = transformers.LightGlueConfig.from_pretrained(tmp_path)
    assert (config.depth_confidence, loaded.depth_confidence, loaded.width_confidence) == (-1, -1, -1)


def test_transformers_refuses_the_int():
    with pytest.raises(Exception, match="expected float, got int"):
        transformers.LightGlueConfig(depth_confidence=-1)


def test_detector_comes_as_config_dict_or_none():
    superpoint = SuperPointConfig(max_keypoints=7)
    assert LightGlueConfig(keypoint_detector_config=superpoint).keypoint_detector_config is superpoint
    assert LightGlueConfig(keypoint_detector_config=None).keypoint_detector_config == SuperPointConfig()
    without_type = LightGlueConfig(keypoint_detector_config={"max_keypoints": 7})
    assert without_type.keypoint_detector_config == superpoint
    disk = LightGlueConfig(keypoint_detector_config={"model_type": "disk"}).keypoint_detector_config
    assert (type(disk), disk.descriptor_decoder_dim) == (DISKDetectorConfig, 128)


@pytest.mark.parametrize(("variant", "columns"), [("n16", 128), ("n32", 128), ("t16", 64)])
def test_aliked_says_how_many_columns_its_descriptors_have(variant, columns):
    assert ALIKEDDetectorConfig(variant=variant).descriptor_decoder_dim == columns


def test_two_configs_do_not_share_a_detector():
    first, second = LightGlueConfig(), LightGlueConfig()
    first.keypoint_detector_config.max_keypoints = 5
    assert second.keypoint_detector_config.max_keypoints == -1


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
def test_every_way_round_gives_the_same_config(config, tmp_path):
    config.save_pretrained(tmp_path / "new" / "folder")
    assert type(config).from_pretrained(tmp_path / "new" / "folder") == config
    assert type(config).from_dict(json.loads(config.to_json_string())) == config
    assert copy.deepcopy(config) == config == pickle.loads(pickle.dumps(config))
    assert config != type(config)()


def test_transformers_loads_what_we_write(tmp_path):
    detector = SuperPointConfig(max_keypoints=99, strict_border=False)
    ours = LightGlueConfig(descriptor_dim=64, filter_threshold=0.25, keypoint_detector_config=detector)
    ours.save_pretrained(tmp_path)
    theirs = transformers.LightGlueConfig.from_pretrained(tmp_path)
    assert (theirs.descriptor_dim, theirs.filter_threshold, theirs.hidden_size) == (64, 0.25, 64)
    assert isinstance(theirs.keypoint_detector_config, transformers.SuperPointConfig)
    assert theirs.keypoint_detector_config.max_keypoints == 99


def test_what_transformers_writes_comes_through_here_unchanged(tmp_path):
    theirs = transformers.LightGlueConfig(descriptor_dim=64, width_confidence=0.5)
    theirs.architectures, theirs.somebodys_key = ["LightGlueForKeypointMatching"], {"deep": [1, None]}
    theirs.save_pretrained(tmp_path / "theirs")
    ours = LightGlueConfig.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    before, after = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "ours"))
    assert after["keypoint_detector_config"].pop("strict_border") is True
    assert after == before
    assert ours.architectures == ["LightGlueForKeypointMatching"]
    assert ours.keypoint_detector_config.attn_implementation == "eager"


def test_unknown_keywords_warn_and_unknown_keys_of_a_file_do_not():
    with pytest.warns(UserWarning, match="no setting depth_confidance, which is kept without effect"):
        config = LightGlueConfig(depth_confidance=-1)
    assert config.depth_confidence == 0.95
    assert LightGlueConfig.from_dict({"depth_confidance": -1}).extra == {"depth_confidance": -1}


def test_a_key_named_like_a_method_does_not_replace_it():
    config = LightGlueConfig.from_dict({"to_dict": "no", "save_pretrained": 1})
    assert config.to_dict()["to_dict"] == "no"


def test_overrides_of_from_pretrained_take_the_place_of_the_file(tmp_path):
    LightGlueConfig(num_hidden_layers=3).save_pretrained(tmp_path)
    config = LightGlueConfig.from_pretrained(tmp_path, filter_threshold=0.5)
    assert (config.num_hidden_layers, config.filter_threshold) == (3, 0.5)


def test_attributes_can_be_set_and_are_checked():
    config = LightGlueConfig()
    config.depth_confidence = -1
    config.keypoint_detector_config = {"model_type": "aliked"}
    assert (config.depth_confidence, config.keypoint_detector_config) == (-1.0, ALIKEDDetectorConfig())
    with pytest.raises(InvalidInput, match="num_hidden_layers must be int, but is 'nine'"):
        config.num_hidden_layers = "nine"
    with pytest.raises(AttributeError, match="LightGlueConfig has no setting 'nothing'"):
        _ = config.nothing


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"descriptor_dim": 255}, "descriptor_dim 255 can't be divided by num_attention_heads 4"),
        ({"num_attention_heads": 0}, "num_attention_heads must be above 0"),
        ({"depth_confidence": True}, "depth_confidence must be float"),
        ({"width_confidence": float("nan")}, "width_confidence must be float"),
        ({"attention_bias": 1}, "attention_bias must be bool"),
        ({"hidden_act": None}, "hidden_act must be str"),
        ({"keypoint_detector_config": 3}, "must be a dict, a detector's configuration or None, not int"),
        (
            {"keypoint_detector_config": {"model_type": "sift"}},
            "no detector 'sift'.*superpoint, aliked, disk",
        ),
        ({"keypoint_detector_config": {"model_type": "aliked", "variant": "n64"}}, "variant must be one of"),
        ({"keypoint_detector_config": {"encoder_hidden_sizes": 64}}, "encoder_hidden_sizes must be tuple"),
        ({"model_type": "bert"}, "settings of 'bert', but LightGlueConfig takes those of 'lightglue'"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueConfig.from_dict(values)
    with pytest.raises(ValueError, match=message):
        LightGlueConfig(**values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "bert"}', "settings of 'bert'"),
        ('{"model_type"', "is not JSON"),
        ("[1]", "must hold a JSON object, but holds a list"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_a_wrong_file_is_refused(content, message, tmp_path):
    (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=message):
        LightGlueConfig.from_pretrained(tmp_path)


def test_a_folder_without_the_file_and_one_that_cannot_be_made(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(WeightsError, match=r"has no file config.json, it holds a.txt"):
        LightGlueConfig.from_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="can't make the folder"):
        LightGlueConfig().save_pretrained(Path(tmp_path / "a.txt" / "below"))


def test_repr_is_readable_and_configs_are_not_hashable():
    assert repr(SuperPointConfig()).startswith('SuperPointConfig {\n  "border_removal_distance": 4,')
    with pytest.raises(TypeError):
        hash(SuperPointConfig())
