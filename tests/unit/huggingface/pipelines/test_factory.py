"""`pipeline("keypoint-matching")`: loading, options of the loader and of the pipeline."""

from pathlib import Path

import PIL.Image
import pytest
import torch
from tests.helpers.keypoint_matching import photos
from tests.helpers.random_networks import random_model, tiny_config

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    AutoImageProcessor,
    KeypointMatchingPipeline,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    pipeline,
)

Pair = list[PIL.Image.Image]
SIZE = {"height": 96, "width": 128}


@pytest.fixture(scope="module")
def matcher() -> KeypointMatchingPipeline:
    model = random_model(tiny_config(max_keypoints=100, depth_confidence=-1, width_confidence=-1))
    return pipeline(model=model, image_processor=LightGlueImageProcessorFast(size=SIZE))


@pytest.fixture
def folder(matcher: KeypointMatchingPipeline, tmp_path: Path) -> Path:
    matcher.model.save_pretrained(tmp_path / "model")
    matcher.image_processor.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_unknown_task_is_rejected():
    for error in (InvalidInput, KeyError):
        with pytest.raises(error, match=r"^unknown task 'image-matching'; available: keypoint-matching$"):
            pipeline("image-matching")


def test_model_object_requires_its_processor(matcher):
    with pytest.raises(InvalidInput, match="requires its image processor"):
        pipeline(model=matcher.model)


# --- Construction ---


@pytest.mark.slow
def test_from_a_folder(matcher, folder):
    for made in (pipeline("keypoint-matching", str(folder)), pipeline(model=folder, dtype="auto")):
        assert made(photos(0)) == matcher(photos(0))


def test_options_of_calls(matcher, folder):
    options = {"batch_size": 2, "num_workers": 1, "threshold": 0.5, "timeout": 3.0}
    made = pipeline(model=folder, **options)
    assert {name: getattr(made, name) for name in options} == options
    assert made(photos(0)) == matcher(photos(0), threshold=0.5)
    assert type(made.image_processor) is LightGlueImageProcessorFast


def test_processors_of_other_kinds_and_places(matcher, folder):
    assert type(pipeline(model=folder, use_fast=False).image_processor) is LightGlueImageProcessor
    processor = LightGlueImageProcessor(size=SIZE)
    for made in (
        pipeline(model=folder, feature_extractor=processor),
        pipeline(model=matcher.model, feature_extractor=processor),
    ):
        assert made.image_processor is made.feature_extractor is processor
    assert pipeline(model=matcher.model, feature_extractor=str(folder)).image_processor.size == SIZE
    assert pipeline(model=matcher.model, config=str(folder)).image_processor.size == SIZE


def test_subfolders_hold_model_and_processor(matcher, tmp_path):
    matcher.save_pretrained(tmp_path / "a" / "b")
    for options in ({"subfolder": "b"}, {"model_kwargs": {"subfolder": "b"}}):
        made = pipeline(model=tmp_path / "a", **options)
        assert (made.image_processor.size, made.model.config) == (SIZE, matcher.model.config)


def test_options_of_the_model(folder):
    for options in (
        {"dtype": torch.float64},
        {"torch_dtype": "float64"},
        {"model_kwargs": {"dtype": "float64"}},
        {"model_kwargs": {"torch_dtype": torch.float64}, "device_map": "cpu"},
    ):
        assert pipeline(model=folder, **options).dtype == torch.float64
    made = pipeline(model=folder, model_kwargs={"filter_threshold": 0.5})
    assert made.model.config.filter_threshold == 0.5
    assert pipeline(model=folder, config=made.model.config).model.config.filter_threshold == 0.5


def test_options_for_a_model_object(folder, matcher):
    def load(**options):
        model = random_model(tiny_config(max_keypoints=100))
        return pipeline(model=model, image_processor=matcher.image_processor, **options)

    assert load(dtype="float64").dtype == load(torch_dtype=torch.float64).dtype == torch.float64
    assert load(dtype="auto").dtype == load(model_kwargs={"cache_dir": "a"}).dtype == torch.float32
    assert load(device_map={"": "cpu"}).device.type == "cpu"
    with pytest.warns(
        UserWarning, match="^pipeline with a model object: filter_threshold, config has no effect"
    ):
        load(model_kwargs={"filter_threshold": 0.5}, config=matcher.model.config)


