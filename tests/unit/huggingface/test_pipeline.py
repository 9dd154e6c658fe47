"""`pipeline("keypoint-matching")`: inputs, results, and equality with image processor, model and post-processing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from tests.helpers.random_networks import noise_pair, random_model, tiny_config

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


def photos(seed: int, size: tuple[int, int] = (128, 96)) -> Pair:
    views = noise_pair(size[1], size[0], seed).mul(255).byte().permute(0, 2, 3, 1).numpy()
    return [PIL.Image.fromarray(view) for view in views]


@pytest.fixture(scope="module")
def matcher() -> KeypointMatchingPipeline:
    model = random_model(tiny_config(max_keypoints=100, depth_confidence=-1, width_confidence=-1))
    return pipeline(model=model, image_processor=LightGlueImageProcessorFast(size=SIZE))


@pytest.fixture
def folder(matcher: KeypointMatchingPipeline, tmp_path: Path) -> Path:
    matcher.model.save_pretrained(tmp_path / "model")
    matcher.image_processor.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def expected_matches(
    matcher: KeypointMatchingPipeline, pair: Pair, threshold: float = 0.0
) -> list[dict[str, Any]]:
    """Return the matches by the second program of transformers' documentation."""
    inputs = matcher.image_processor(pair, return_tensors="pt")
    with torch.inference_mode():
        outputs = matcher.model(**inputs)
    sizes = [[(image.height, image.width) for image in pair]]
    (found,) = matcher.image_processor.post_process_keypoint_matching(outputs, sizes, threshold=threshold)
    rows = zip(found["keypoints0"], found["keypoints1"], found["matching_scores"], strict=True)
    matches = [
        {
            "keypoint_image_0": {"x": float(point0[0]), "y": float(point0[1])},
            "keypoint_image_1": {"x": float(point1[0]), "y": float(point1[1])},
            "score": float(score),
        }
        for point0, point1, score in rows
    ]
    return sorted(matches, key=lambda match: -match["score"])


# --- Inputs and results ---


