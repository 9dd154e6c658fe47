"""AutoImageProcessor: which image processor belongs to a model."""

import json
from types import SimpleNamespace

import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import (
    AutoImageProcessor,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
    SuperPointConfig,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
)
from tiepoint.huggingface.image_processing import auto


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LightGlueImageProcessorFast),
        ({"use_fast": True}, LightGlueImageProcessorFast),
        ({"use_fast": False}, LightGlueImageProcessor),
        ({"backend": "auto"}, LightGlueImageProcessorFast),
        ({"backend": "torchvision"}, LightGlueImageProcessorFast),
        ({"backend": "pil"}, LightGlueImageProcessorPil),
        ({"backend": "pil", "use_fast": False}, LightGlueImageProcessor),
    ],
    ids=str,
)
def test_auto_image_processor_selects(options, expected):
    processor = AutoImageProcessor.from_pretrained("aliked+lightglue", local_files_only=True, **options)
    assert type(processor) is expected
    assert (processor.size, processor.do_grayscale) == ({"longest_edge": 1024}, False)


def test_auto_image_processor_rejects(tmp_path):
    with pytest.raises(InvalidInput, match="use_fast=True contradicts backend='pil'"):
        AutoImageProcessor.from_pretrained("disk+lightglue", use_fast=True, backend="pil")
    with pytest.raises(InvalidInput, match="backend 'cv2'; available: auto, torch, torchvision, pil"):
        AutoImageProcessor.from_pretrained("disk+lightglue", backend="cv2")
    with pytest.raises(InvalidInput, match="from_pretrained"):
        AutoImageProcessor()
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json not found"):
        AutoImageProcessor.from_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="neither a local folder nor a valid repository name"):
        AutoImageProcessor.from_pretrained("alike+lightglue")


@pytest.mark.parametrize(
    "processor",
    [
        LightGlueImageProcessor(),
        LightGlueImageProcessorFast(),
        SuperPointImageProcessor(),
        SuperPointImageProcessorFast(),
    ],
    ids=lambda processor: type(processor).__name__,
)
def test_the_stored_type_selects(processor, tmp_path):
    (path,) = processor.save_pretrained(tmp_path)
    for source in (tmp_path, path):
        loaded = AutoImageProcessor.from_pretrained(source, use_fast=processor.backend == "torch", resample=3)
        assert type(loaded) is type(processor)
        assert loaded.resample == 3


@pytest.mark.parametrize(
    ("stored", "config", "expected"),
    [
        ({"image_processor_type": "SuperPointImageProcessorFast"}, None, SuperPointImageProcessorFast),
        ({"feature_extractor_type": "SuperPointFeatureExtractor"}, None, SuperPointImageProcessorFast),
        ({}, {"model_type": "superpoint"}, SuperPointImageProcessorFast),
        ({}, {"model_type": "lightglue"}, LightGlueImageProcessorFast),
    ],
)
def test_types_of_old_files_and_of_the_model(stored, config, expected, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stored))
    if config is not None:
        assert type(AutoImageProcessor.from_pretrained(tmp_path, config=config)) is expected
        assert (
            type(AutoImageProcessor.from_pretrained(tmp_path, config=SimpleNamespace(**config))) is expected
        )
        (tmp_path / "config.json").write_text(json.dumps(config))
    assert type(AutoImageProcessor.from_pretrained(tmp_path)) is expected


@pytest.mark.parametrize(
    ("stored", "config", "message"),
    [
        (
            {"image_processor_type": "CLIPImageProcessor"},
            None,
            "unknown image processor type 'CLIPImageProcessor'",
        ),
        (
            {},
            {"model_type": "superglue"},
            "the model type is 'superglue'; supported model types: lightglue, superpoint",
        ),
        ({}, None, "has no image_processor_type, and the model type is None"),
    ],
)
def test_folders_of_other_models_are_rejected(stored, config, message, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stored))
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidInput, match=message) as caught:
        AutoImageProcessor.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_options_of_the_loader(tmp_path):
    SuperPointImageProcessor().save_pretrained(tmp_path / "a")
    processor, unused = AutoImageProcessor.from_pretrained(
        tmp_path, subfolder="a", foo=1, return_unused_kwargs=True
    )
    assert type(processor) is SuperPointImageProcessorFast
    assert unused == {"foo": 1}
    with pytest.warns(UserWarning, match="trust_remote_code has no effect"):
        AutoImageProcessor.from_pretrained(tmp_path / "a", trust_remote_code=True)
    with pytest.raises(TypeError, match="unknown option 'foo'"):
        AutoImageProcessor.from_pretrained(tmp_path / "a", foo=1)


class OtherConfig(SuperPointConfig):
    """Configuration of another model type."""

    model_type = "other"


class OtherImageProcessor(SuperPointImageProcessor):
    """Image processor of another model."""

    type_names = ("OtherImageProcessor",)


@pytest.fixture
def own_table(monkeypatch):
    monkeypatch.setattr(
        auto,
        "PROCESSORS",
        {name: dict(kinds) for name, kinds in auto.PROCESSORS.items()},
    )


@pytest.mark.parametrize(
    "options",
    [
        {"slow_image_processor_class": OtherImageProcessor},
        {"image_processor_classes": {"pil": OtherImageProcessor}},
    ],
)
def test_processors_of_other_models_can_be_registered(own_table, options, tmp_path):
    AutoImageProcessor.register(OtherConfig, **options)
    OtherImageProcessor(resample=3).save_pretrained(tmp_path)
    assert type(AutoImageProcessor.from_pretrained(tmp_path)) is OtherImageProcessor
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert type(AutoImageProcessor.from_pretrained(tmp_path, config=OtherConfig())) is OtherImageProcessor


def test_registered_processors_are_replaced_on_request_only(own_table, tmp_path):
    with pytest.raises(InvalidInput, match="'superpoint' has image processors; pass exist_ok=True"):
        AutoImageProcessor.register(SuperPointConfig, OtherImageProcessor)
    AutoImageProcessor.register(
        SuperPointConfig, fast_image_processor_class=OtherImageProcessor, exist_ok=True
    )
    (tmp_path / "preprocessor_config.json").write_text("{}")
    loaded = AutoImageProcessor.from_pretrained(tmp_path, config=SuperPointConfig())
    assert type(loaded) is OtherImageProcessor
    for options, message in (
        ({}, "at least one image processor class"),
        ({"slow_image_processor_class": dict}, "dict is not a subclass"),
        ({"image_processor_classes": {"cv2": OtherImageProcessor}}, "unknown backend 'cv2'"),
    ):
        with pytest.raises(InvalidInput, match=message):
            AutoImageProcessor.register(OtherConfig, **options)