def test_other_classes_of_pipelines(folder):
    class Counting(KeypointMatchingPipeline):
        """Counts the calls."""

        calls = 0

        def __call__(self, *args, **kwargs):
            self.calls += 1
            return super().__call__(*args, **kwargs)

    made = pipeline(model=folder, pipeline_class=Counting)
    made.predict(photos(0))
    assert (type(made), made.calls) == (Counting, 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"foo": 1}, TypeError, "^pipeline: unknown option 'foo'; available: cache_dir, "),
        (
            {"dtype": "float16", "model_kwargs": {"dtype": "float16"}},
            ValueError,
            "dtype is given to pipeline",
        ),
        ({"device_map": "cpu", "model_kwargs": {"device_map": "cpu"}}, ValueError, "device_map is given to"),
        (
            {"device_map": "cpu", "device": "cpu"},
            ValueError,
            "device='cpu' and device_map='cpu' are both given",
        ),
        ({"device": "cpu", "model_kwargs": {"device_map": "cpu"}}, ValueError, "are both given"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer"),
    ],
)
def test_contradictions_and_unknown_options_are_rejected(folder, options, error, message):
    with pytest.raises(error, match=message) as caught:
        pipeline(model=folder, **options)
    assert isinstance(caught.value, InvalidInput)


def test_options_without_effect_warn(folder):
    with pytest.warns(UserWarning, match="^pipeline: tokenizer, trust_remote_code has no effect") as caught:
        pipeline(model=folder, tokenizer="bert", trust_remote_code=True, processor=None)
    assert caught[0].filename == __file__


@pytest.mark.slow
def test_image_processor_from_another_folder(matcher, folder, tmp_path):
    LightGlueImageProcessor(size={"height": 48, "width": 64}).save_pretrained(tmp_path / "processor")
    made = pipeline(model=folder, image_processor=tmp_path / "processor")
    assert made.image_processor.size == {"height": 48, "width": 64}
    pil_processor = AutoImageProcessor.from_pretrained(folder, use_fast=False)
    assert pipeline(model=folder, image_processor=pil_processor).image_processor is pil_processor


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", -1, torch.device("cpu"), None])
def test_devices(folder, device):
    assert pipeline(model=folder, device=device).model.device == torch.device("cpu")


@pytest.mark.slow
def test_dtype_and_device_map(folder):
    made = pipeline(model=folder, dtype="bfloat16", device_map={"": "cpu"})
    assert made.model.dtype == torch.bfloat16
    assert len(made(photos(0))) > 10


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("model", [None, "aliked+lightglue", "disk+lightglue", "xfeat+lighterglue", "fast"])
def test_presets_need_no_hub(model, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    from skimage.data import stereo_motorcycle

    left, right, _ = stereo_motorcycle()
    pair = [PIL.Image.fromarray(view) for view in (left, right)]
    matcher = pipeline(task="keypoint-matching", model=model, dtype="auto")
    matcher.image_processor.size = {"longest_edge": 320}
    matches = matcher(pair, threshold=0.5)
    assert len(matches) > 50
    # rectified pair: corresponding points are in the same row
    rows = [abs(m["keypoint_image_0"]["y"] - m["keypoint_image_1"]["y"]) for m in matches]
    assert sorted(rows)[len(rows) // 2] < 2
    assert max(m["keypoint_image_0"]["x"] for m in matches) > 400  # in px of the original


@pytest.mark.weights
def test_matches_of_a_preset_are_those_of_tiepoint_match():
    """An image whose sides are multiples of 32 px, at its own size, is not resized by either."""
    from skimage.data import stereo_motorcycle

    import tiepoint

    left, right = (view[:480, :736] for view in stereo_motorcycle()[:2])
    expected = tiepoint.match(left, right, preset="fast", resize=None, device="cpu")
    matcher = pipeline("keypoint-matching", model="fast", device=-1)
    matcher.image_processor.do_resize = False
    found = matcher([PIL.Image.fromarray(view) for view in (left, right)], threshold=0.1)
    points = {tuple(round(found["keypoint_image_0"][axis], 1) for axis in "xy") for found in found}
    known = {tuple(round(float(value), 1) for value in point) for point in expected.points0}
    assert len(known) > 300
    assert len(known & points) > 0.98 * len(known | points)


def test_the_function_is_exported_at_the_top():
    import tiepoint

    assert tiepoint.pipeline is pipeline
