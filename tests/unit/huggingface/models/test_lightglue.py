"""LightGlueForKeypointMatching with small random weights: batches, padding, external keypoints, dtypes, bad input."""

import pytest
import torch
from tests.helpers.keypoint_matching import FIELDS, HEIGHT, WIDTH, noise_pairs
from tests.helpers.random_networks import noise_pair, tiny_config
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    AutoModelForKeypointMatching,
    LightGlueForKeypointMatching,
    LightGlueKeypointMatchingOutput,
)

PER_KEYPOINT_FIELDS = FIELDS[:-1]

pytestmark = pytest.mark.usefixtures("inference_mode")


def unpadded(output: LightGlueKeypointMatchingOutput, pair: int) -> dict[str, list[Tensor]]:
    """Return field -> values of the keypoints of both images of a pair, without padding."""
    masks = output.mask[pair].bool()
    return {
        name: [row[mask] for row, mask in zip(output[name][pair], masks, strict=True)]
        for name in PER_KEYPOINT_FIELDS
    }


def assert_same_pair(
    output: LightGlueKeypointMatchingOutput, pair: int, alone: LightGlueKeypointMatchingOutput
) -> None:
    together, expected = unpadded(output, pair), unpadded(alone, 0)
    for name in PER_KEYPOINT_FIELDS:
        for mine, their in zip(together[name], expected[name], strict=True):
            torch.testing.assert_close(mine, their, atol=1e-5, rtol=0, msg=name)
    assert torch.equal(output.image_sizes[pair], alone.image_sizes[0])


# --- Batches and padding ---


@pytest.mark.slow
def test_batched_results_are_identical_to_single_pairs(adaptive_model):
    images = noise_pairs(3)
    together = adaptive_model(images)
    counts = together.mask.sum(dim=2)
    assert len(counts.unique()) > 2  # ragged
    assert len(together.prune.unique()) > 3  # and adaptive: 0 means padding, 1 to 3 are layers
    for pair in range(3):
        assert_same_pair(together, pair, adaptive_model(images[pair : pair + 1]))
        assert int((together.matches[pair] >= 0).sum()) > 10


def test_padding_is_marked(adaptive_model):
    output = adaptive_model(noise_pairs(2))
    padded = output.mask == 0
    assert padded.any()
    assert output.mask.sum(dim=2).max() == output.mask.shape[2]
    assert output.matches[padded].unique().tolist() == [-1]
    for name in ("matching_scores", "keypoints", "prune"):
        assert output[name][padded].unique().tolist() == [0]


@pytest.mark.slow
def test_padded_images_give_the_same_results_as_unpadded_ones(adaptive_model):
    (wide, tall), (small, full) = noise_pair(80, WIDTH, 0), noise_pair(HEIGHT, 104, 1)
    sizes = [[(80, 128), (80, 120)], [(96, 104), (72, 104)]]
    images = ((wide, tall[:, :, :120]), (small, full[:, :72]))
    padded = torch.full((2, 2, 3, HEIGHT, WIDTH), 0.7)  # the content of the padding is ignored
    for pair, side in ((0, 0), (0, 1), (1, 0), (1, 1)):
        height, width = sizes[pair][side]
        padded[pair, side, :, :height, :width] = images[pair][side]
    together = adaptive_model(padded, image_sizes=sizes)
    assert together.image_sizes.tolist() == torch.tensor(sizes).tolist()
    for pair in (0, 1):
        assert_same_pair(together, pair, adaptive_model(padded[pair][None], image_sizes=[sizes[pair]]))
        for side in (0, 1):
            alone = adaptive_model(torch.stack([images[pair][side]] * 2)[None])
            mask = together.mask[pair, side].bool()
            assert torch.equal(together.keypoints[pair, side][mask], alone.keypoints[0, 0])


def test_keypoints_are_relative_to_the_image_without_padding(model):
    images = noise_pairs(1)
    alone = model(images)
    padded = torch.nn.functional.pad(images, (0, 64, 0, 32))
    output = model(padded, image_sizes=[[(HEIGHT, WIDTH)] * 2])
    for name in FIELDS:
        assert torch.equal(getattr(output, name), getattr(alone, name)), name


def test_a_blank_image_has_no_keypoints_and_no_matches(model):
    images = noise_pairs(2)
    images[0, 1] = 0.5
    output = model(images)
    assert output.mask[0].sum(dim=1).tolist() == [100, 0]
    assert output.matches[0].unique().tolist() == [-1]
    assert output.matching_scores[0].unique().tolist() == [0]
    assert_same_pair(output, 1, model(images[1:]))


def test_only_blank_images(model):
    output = model(torch.full((1, 2, 3, HEIGHT, WIDTH), 0.5))
    assert output.matches.shape == output.mask.shape == (1, 2, 0)
    assert output.keypoints.shape == (1, 2, 0, 2)


# --- External keypoints ---


def detect_features(model: LightGlueForKeypointMatching, images: Tensor) -> dict[str, Tensor]:
    """Return the padded output of the model's detector, as the model accepts it."""
    detections = model.keypoint_detector(
        images.flatten(0, 1), max_keypoints=100, detection_threshold=0.005, strict_border=False
    )
    size = torch.tensor([images.shape[-1], images.shape[-2]])
    parts = [(d.keypoints / size, d.descriptors, torch.ones(len(d.keypoints))) for d in detections]
    columns = [torch.nn.utils.rnn.pad_sequence(list(c), batch_first=True) for c in zip(*parts, strict=True)]
    names = ("keypoints", "descriptors", "mask")
    return {n: c.unflatten(0, (-1, 2)) for n, c in zip(names, columns, strict=True)}


