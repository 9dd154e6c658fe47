"""AutoConfig and the AutoModel classes: the class by the model type of a folder."""

import pytest
from tests.helpers.random_networks import TINY_SUPERPOINT, tiny_config

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    AutoConfig,
    AutoModel,
    AutoModelForKeypointDetection,
    AutoModelForKeypointMatching,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    SuperPointConfig,
    SuperPointForKeypointDetection,
)
from tiepoint.huggingface.auto import CONFIGS


@pytest.fixture(scope="module")
def matcher_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matcher")
    LightGlueForKeypointMatching(tiny_config()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def detector_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    SuperPointForKeypointDetection(SuperPointConfig(**TINY_SUPERPOINT)).save_pretrained(folder)
    return folder


def test_the_model_type_selects_the_class(matcher_folder, detector_folder):
    assert type(AutoConfig.from_pretrained(matcher_folder)) is LightGlueConfig
    assert type(AutoConfig.from_pretrained(detector_folder)) is SuperPointConfig
    assert type(AutoModel.from_pretrained(matcher_folder)) is LightGlueForKeypointMatching
    assert type(AutoModel.from_pretrained(detector_folder)) is SuperPointForKeypointDetection
    assert type(AutoModelForKeypointMatching.from_pretrained(matcher_folder)) is LightGlueForKeypointMatching
    assert (
        type(AutoModelForKeypointDetection.from_pretrained(detector_folder)) is SuperPointForKeypointDetection
    )


def test_a_model_of_another_task_is_named(matcher_folder, detector_folder):
    with pytest.raises(InvalidInput, match="AutoModelForKeypointMatching: unknown model_type 'superpoint'"):
        AutoModelForKeypointMatching.from_pretrained(detector_folder)
    with pytest.raises(InvalidInput, match="AutoModelForKeypointDetection: unknown model_type 'lightglue'"):
        AutoModelForKeypointDetection.from_pretrained(matcher_folder)
    with pytest.raises(InvalidInput, match="cannot read settings of type 'lightglue'"):
        SuperPointForKeypointDetection.from_pretrained(matcher_folder)


def test_unknown_model_types_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "superglue"}')
    for load in (
        AutoConfig.from_pretrained,
        AutoModel.from_pretrained,
        AutoModelForKeypointMatching.from_pretrained,
    ):
        with pytest.raises(InvalidInput, match="'superglue'"):
            load(tmp_path)
    with pytest.raises(InvalidInput, match="unknown model_type 'bert'"):
        AutoConfig.for_model("bert")


def test_configurations_by_name_and_by_preset():
    assert AutoConfig.for_model("superpoint", max_keypoints=5).max_keypoints == 5
    assert AutoConfig.from_pretrained("aliked+lightglue").keypoint_detector_config.model_type == "aliked"
    assert AutoConfig.from_pretrained("aliked+lightglue", filter_threshold=0.3).filter_threshold == 0.3


@pytest.mark.parametrize("form", ["object", "dict", "folder"])
def test_a_given_configuration_replaces_the_stored_one(matcher_folder, form, tmp_path):
    config = tiny_config(filter_threshold=0.7)
    config.save_pretrained(tmp_path)
    given = {"object": config, "dict": config.to_dict(), "folder": tmp_path}[form]
    model = AutoModel.from_pretrained(matcher_folder, config=given, width_confidence=-1)
    assert (model.config.filter_threshold, model.config.width_confidence) == (0.7, -1)
    assert config.width_confidence == 0.99


def test_models_are_built_from_a_configuration():
    assert type(AutoModel.from_config(tiny_config())) is LightGlueForKeypointMatching
    assert AutoModelForKeypointDetection.from_config(SuperPointConfig(), dtype="bfloat16").dtype.itemsize == 2
    with pytest.raises(InvalidInput, match="unknown model_type None"):
        AutoModel.from_config(object())


@pytest.mark.parametrize("auto", [AutoConfig, AutoModel, AutoModelForKeypointMatching])
def test_they_cannot_be_instantiated(auto):
    with pytest.raises(InvalidInput, match="from_pretrained"):
        auto()


def test_further_models_can_be_registered(monkeypatch, tmp_path):
    monkeypatch.setattr("tiepoint.huggingface.auto.CONFIGS", dict(CONFIGS))
    monkeypatch.setattr(AutoModel, "models", dict(AutoModel.models))

    class OtherConfig(LightGlueConfig):
        model_type = "other"

    class OtherModel(LightGlueForKeypointMatching):
        config_class = OtherConfig

    AutoConfig.register("other", OtherConfig)
    AutoModel.register(OtherConfig, OtherModel)
    OtherModel(OtherConfig(num_hidden_layers=1)).save_pretrained(tmp_path)
    assert type(AutoModel.from_pretrained(tmp_path)) is OtherModel
    with pytest.raises(InvalidInput, match="exists already"):
        AutoConfig.register("other", OtherConfig)
    with pytest.raises(InvalidInput, match="has a model already"):
        AutoModel.register(OtherConfig, OtherModel)
    with pytest.raises(InvalidInput, match="has the model_type 'other', got 'another'"):
        AutoConfig.register("another", OtherConfig)
    with pytest.raises(InvalidInput, match="has the configuration OtherConfig"):
        AutoModel.register(SuperPointConfig, OtherModel)
