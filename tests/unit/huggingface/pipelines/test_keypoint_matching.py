"""KeypointMatchingPipeline: inputs, results, and equality with image processor, model and post-processing."""

import base64
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from tests.helpers.keypoint_matching import photos
from tests.helpers.random_networks import random_model, tiny_config

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import KeypointMatchingPipeline, LightGlueImageProcessorFast, pipeline

Pair = list[PIL.Image.Image]
SIZE = {"height": 96, "width": 128}


@pytest.fixture(scope="module")
def matcher() -> KeypointMatchingPipeline:
    model = random_model(tiny_config(max_keypoints=100, depth_confidence=-1, width_confidence=-1))
    return pipeline(model=model, image_processor=LightGlueImageProcessorFast(size=SIZE))


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


def test_empty_generators_yield_nothing_and_others_end_early(matcher):
    assert list(matcher(iter([]), batch_size=2)) == []
    results = list(matcher(iter([photos(0)]), batch_size=2, num_workers=2))
    assert [len(matches) for matches in results] == [len(matcher(photos(0)))]
    assert list(matcher(iter([photos(0)]))) == [matcher([photos(0)])]  # not unwrapped


@pytest.mark.parametrize("empty", [[], ()])
def test_an_empty_list_is_rejected(matcher, empty):
    for error in (IndexError, ValueError, InvalidInput):
        with pytest.raises(error, match=f"A list of pairs of images. Got an empty {type(empty).__name__}"):
            matcher(empty)


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


def test_timeouts_of_servers_that_do_not_answer(matcher):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"
        hasty = KeypointMatchingPipeline(matcher.model, matcher.image_processor, timeout=0.05)
        for call in (lambda: matcher([url, url], timeout=0.05), lambda: hasty([[url, url]])):
            with pytest.raises(
                InvalidInput, match=r"cannot download .*timeout of 0\.05 s exceeded"
            ) as caught:
                call()
            assert "\n" not in str(caught.value)


def test_data_urls_and_base64(matcher):
    first, second = photos(0)
    stream = io.BytesIO()
    first.save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    for source in (text, f"data:image/png;base64,{text}"):
        assert matcher([source, second]) == matcher([first, second])
    with pytest.raises(InvalidInput, match="the data: URL") as caught:
        matcher([f"data:image/png;base64,{text[:-400]}", second])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("num_workers", [1, 3])
def test_images_are_read_in_threads(matcher, num_workers):
    pairs = [photos(0), photos(1)]
    for results in (
        matcher(pairs, num_workers=num_workers),
        list(matcher(iter(pairs), num_workers=num_workers)),
        KeypointMatchingPipeline(matcher.model, matcher.image_processor, num_workers=num_workers)(pairs),
    ):
        assert results == matcher(pairs)
    results = matcher(iter([photos(0), ["only one"]]), num_workers=num_workers)
    next(results)
    with pytest.raises(InvalidInput, match="Got a list of 1: str as a pair"):
        next(results)