def test_external_keypoints_need_no_pixels(model):
    images = noise_pairs(2)
    expected = model(images)
    given = detect_features(model, images)
    for output in (model(images, **given), model(image_sizes=[[(HEIGHT, WIDTH)] * 2] * 2, **given)):
        for name in FIELDS:
            actual = getattr(output, name)
            torch.testing.assert_close(actual, getattr(expected, name), atol=1e-5, rtol=0, msg=name)


def test_external_keypoints_replace_the_detection(model, monkeypatch):
    given = detect_features(model, noise_pairs(1))
    monkeypatch.setattr(model.keypoint_detector, "forward", lambda *_, **__: pytest.fail("the detector runs"))
    assert int((model(noise_pairs(1), **given).matches >= 0).sum()) > 10


def test_masked_keypoints_are_ignored(model):
    given = detect_features(model, noise_pairs(1))
    few = {name: values[:, :, :60] for name, values in given.items()}
    given["mask"][:, :, 60:] = 0
    image_sizes = [[(HEIGHT, WIDTH)] * 2]
    masked, short = model(image_sizes=image_sizes, **given), model(image_sizes=image_sizes, **few)
    assert torch.equal(masked.matches, short.matches)
    assert masked.mask.sum() == 120


def test_without_a_mask_no_keypoint_is_padding(model):
    given = detect_features(model, noise_pairs(1))
    del given["mask"]
    assert torch.equal(model(noise_pairs(1), **given).matches, model(noise_pairs(1)).matches)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"descriptors": None}, "keypoints and descriptors must be passed together"),
        ({"keypoints": None}, "keypoints and descriptors must be passed together"),
        ({"image_sizes": None}, "pass pixel_values or image_sizes"),
        ({"mask": torch.ones(1, 2, 7)}, r"and mask \(b, 2, n\) with b = 1, .* and \(1, 2, 7\)"),
    ],
)
def test_incomplete_external_features_are_rejected(model, change, message):
    inputs = {
        "keypoints": torch.zeros(1, 2, 5, 2),
        "descriptors": torch.zeros(1, 2, 5, 48),
        "image_sizes": [[(HEIGHT, WIDTH)] * 2],
    }
    with pytest.raises(InvalidInput, match=message):
        model(**inputs | change)


# --- Bad input ---


def test_wrong_shapes_of_pixel_values_are_rejected(model):
    with pytest.raises(InvalidInput, match=r"Input must be a 5D tensor .* got shape \(1, 3, 3, 32, 32\)"):
        model(torch.zeros(1, 3, 3, 32, 32))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([[HEIGHT, WIDTH]], r"image_sizes must have shape \(1, 2, 2\)"),
        ([[(HEIGHT, WIDTH)] * 2] * 2, r"image_sizes must have shape \(1, 2, 2\).* got \(2, 2, 2\)"),
        ([[(HEIGHT, WIDTH), (WIDTH, HEIGHT)]], r"\(128, 96\) is not a \(height, width\) within"),
        ([[(HEIGHT, WIDTH), (0, 5)]], r"\(0, 5\) is not"),
    ],
)
def test_invalid_image_sizes_are_rejected(model, sizes, message):
    with pytest.raises(InvalidInput, match=message):
        model(noise_pairs(1), image_sizes=sizes)


def test_labels_are_rejected_with_a_pointer_to_training(model):
    with pytest.raises(ValueError, match=r"not trainable, no labels .* tiepoint\.train"):
        model(noise_pairs(1), labels=torch.zeros(1))


def test_neither_pixels_nor_keypoints(model):
    with pytest.raises(InvalidInput, match="pass pixel_values, or keypoints"):
        model(image_sizes=[[(HEIGHT, WIDTH)] * 2])


@pytest.mark.parametrize(
    "settings",
    [{"num_key_value_heads": 1}, {"attention_bias": False}, {"hidden_act": "relu"}],
    ids=lambda settings: next(iter(settings)),
)
def test_unsupported_configurations_are_rejected(settings):
    (name,) = settings
    with pytest.raises(InvalidInput, match=f"LightGlue does not support {name}="):
        LightGlueForKeypointMatching(tiny_config(**settings))


def test_without_pruning_prune_is_the_number_of_layers(model):
    assert model(noise_pairs(1)).prune.unique().tolist() == [3]


def test_thresholds_apply_when_the_model_runs(model):
    before = model(noise_pairs(1))
    model.config.filter_threshold = 0.5
    after = model(noise_pairs(1))
    assert 0 < int((after.matches >= 0).sum()) < int((before.matches >= 0).sum())
    assert torch.equal(after.matching_scores, before.matching_scores)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_keypoints_stay_float32(model, dtype):
    images = noise_pairs(1)
    expected = model(images)
    model = model.to(dtype)
    assert (model.dtype, model.device) == (dtype, torch.device("cpu"))
    output = model(images)
    assert output.keypoints.dtype == torch.float32
    pixels = output.keypoints * torch.tensor([WIDTH, HEIGHT])
    torch.testing.assert_close(pixels, pixels.round(), atol=1e-3, rtol=0)
    common = set(map(tuple, pixels[0, 0].round().tolist())) & set(
        map(tuple, (expected.keypoints[0, 0] * torch.tensor([WIDTH, HEIGHT])).round().tolist())
    )
    assert len(common) > 50
    assert int((output.matches >= 0).sum()) > 20


def test_from_config_returns_a_random_model_in_evaluation_mode():
    model = AutoModelForKeypointMatching.from_config(tiny_config(initializer_range=0.01))
    assert isinstance(model, LightGlueForKeypointMatching)
    assert not model.training
    assert model.matcher.transformers[0].self_attn.Wqkv.weight.std() == pytest.approx(0.01, rel=0.1)
    assert model.keypoint_detector.conv1b.bias.unique().tolist() == [0]
    assert model.main_input_name == "pixel_values"