def test_matches_of_a_pair_by_descending_score(matcher):
    matches = matcher(photos(0, (200, 90)))
    assert matches == expected_matches(matcher, photos(0, (200, 90)))
    matches = matcher(photos(0))
    assert len(matches) > 10
    scores = [match["score"] for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert list(matches[0]) == ["keypoint_image_0", "keypoint_image_1", "score"]
    assert type(matches[0]["keypoint_image_0"]["x"]) is float


@pytest.mark.parametrize("as_", [tuple, list])
def test_pairs_may_be_lists_and_tuples(matcher, as_):
    assert matcher(as_(photos(0))) == matcher(photos(0))
    assert matcher(as_([as_(photos(0)), as_(photos(1))])) == [matcher(photos(0)), matcher(photos(1))]


def test_a_list_of_one_pair_is_unwrapped(matcher):
    assert matcher([photos(0)]) == matcher(photos(0))


def test_paths_and_images_can_be_mixed(matcher, tmp_path):
    first, second = photos(0)
    first.save(tmp_path / "first.png")
    for path in (tmp_path / "first.png", str(tmp_path / "first.png")):
        assert matcher([path, second]) == matcher([first, second])


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_batched_results_are_identical_to_single_pairs(matcher, batch_size):
    pairs = [photos(seed) for seed in range(3)]
    alone = [matcher(pair) for pair in pairs]
    for given in (matcher(pairs, batch_size=batch_size), list(matcher(iter(pairs), batch_size=batch_size))):
        assert [len(matches) for matches in given] == [len(matches) for matches in alone]
        for mine, expected in zip(given, alone, strict=True):
            for one, other in zip(mine, expected, strict=True):
                assert one["score"] == pytest.approx(other["score"], abs=1e-5)


def test_pairs_of_different_sizes_in_one_batch(matcher):
    processor = LightGlueImageProcessorFast(size={"longest_edge": 128})
    own_shape = KeypointMatchingPipeline(matcher.model, processor, batch_size=2)
    pairs = [photos(0, (128, 96)), photos(1, (100, 128))]
    together, alone = own_shape(pairs), [own_shape(pair) for pair in pairs]
    assert [len(matches) for matches in together] == [len(matches) for matches in alone]
    for mine, expected in zip(together, alone, strict=True):
        assert mine[0]["keypoint_image_0"] == pytest.approx(expected[0]["keypoint_image_0"], abs=1e-3)


def test_generator_is_consumed_lazily(matcher):
    consumed = []

    def endless() -> Iterator[Pair]:
        for seed in range(10**9):
            consumed.append(seed)
            yield photos(seed)

    results = matcher(endless(), batch_size=2)
    assert consumed == []
    first = next(results)
    assert consumed == [0, 1]
    assert first[0]["score"] == pytest.approx(matcher(photos(0))[0]["score"], abs=1e-5)


def test_empty_list_and_empty_generator(matcher):
    assert matcher([]) == []
    assert list(matcher(iter([]))) == []


def test_matches_score_above_the_threshold(matcher):
    every = matcher(photos(0))
    middle = every[len(every) // 2]["score"]
    assert matcher(photos(0), threshold=middle) == [match for match in every if match["score"] > middle]
    assert matcher(photos(0), threshold=1.0) == []
    assert matcher([photos(0), photos(1)], 1.0) == [[], []]


def test_exif_orientation_is_applied(matcher):
    first, second = photos(0, (96, 128))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees for display
    rotated = first.transpose(PIL.Image.Transpose.ROTATE_90)
    rotated.getexif().update(exif)
    assert matcher([rotated, second]) == matcher([first, second])


def test_gray_and_transparent_images(matcher):
    first, second = photos(0)
    assert matcher([first.convert("L"), second.convert("RGBA")]) == matcher([first, second])


def test_timeout_is_passed_for_every_url(matcher, monkeypatch):
    timeouts = []

    def reads(image: Any, **options: Any) -> Any:
        timeouts.append(options)
        return read_image(photos(0)[0])

    read_image = pipeline_module().read_image
    monkeypatch.setattr(pipeline_module(), "read_image", reads)
    matcher(["http://127.0.0.1:9/a.jpg", "http://127.0.0.1:9/b.jpg"], timeout=3.5)
    matcher(["http://127.0.0.1:9/a.jpg", "http://127.0.0.1:9/b.jpg"])
    assert timeouts == [{"timeout": 3.5}] * 2 + [{}] * 2


def pipeline_module() -> Any:
    """Return the module, whose name is that of the exported function."""
    import sys

    return sys.modules[KeypointMatchingPipeline.__module__]


@pytest.mark.slow
def test_progress_of_long_lists_is_shown_on_a_terminal_only(matcher, capsys, monkeypatch):
    pairs = [photos(0)] * 10
    matcher(pairs, batch_size=10)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    matcher(pairs, batch_size=10)
    written = capsys.readouterr()
    assert "pairs" in written.err
    assert written.out == ""


# --- Invalid inputs ---


def test_none_is_rejected(matcher):
    with pytest.raises(
        ValueError, match="Cannot call the keypoint-matching pipeline without an inputs argument!"
    ):
        matcher(None)


@pytest.mark.parametrize(
    "inputs",
    [
        "a.jpg",
        ["a.jpg"],
        ["a.jpg", "b.jpg", "c.jpg"],
        [["a.jpg", "b.jpg"], "c.jpg"],
        [["a.jpg", "b.jpg"], ["c.jpg"]],
        [["a.jpg", "b.jpg", "c.jpg"]],
        [[["a.jpg", "b.jpg"]]],
        ["a.jpg", 7],
        3,
        b"ab",
        {"a.jpg": 1},
        torch.zeros(2, 3, 8, 8),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_other_forms_are_rejected(matcher, inputs):
    message = r"^Input images must be a one of the following : - A pair of images\. - A list of pairs"
    with pytest.raises(ValueError, match=message):
        matcher(inputs)


def test_invalid_pair_within_a_generator(matcher):
    results = matcher(iter([photos(0), ["only one"]]))
    next(results)
    with pytest.raises(InvalidInput, match="Input images must be a one of"):
        next(results)


def test_missing_file_is_named(matcher, tmp_path):
    with pytest.raises(InvalidInput, match=r"missing\.jpg"):
        matcher([str(tmp_path / "missing.jpg"), photos(0)[0]])


@pytest.mark.parametrize("batch_size", [0, -1, True])
def test_invalid_batch_sizes_are_rejected(matcher, batch_size):
    with pytest.raises(InvalidInput, match="batch_size must be an integer of at least 1"):
        matcher(photos(0), batch_size=batch_size)


def test_unknown_task_is_rejected():
    with pytest.raises(InvalidInput, match="unknown task 'image-matching'"):
        pipeline("image-matching")


def test_model_object_requires_its_processor(matcher):
    with pytest.raises(InvalidInput, match="requires its image processor"):
        pipeline(model=matcher.model)


# --- Construction ---


@pytest.mark.slow
def test_from_a_folder(matcher, folder):
    for made in (pipeline("keypoint-matching", str(folder)), pipeline(model=folder, dtype="auto")):
        assert made(photos(0)) == matcher(photos(0))


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
@pytest.mark.parametrize("model", [None, "aliked+lightglue", "disk+lightglue"])
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


def test_the_function_is_exported_at_the_top():
    import tiepoint

    assert tiepoint.pipeline is pipeline