def test_defaults_of_calls_are_options_of_the_pipeline(matcher):
    every = matcher(photos(0))
    middle = every[len(every) // 2]["score"]
    strict = KeypointMatchingPipeline(matcher.model, matcher.image_processor, threshold=middle, batch_size=2)
    assert strict(photos(0)) == matcher(photos(0), threshold=middle)
    assert strict(inputs=photos(0), threshold=0.0) == every
    assert (strict.batch_size, strict.num_workers, strict.task) == (2, 0, "keypoint-matching")


def test_a_call_is_three_steps(matcher):
    inputs = matcher.preprocess(photos(0), timeout=1)
    assert inputs["model_inputs"].pixel_values.shape == (1, 2, 3, 96, 128)
    assert inputs["target_sizes"] == [[(96, 128), (96, 128)]]
    outputs = matcher.forward(inputs)
    assert not outputs["model_outputs"].keypoints.requires_grad
    every = matcher(photos(0))
    assert matcher.postprocess(outputs) == matcher.predict(photos(0)) == matcher.transform(photos(0)) == every
    assert matcher.postprocess(outputs, threshold=1.0) == []


def test_attributes(matcher):
    assert matcher.device == torch.device("cpu")
    assert matcher.dtype == matcher.torch_dtype == torch.float32
    assert matcher.feature_extractor is None
    assert repr(matcher) == "KeypointMatchingPipeline: LightGlueForKeypointMatching, float32, cpu"
    with matcher.device_placement():
        assert torch.empty(1).device == torch.device("cpu")
    processor = matcher.image_processor
    by_old_name = KeypointMatchingPipeline(matcher.model, feature_extractor=processor)
    assert by_old_name.image_processor is by_old_name.feature_extractor is processor


def test_saved_pipelines_load(matcher, tmp_path):
    assert matcher.save_pretrained(tmp_path / "saved") is None
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert pipeline(model=tmp_path / "saved", device="cpu")(photos(0)) == matcher(photos(0))


def test_uploads_contain_model_and_image_processor(matcher, tmp_path, monkeypatch):
    uploaded = {}

    def push(folder: str | Path, repo_id: str, **options: Any) -> str:
        uploaded[repo_id] = sorted(path.name for path in Path(folder).iterdir()), options
        return "url"

    for module in ("pipelines.keypoint_matching", "models.pretrained"):
        monkeypatch.setattr(f"tiepoint.huggingface.{module}.push_folder", push)
    matcher.save_pretrained(tmp_path / "b", push_to_hub=True, repo_id="me/b")
    assert matcher.push_to_hub("me/a", private=True) == "url"
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert uploaded == {"me/a": (names, {"private": True}), "me/b": (names, {})}


@pytest.mark.parametrize("device", ["cpu", -1, torch.device("cpu")])
def test_devices(matcher, device):
    made = KeypointMatchingPipeline(matcher.model, matcher.image_processor, device=device)
    assert made.device == torch.device("cpu")


def test_the_model_is_converted_to_a_dtype(model):
    for options, expected in (
        ({"dtype": "auto"}, torch.float32),
        ({"torch_dtype": "float64"}, torch.float64),
    ):
        made = KeypointMatchingPipeline(model, LightGlueImageProcessorFast(), device="cpu", **options)
        assert made.dtype == expected
    with pytest.raises(InvalidInput, match="dtype must be 'auto'"):
        KeypointMatchingPipeline(model, LightGlueImageProcessorFast(), dtype="int8")


def test_without_a_device_the_first_gpu_is_used(model, monkeypatch):
    chosen = {"auto": torch.device("meta"), "cpu": torch.device("cpu")}
    monkeypatch.setattr("tiepoint.huggingface.pipelines.keypoint_matching.choose_device", chosen.__getitem__)
    assert KeypointMatchingPipeline(model, LightGlueImageProcessorFast(), device=-1).device.type == "cpu"
    assert KeypointMatchingPipeline(model, LightGlueImageProcessorFast()).device.type == "meta"
    assert KeypointMatchingPipeline(model, LightGlueImageProcessorFast()).device.type == "meta"  # stays


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_index_is_the_cpu(matcher):
    with pytest.warns(UserWarning, match="there is no GPU 0; the pipeline runs on the CPU") as caught:
        made = KeypointMatchingPipeline(matcher.model, matcher.image_processor, device=0)
    assert made.device == torch.device("cpu")
    assert caught[0].filename == __file__
    with pytest.raises(InvalidInput, match="cannot use device 'cuda:7'"):
        KeypointMatchingPipeline(matcher.model, matcher.image_processor, device="cuda:7")


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


def test_invalid_options_of_the_constructor(matcher):
    with pytest.raises(InvalidInput, match="requires its image processor"):
        KeypointMatchingPipeline(matcher.model)
    with pytest.raises(TypeError, match=r"^KeypointMatchingPipeline: unknown option 'foo'"):
        KeypointMatchingPipeline(matcher.model, matcher.image_processor, foo=1)
    with pytest.warns(UserWarning, match=r"^KeypointMatchingPipeline: tokenizer has no effect"):
        KeypointMatchingPipeline(matcher.model, matcher.image_processor, tokenizer="bert", processor=None)
    for options in ({"batch_size": 0}, {"num_workers": -1}):
        with pytest.raises(InvalidInput, match=f"{next(iter(options))} must be an integer"):
            KeypointMatchingPipeline(matcher.model, matcher.image_processor, **options)
    with pytest.raises(TypeError, match="foo"):
        matcher(photos(0), foo=1)


@pytest.mark.parametrize("batch_size", [0, -1, True])
def test_invalid_batch_sizes_are_rejected(matcher, batch_size):
    with pytest.raises(InvalidInput, match="batch_size must be an integer of at least 1"):
        matcher(photos(0), batch_size=batch_size)
