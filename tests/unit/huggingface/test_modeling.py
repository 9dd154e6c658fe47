"""LightGlueForKeypointMatching with small random weights: batches, padding, given keypoints, types, bad input."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.helpers.random_networks import noise_pair, random_model, tiny_config
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    AutoModelForKeypointMatching,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueKeypointMatchingOutput,
)
from tiepoint.huggingface.modeling import checked_sizes, given_keypoints

HEIGHT, WIDTH = 96, 128
FIELDS = ("matches", "matching_scores", "keypoints", "prune", "mask", "image_sizes")
PER_KEYPOINT = FIELDS[:-1]


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def adaptive() -> LightGlueForKeypointMatching:
    """Pairs stop after their own layer, and lose keypoints; as many keypoints as there are."""
    return random_model(tiny_config(max_keypoints=-1, depth_confidence=0.9, width_confidence=0.7))


@pytest.fixture
def model() -> LightGlueForKeypointMatching:
    return random_model(tiny_config(max_keypoints=100, depth_confidence=-1, width_confidence=-1))


def pairs(count: int) -> Tensor:
    return torch.stack([noise_pair(HEIGHT, WIDTH, seed) for seed in range(count)])


def unpadded(output: LightGlueKeypointMatchingOutput, pair: int) -> dict[str, list[Tensor]]:
    """Field -> what it says of the real keypoints of both images of a pair."""
    masks = output.mask[pair].bool()
    return {
        name: [row[mask] for row, mask in zip(output[name][pair], masks, strict=True)]
        for name in PER_KEYPOINT
    }


def assert_same_pair(
    output: LightGlueKeypointMatchingOutput, pair: int, alone: LightGlueKeypointMatchingOutput
) -> None:
    together, expected = unpadded(output, pair), unpadded(alone, 0)
    for name in PER_KEYPOINT:
        for mine, their in zip(together[name], expected[name], strict=True):
            torch.testing.assert_close(mine, their, atol=1e-5, rtol=0, msg=name)
    assert torch.equal(output.image_sizes[pair], alone.image_sizes[0])


# --- Batches and padding ---


def test_a_batch_gives_what_each_pair_gives_alone(adaptive):
    images = pairs(3)
    together = adaptive(images)
    counts = together.mask.sum(dim=2)
    assert len(counts.unique()) > 2  # ragged
    assert len(together.prune.unique()) > 3  # and adaptive: 0 is padding, at most 3 are layers
    for pair in range(3):
        assert_same_pair(together, pair, adaptive(images[pair : pair + 1]))
        assert int((together.matches[pair] >= 0).sum()) > 10


def test_padding_is_marked(adaptive):
    output = adaptive(pairs(2))
    padded = output.mask == 0
    assert padded.any()
    assert output.mask.sum(dim=2).max() == output.mask.shape[2]
    assert output.matches[padded].unique().tolist() == [-1]
    for name in ("matching_scores", "keypoints", "prune"):
        assert output[name][padded].unique().tolist() == [0]


def test_padded_images_give_what_they_give_alone(adaptive):
    (wide, high), (small, full) = noise_pair(80, WIDTH, 0), noise_pair(HEIGHT, 104, 1)
    sizes = [[(80, 128), (80, 120)], [(96, 104), (72, 104)]]
    images = ((wide, high[:, :, :120]), (small, full[:, :72]))
    padded = torch.full((2, 2, 3, HEIGHT, WIDTH), 0.7)  # what stands there plays no part
    for pair, side in ((0, 0), (0, 1), (1, 0), (1, 1)):
        height, width = sizes[pair][side]
        padded[pair, side, :, :height, :width] = images[pair][side]
    together = adaptive(padded, image_sizes=sizes)
    assert together.image_sizes.tolist() == torch.tensor(sizes).tolist()
    for pair in (0, 1):
        assert_same_pair(together, pair, adaptive(padded[pair][None], image_sizes=[sizes[pair]]))
        for side in (0, 1):
            alone = adaptive(torch.stack([images[pair][side]] * 2)[None])
            mask = together.mask[pair, side].bool()
            assert torch.equal(together.keypoints[pair, side][mask], alone.keypoints[0, 0])


def test_keypoints_are_relative_to_the_image_without_padding(model):
    images = pairs(1)
    alone = model(images)
    padded = torch.nn.functional.pad(images, (0, 64, 0, 32))
    output = model(padded, image_sizes=[[(HEIGHT, WIDTH)] * 2])
    for name in FIELDS:
        assert torch.equal(output[name], alone[name]), name


def test_a_blank_image_has_no_keypoints_and_no_matches(model):
    images = pairs(2)
    images[0, 1] = 0.5
    output = model(images)
    assert output.mask[0].sum(dim=1).tolist() == [100, 0]
    assert output.matches[0].unique().tolist() == [-1]
    assert output.matching_scores[0].unique().tolist() == [0]
    assert_same_pair(output, 1, model(images[1:]))


def test_nothing_but_blank_images(model):
    output = model(torch.full((1, 2, 3, HEIGHT, WIDTH), 0.5))
    assert output.matches.shape == output.mask.shape == (1, 2, 0)
    assert output.keypoints.shape == (1, 2, 0, 2)


# --- Keypoints from outside ---


def found(model: LightGlueForKeypointMatching, images: Tensor) -> dict[str, Tensor]:
    """What the detector of the model finds, padded, as the model takes it from outside."""
    detections = model.keypoint_detector(
        images.flatten(0, 1), max_keypoints=100, detection_threshold=0.005, strict_border=False
    )
    size = torch.tensor([images.shape[-1], images.shape[-2]])
    parts = [(d.keypoints / size, d.descriptors, torch.ones(len(d.keypoints))) for d in detections]
    columns = [torch.nn.utils.rnn.pad_sequence(list(c), batch_first=True) for c in zip(*parts, strict=True)]
    names = ("keypoints", "descriptors", "mask")
    return {n: c.unflatten(0, (-1, 2)) for n, c in zip(names, columns, strict=True)}


def test_given_keypoints_need_no_pixels(model):
    images = pairs(2)
    expected = model(images)
    given = found(model, images)
    for output in (model(images, **given), model(image_sizes=[[(HEIGHT, WIDTH)] * 2] * 2, **given)):
        for name in FIELDS:
            torch.testing.assert_close(output[name], expected[name], atol=1e-5, rtol=0, msg=name)


def test_given_keypoints_are_not_detected_again(model, monkeypatch):
    given = found(model, pairs(1))
    monkeypatch.setattr(model.keypoint_detector, "forward", lambda *_, **__: pytest.fail("detects"))
    assert int((model(pairs(1), **given).matches >= 0).sum()) > 10


def test_masked_keypoints_are_left_out(model):
    given = found(model, pairs(1))
    few = {name: values[:, :, :60] for name, values in given.items()}
    given["mask"][:, :, 60:] = 0
    image_sizes = [[(HEIGHT, WIDTH)] * 2]
    masked, short = model(image_sizes=image_sizes, **given), model(image_sizes=image_sizes, **few)
    assert torch.equal(masked.matches, short.matches)
    assert masked.mask.sum() == 120


def test_without_a_mask_all_keypoints_are_real(model):
    given = found(model, pairs(1))
    del given["mask"]
    assert torch.equal(model(pairs(1), **given).matches, model(pairs(1)).matches)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"descriptors": None}, "keypoints and descriptors go together"),
        ({"keypoints": None}, "keypoints and descriptors go together"),
        ({"image_sizes": None}, "pass pixel_values or image_sizes"),
        ({"mask": torch.ones(1, 2, 7)}, r"and mask \(b, 2, n\) for b = 1 pairs, .* and \(1, 2, 7\)"),
    ],
)
def test_given_keypoints_that_are_not_complete(model, change, message):
    inputs = {
        "keypoints": torch.zeros(1, 2, 5, 2),
        "descriptors": torch.zeros(1, 2, 5, 48),
        "image_sizes": [[(HEIGHT, WIDTH)] * 2],
    }
    with pytest.raises(InvalidInput, match=message):
        model(**inputs | change)


@pytest.mark.parametrize(
    ("keypoints", "descriptors"), [((1, 2, 5, 2), (1, 2, 7, 48)), ((3, 2, 5, 2), (3, 2, 5, 48))]
)
def test_given_keypoints_that_do_not_fit(keypoints, descriptors):
    """Without the checker of shapes, which is for tests only."""
    with pytest.raises(InvalidInput, match=r"keypoints must be \(b, 2, n, 2\), .* for b = 1 pairs, but are"):
        given_keypoints(torch.zeros(keypoints), torch.zeros(descriptors), None, [(HEIGHT, WIDTH)] * 2)


# --- Bad input ---


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 3, 32, 32), (1, 1, 3, 32, 32), (32, 32)])
def test_pixels_that_are_no_pairs(shape):
    message = r"Input must be a 5D tensor of shape \(batch_size, 2, num_channels, height, width\)"
    with pytest.raises(ValueError, match=message):
        checked_sizes(torch.zeros(shape), None)


def test_the_model_says_so_too(model):
    with pytest.raises(InvalidInput, match=r"Input must be a 5D tensor .* came as \(1, 3, 3, 32, 32\)"):
        model(torch.zeros(1, 3, 3, 32, 32))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([[HEIGHT, WIDTH]], r"image_sizes must be \(1, 2, 2\)"),
        ([[(HEIGHT, WIDTH)] * 2] * 2, r"image_sizes must be \(1, 2, 2\).* is \(2, 2, 2\)"),
        ([[(HEIGHT, WIDTH), (WIDTH, HEIGHT)]], r"\(128, 96\), which is not a \(height, width\) within"),
        ([[(HEIGHT, WIDTH), (0, 5)]], r"\(0, 5\), which is not"),
    ],
)
def test_sizes_that_the_images_cannot_have(model, sizes, message):
    with pytest.raises(InvalidInput, match=message):
        model(pairs(1), image_sizes=sizes)


def test_labels_are_refused_with_a_pointer_to_training(model):
    with pytest.raises(ValueError, match=r"not trainable, no labels .* tiepoint\.models\.lightglue"):
        model(pairs(1), labels=torch.zeros(1))


def test_neither_pixels_nor_keypoints(model):
    with pytest.raises(InvalidInput, match="pass pixel_values, or keypoints"):
        model(image_sizes=[[(HEIGHT, WIDTH)] * 2])


@pytest.mark.parametrize(
    "settings",
    [{"num_key_value_heads": 1}, {"attention_bias": False}, {"hidden_act": "relu"}],
    ids=lambda settings: next(iter(settings)),
)
def test_what_lightglue_cannot_be(settings):
    (name,) = settings
    with pytest.raises(InvalidInput, match=f"{name}=.* is not LightGlue's"):
        LightGlueForKeypointMatching(tiny_config(**settings))


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ({"keypoint_decoder_dim": 64}, "keypoint_decoder_dim must be 65"),
        ({"encoder_hidden_sizes": (8, 8)}, "must be four numbers"),
    ],
)
def test_what_superpoint_cannot_be(detector, message):
    with pytest.raises(InvalidInput, match=message):
        LightGlueForKeypointMatching(LightGlueConfig(keypoint_detector_config=detector))


# --- The output ---


def test_the_output_is_an_object_a_mapping_and_a_tuple(model):
    output = model(pairs(1))
    assert output.loss is output.hidden_states is output.attentions is None
    assert tuple(output.keys()) == FIELDS
    assert output["matches"] is output.matches is output[0]
    assert output[-1] is output.image_sizes
    assert [name for name in output] == list(FIELDS)  # noqa: C416, iteration is what is tested
    assert len(output) == len(output.to_tuple()) == 6
    with pytest.raises(KeyError):
        output["attentions"]


def test_return_dict_false_gives_the_tuple(model):
    output = model(pairs(1), return_dict=False)
    assert isinstance(output, tuple)
    assert torch.equal(output[0], model(pairs(1)).matches)


def test_no_adaptivity_says_all_layers(model):
    assert model(pairs(1)).prune.unique().tolist() == [3]


def test_thresholds_are_read_when_the_model_runs(model):
    before = model(pairs(1))
    model.config.filter_threshold = 0.5
    after = model(pairs(1))
    assert 0 < int((after.matches >= 0).sum()) < int((before.matches >= 0).sum())
    assert torch.equal(after.matching_scores, before.matching_scores)


# --- Hidden states and attentions ---


@pytest.mark.parametrize(
    ("asked", "states", "attentions"),
    [
        ({"output_hidden_states": True}, 21, None),
        ({"output_attentions": True}, None, 6),
        ({"output_hidden_states": True, "output_attentions": True}, 21, 6),
    ],
)
def test_what_is_asked_for_comes(model, asked, states, attentions):
    images = pairs(2)
    output = model(images, **asked)
    assert (output.hidden_states and len(output.hidden_states)) == states
    assert (output.attentions and len(output.attentions)) == attentions
    if states:
        assert {tuple(s.shape) for s in output.hidden_states} == {(4, 100, 64), (4, 100, 128)}
    if attentions:
        assert {tuple(a.shape) for a in output.attentions} == {(4, 2, 100, 100)}
        torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones(4, 2, 100))
    plain = model(images)
    for name in FIELDS:
        torch.testing.assert_close(output[name], plain[name], atol=1e-5, rtol=0, msg=name)


def test_the_dense_form_ignores_padding(adaptive):
    adaptive.config.depth_confidence = adaptive.config.width_confidence = -1
    images = pairs(2)
    try:
        output, plain = adaptive(images, output_hidden_states=True), adaptive(images)
    finally:
        adaptive.config.depth_confidence, adaptive.config.width_confidence = 0.9, 0.7
    assert (plain.mask == 0).any()
    for name in FIELDS:
        torch.testing.assert_close(output[name], plain[name], atol=1e-5, rtol=0, msg=name)


def test_one_warning_says_that_adaptivity_is_off(adaptive, model):
    with pytest.warns(UserWarning, match="adaptivity is off in this call") as caught:
        output = adaptive(pairs(1), output_attentions=True)
    assert len(caught) == 1
    assert output.prune[output.mask.bool()].unique().tolist() == [3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(pairs(1), output_attentions=True)


# --- Types and places ---


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_keypoints_stay_float32(model, dtype):
    images = pairs(1)
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


def test_from_config_is_random_and_in_evaluation_mode():
    model = AutoModelForKeypointMatching.from_config(tiny_config(initializer_range=0.01))
    assert isinstance(model, LightGlueForKeypointMatching)
    assert not model.training
    assert model.matcher.transformers[0].self_attn.Wqkv.weight.std() == pytest.approx(0.01, rel=0.1)
    assert model.keypoint_detector.conv1b.bias.unique().tolist() == [0]
    assert model.main_input_name == "pixel_values"


def test_the_detector_inside_follows_the_configuration(model: Any):
    model.config.keypoint_detector_config.max_keypoints = 5
    assert model(pairs(1)).mask.sum(dim=2).tolist() == [[5, 5]]
    model.config.keypoint_detector_config.max_keypoints = 100
    model.config.keypoint_detector_config.strict_border = True
    inside = model(pairs(1)).keypoints[0, 0] * torch.tensor([WIDTH, HEIGHT])
    assert float(inside[:, 0].max()) < WIDTH - 4
    assert float(inside[:, 1].max()) < HEIGHT - 4
