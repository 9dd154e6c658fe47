"""LightGlueConfig and the configurations of its detectors: defaults, files of transformers, invalid values."""

import json

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.configs import (
    ALIKEDDetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
    SuperPointConfig,
)

transformers = pytest.importorskip("transformers")


def test_defaults_are_those_of_transformers():
    ours, theirs = LightGlueConfig().to_dict(), transformers.LightGlueConfig().to_dict()
    detector = ours.pop("keypoint_detector_config")
    assert ours.pop("transformers_version") is None
    assert ours == {name: theirs[name] for name in ours}
    assert detector.pop("strict_border") is True  # not in transformers
    assert detector.pop("transformers_version") is None
    assert detector == {name: theirs["keypoint_detector_config"][name] for name in detector}


def test_sizes_follow_descriptor_dim():
    config = LightGlueConfig(descriptor_dim=64, hidden_size=7, intermediate_size=7)
    assert (config.hidden_size, config.intermediate_size) == (64, 128)
    config.descriptor_dim = 32
    assert (config.hidden_size, config.intermediate_size) == (32, 64)
    config.hidden_size = 16
    assert (config.descriptor_dim, config.intermediate_size) == (16, 32)
    config.intermediate_size = 32
    with pytest.raises(InvalidInput, match=r"2 x descriptor_dim \(32\), got 7"):
        config.intermediate_size = 7


def test_key_value_heads_default_to_the_attention_heads():
    assert LightGlueConfig(num_attention_heads=8).num_key_value_heads == 8
    assert LightGlueConfig(num_key_value_heads=2).num_key_value_heads == 2


@pytest.mark.parametrize("off", [-1, -1.0])
def test_minus_one_disables_adaptive_inference_as_int_or_float(off, tmp_path):
    config = LightGlueConfig(depth_confidence=off, width_confidence=off)
    config.save_pretrained(tmp_path)
    loaded = transformers.LightGlueConfig.from_pretrained(tmp_path)
    assert (config.depth_confidence, loaded.depth_confidence, loaded.width_confidence) == (-1, -1, -1)


def test_transformers_rejects_integers():
    with pytest.raises(Exception, match="expected float, got int"):
        transformers.LightGlueConfig(depth_confidence=-1)


def test_detector_is_given_as_config_dict_or_none():
    superpoint = SuperPointConfig(max_keypoints=7)
    assert LightGlueConfig(keypoint_detector_config=superpoint).keypoint_detector_config is superpoint
    assert LightGlueConfig(keypoint_detector_config=None).keypoint_detector_config == SuperPointConfig()
    without_type = LightGlueConfig(keypoint_detector_config={"max_keypoints": 7})
    assert without_type.keypoint_detector_config == superpoint
    disk = LightGlueConfig(keypoint_detector_config={"model_type": "disk"}).keypoint_detector_config
    assert (type(disk), disk.descriptor_decoder_dim) == (DISKDetectorConfig, 128)


@pytest.mark.parametrize(("variant", "dim"), [("n16", 128), ("n32", 128), ("t16", 64)])
def test_descriptor_dimension_of_aliked(variant, dim):
    assert ALIKEDDetectorConfig(variant=variant).descriptor_decoder_dim == dim


def test_configurations_do_not_share_a_detector():
    first, second = LightGlueConfig(), LightGlueConfig()
    first.keypoint_detector_config.max_keypoints = 5
    assert second.keypoint_detector_config.max_keypoints == -1


def test_transformers_loads_our_files(tmp_path):
    detector = SuperPointConfig(max_keypoints=99, strict_border=False)
    ours = LightGlueConfig(descriptor_dim=64, filter_threshold=0.25, keypoint_detector_config=detector)
    ours.save_pretrained(tmp_path)
    theirs = transformers.LightGlueConfig.from_pretrained(tmp_path)
    assert (theirs.descriptor_dim, theirs.filter_threshold, theirs.hidden_size) == (64, 0.25, 64)
    assert isinstance(theirs.keypoint_detector_config, transformers.SuperPointConfig)
    assert theirs.keypoint_detector_config.max_keypoints == 99


def test_files_of_transformers_are_preserved(tmp_path):
    theirs = transformers.LightGlueConfig(descriptor_dim=64, width_confidence=0.5)
    theirs.architectures, theirs.unknown_key = ["LightGlueForKeypointMatching"], {"deep": [1, None]}
    theirs.save_pretrained(tmp_path / "theirs")
    ours = LightGlueConfig.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    before, after = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "ours"))
    assert after["keypoint_detector_config"].pop("strict_border") is True
    assert after == before
    assert ours.architectures == ["LightGlueForKeypointMatching"]
    assert ours.keypoint_detector_config.attn_implementation == "eager"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"descriptor_dim": 255}, "descriptor_dim 255 is not divisible by num_attention_heads 4"),
        ({"num_attention_heads": 0}, "num_attention_heads must be at least 1, got 0"),
        ({"depth_confidence": True}, "depth_confidence must be float"),
        ({"width_confidence": float("nan")}, "width_confidence must be float"),
        ({"attention_bias": 1}, "attention_bias must be bool"),
        ({"hidden_act": None}, "hidden_act must be str"),
        ({"keypoint_detector_config": 3}, "must be a dict, .* or None, got int"),
        (
            {"keypoint_detector_config": {"model_type": "sift"}},
            "'sift'.*superpoint, aliked, disk",
        ),
        (
            {"keypoint_detector_config": {"model_type": "aliked", "variant": "n64"}},
            "unknown ALIKED variant 'n64'",
        ),
        ({"keypoint_detector_config": {"encoder_hidden_sizes": 64}}, "encoder_hidden_sizes must be tuple"),
        ({"model_type": "bert"}, "LightGlueConfig .* 'bert', expected 'lightglue'"),
    ],
)
def test_invalid_values_are_named(values, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueConfig.from_dict(values)
    with pytest.raises(ValueError, match=message):
        LightGlueConfig(**values)
