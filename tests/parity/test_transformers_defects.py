"""Defects of transformers' LightGlue: each test shows the expected result, transformers' wrong one, and ours.

The networks are transparent: their layers do not change the tokens, a keypoint matches the one with the same
descriptor, and single dimensions of the descriptors encode after which layer a keypoint is confident and whether it is
matchable. So the expected result is known without running a network.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.random_networks import noise_pair, random_model, tiny_config
from torch import Tensor, nn

from tiepoint.huggingface import (
    KeypointMatchingPipeline,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    to_transformers,
)
from tiepoint.models.keypoints import Detection

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:transformers")

HEIGHT, WIDTH = 480, 640
DIM, LAYERS = 32, 3
CONFIDENT_AFTER_1, CONFIDENT_AFTER_2, MATCHABLE, FIRST_OF_SCENE = 0, 1, 2, 3
"""Descriptor dimensions: confidence after the first and second layer, matchability, then the identity of the point."""


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def transparent_model(depth_confidence: float = 0.95, width_confidence: float = 1.0):
    """Return our model, by default with early stopping and without pruning (1.0 disables it in transformers)."""
    config = LightGlueConfig(
        keypoint_detector_config={"descriptor_decoder_dim": DIM},
        descriptor_dim=DIM,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        depth_confidence=depth_confidence,
        width_confidence=width_confidence,
    )
    model = LightGlueForKeypointMatching(config)
    for parameter in model.matcher.parameters():
        parameter.zero_()
    scene = torch.arange(DIM) >= FIRST_OF_SCENE
    for layer in range(LAYERS):
        head = model.matcher.log_assignment[layer]
        head.final_proj.weight.copy_(torch.diag(scene * 10.0))  # similarity of equals: 100 / sqrt(32)
        head.matchability.weight[0, MATCHABLE] = 10.0
    for layer, column in enumerate((CONFIDENT_AFTER_1, CONFIDENT_AFTER_2)):
        model.matcher.token_confidence[layer].token[0].weight[0, column] = 10.0
    return model


def image(points: list[int], *, confident_after: int, unmatchable: tuple[int, ...] = ()) -> Tensor:
    """Return descriptors (n, DIM) of the given points of a scene; `confident_after` LAYERS means never confident."""
    descriptors = torch.zeros(len(points), DIM)
    descriptors[:, CONFIDENT_AFTER_1] = 1.0 if confident_after == 1 else -1.0
    descriptors[:, CONFIDENT_AFTER_2] = 1.0 if confident_after <= 2 else -1.0
    for row, point in enumerate(points):
        descriptors[row, MATCHABLE] = -1.0 if point in unmatchable else 1.0
        descriptors[row, FIRST_OF_SCENE + point] = 1.0
    return descriptors


def ground_truth(points0: list[int], points1: list[int]) -> list[list[int]]:
    """Return the expected matches: every point matches itself."""

    def partners(points: list[int], others: list[int]) -> list[int]:
        return [others.index(point) if point in others else -1 for point in points]

    return [partners(points0, points1), partners(points1, points0)]


class GivenKeypoints(nn.Module):
    """Replacement for the SuperPoint of transformers: returns the given features and counts the calls."""

    def __init__(self, keypoints: Tensor, descriptors: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.given = [values.flatten(0, 1) for values in (keypoints, descriptors, mask)]
        self.calls = 0

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        keypoints, descriptors, mask = self.given
        return keypoints, torch.ones(mask.shape), descriptors, mask


def inputs_of(pairs: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Return pairs of descriptors as a padded batch, with random keypoints."""
    flat = [descriptors for pair in pairs for descriptors in pair]
    padded = nn.utils.rnn.pad_sequence(flat, batch_first=True).unflatten(0, (-1, 2))
    ones = [torch.ones(len(descriptors), dtype=torch.int32) for descriptors in flat]
    mask = nn.utils.rnn.pad_sequence(ones, batch_first=True).unflatten(0, (-1, 2))
    keypoints = torch.rand(*mask.shape, 2, generator=torch.Generator().manual_seed(0)) * mask[..., None]
    return {"keypoints": keypoints, "descriptors": padded, "mask": mask}


def without_detector(model: LightGlueForKeypointMatching, given: dict[str, Tensor]) -> nn.Module:
    """Return the model in transformers, with a detector that returns the given keypoints."""
    theirs = to_transformers(model)
    theirs.keypoint_detector = GivenKeypoints(**given)
    return theirs


def run_both(
    model: LightGlueForKeypointMatching, pairs: list[tuple[Tensor, Tensor]]
) -> tuple[Any, nn.Module, Tensor]:
    """Return our output, transformers' model, and the pixels to run it on."""
    given = inputs_of(pairs)
    pixels = torch.zeros(len(pairs), 2, 1, HEIGHT, WIDTH)
    return model(pixels, **given), without_detector(model, given), pixels


SCENE = list(range(12))
SHUFFLED = [5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6]
REVERSED = SCENE[::-1]


def test_1_batch_is_swapped_if_the_second_pair_stops_first():
    pairs = [
        (image(SCENE, confident_after=2), image(SHUFFLED, confident_after=2)),
        (image(SCENE, confident_after=1), image(REVERSED, confident_after=1)),
    ]
    expected = [ground_truth(SCENE, SHUFFLED), ground_truth(SCENE, REVERSED)]
    ours, theirs, pixels = run_both(transparent_model(), pairs)
    assert theirs(pixels).matches.tolist() == expected[::-1]
    assert ours.matches.tolist() == expected


PRUNED = (3, 7)
"""Points of image 0 that are pruned, because they are confidently unmatchable; image 1 is not pruned."""
REST = [point for point in SHUFFLED if point not in PRUNED]


@pytest.mark.parametrize("batch", [False, True], ids=["one pair", "a batch"])
def test_2_padding_overwrites_the_match_of_the_last_keypoint(batch: bool):
    scenes = [(SCENE, [*REST, 12, 13])] + [(REVERSED, [14, *REST, 15])] * batch
    expected = [ground_truth(*scene) for scene in scenes]
    pairs = [
        (image(of0, confident_after=1, unmatchable=PRUNED), image(of1, confident_after=LAYERS))
        for of0, of1 in scenes
    ]
    model = transparent_model(depth_confidence=1.0, width_confidence=0.99)
    ours, theirs, pixels = run_both(model, pairs)
    for wrong, right in zip(theirs(pixels).matches.tolist(), expected, strict=True):
        assert wrong[0][:-1] == right[0][:-1]
        assert (wrong[0][-1], right[0][-1] >= 0) == (-1, True)
    assert ours.matches.tolist() == expected


class OneKeypoint(nn.Module):
    """Detects pixel (320, 240) of 640 x 480 px, (0.5, 0.5) in the coordinates of transformers."""

    def __init__(self, relative: bool) -> None:
        super().__init__()
        self.relative = relative

    def forward(self, images: Tensor, **_: Any) -> Any:
        n, descriptor = len(images), image([0], confident_after=1)
        if self.relative:
            return (
                torch.full((n, 1, 2), 0.5),
                torch.ones(n, 1),
                descriptor.expand(n, 1, -1),
                torch.ones(n, 1).int(),
            )
        return [Detection(torch.tensor([[320.0, 240.0]]), torch.ones(1), descriptor) for _ in range(n)]


def test_3_the_pipeline_scales_x_by_the_height():
    photos = [PIL.Image.fromarray(np.zeros((400, 1000, 3), np.uint8))] * 2
    model = transparent_model()
    theirs = to_transformers(model)
    theirs.keypoint_detector = OneKeypoint(relative=True)
    processor = transformers.LightGlueImageProcessor()
    pipeline = transformers.pipeline("keypoint-matching", model=theirs, image_processor=processor)
    assert pipeline(photos)[0]["keypoint_image_0"] == {"x": 200, "y": 500}
    model.keypoint_detector = OneKeypoint(relative=False)
    (match,) = KeypointMatchingPipeline(model, LightGlueImageProcessorFast())(photos)
    # the image center is the left edge of pixel 320; its center is half a processed pixel minus half an original one further
    expected = {"x": 500 + (1000 / 640 - 1) / 2, "y": 200 + (400 / 480 - 1) / 2}
    assert match["keypoint_image_0"] == pytest.approx(expected, abs=1e-3)


def test_4_batch_fails_if_one_pair_stops_and_another_reaches_the_last_layer():
    pairs = [
        (image(SCENE, confident_after=1), image(REVERSED, confident_after=1)),
        (image(SCENE, confident_after=LAYERS), image(SHUFFLED, confident_after=LAYERS)),
    ]
    ours, theirs, pixels = run_both(transparent_model(), pairs)
    with pytest.raises(IndexError):
        theirs(pixels)
    assert ours.matches.tolist() == [ground_truth(SCENE, REVERSED), ground_truth(SCENE, SHUFFLED)]


class TestFiveAdaptiveInferenceOff:
    """-1 is the documented value that disables adaptive inference."""

    scenes = ((SCENE, SHUFFLED), (SCENE, REVERSED))

    def run(self, depth: float, width: float) -> tuple[Any, nn.Module, Tensor]:
        model = transparent_model(depth, width)
        return run_both(model, [tuple(image(points, confident_after=1) for points in s) for s in self.scenes])

    def expected(self) -> list:
        return [ground_truth(*scene) for scene in self.scenes]

    def test_an_int_is_rejected(self):
        with pytest.raises(Exception, match="depth_confidence"):
            transformers.LightGlueConfig(depth_confidence=-1)
        assert LightGlueConfig(depth_confidence=-1).depth_confidence == -1.0

    def test_both_off_changes_the_shape(self):
        ours, theirs, pixels = self.run(-1.0, -1.0)
        assert theirs(pixels).matches.shape == (4, 12)
        assert ours.matches.tolist() == self.expected()
        assert ours.prune.unique().tolist() == [LAYERS]

    def test_depth_off_is_an_unbound_variable(self):
        ours, theirs, pixels = self.run(-1.0, 0.99)
        with pytest.raises(UnboundLocalError):
            theirs(pixels)
        assert ours.matches.tolist() == self.expected()

    def test_width_off_fails_after_all_pairs_stopped(self):
        ours, theirs, pixels = self.run(0.95, -1.0)
        with pytest.raises(RuntimeError):
            theirs(pixels)
        assert ours.matches.tolist() == self.expected()


def one_match(x: float, y: float, processed: tuple[int, int] | None) -> SimpleNamespace:
    """Return a model output with one keypoint per image, at relative (x, y); `processed` is (height, width)."""
    return SimpleNamespace(
        keypoints=torch.tensor([x, y]).expand(1, 2, 1, 2),
        matches=torch.zeros(1, 2, 1, dtype=torch.long),
        matching_scores=torch.ones(1, 2, 1),
        mask=torch.ones(1, 2, 1, dtype=torch.long),
        image_sizes=None if processed is None else torch.tensor(processed).expand(1, 2, 2),
    )


def test_6_coordinates_are_truncated():
    output, sizes = one_match(101 / 640, 77 / 480, (480, 640)), [((720, 960), (720, 960))]
    (theirs,) = transformers.LightGlueImageProcessor().post_process_keypoint_matching(output, sizes)
    assert theirs["keypoints0"].tolist() == [[151, 115]]
    (ours,) = LightGlueImageProcessorFast().post_process_keypoint_matching(output, sizes)
    # each processed pixel is 1.5 original ones: the center of pixel 101 is at 101.5 * 1.5 - 0.5
    assert ours["keypoints0"].tolist() == [[101.5 * 1.5 - 0.5, 77.5 * 1.5 - 0.5]]


@pytest.mark.parametrize("ours", [LightGlueImageProcessor, LightGlueImageProcessorFast])
def test_7_aspect_ratio_is_lost_and_longest_edge_rejected(ours):
    photos = [PIL.Image.fromarray(np.zeros((400, 1000, 3), np.uint8))] * 2
    theirs = transformers.LightGlueImageProcessor()
    assert theirs(photos, return_tensors="pt").pixel_values.shape[-2:] == (480, 640)
    with pytest.raises(Exception):  # noqa: B017, PT011, the error class is not part of the interface
        transformers.LightGlueImageProcessor(size={"longest_edge": 640})(photos, return_tensors="pt")
    pixels = ours(size={"longest_edge": 640})(photos, return_tensors="pt").pixel_values
    assert pixels.shape[-2:] == (256, 640)  # 1000 x 400, as it was


def test_8_keypoints_match_an_image_without_keypoints():
    """No keypoints in image 0, which the batch pads."""
    model = transparent_model()
    model.config.filter_threshold = 0.0
    ours, theirs, pixels = run_both(model, [(torch.zeros(0, DIM), image(SHUFFLED, confident_after=1))])
    assert theirs(pixels).matches[0, 1, 0] == 0  # there is no keypoint 0
    assert ours.matches.tolist() == [[[-1] * 12] * 2]


def test_8_all_keypoints_of_one_image_are_pruned():
    pruned = image(SCENE, confident_after=1, unmatchable=tuple(SCENE))
    ours, theirs, pixels = run_both(
        transparent_model(1.0, 0.99), [(pruned, image(SHUFFLED, confident_after=LAYERS))]
    )
    assert float(theirs(pixels).matching_scores.max()) > 0  # although image 0 has no keypoints left
    assert ours.matching_scores.tolist() == [[[0.0] * 12] * 2]
    assert ours.matches.tolist() == [[[-1] * 12] * 2]


def test_8_all_keypoints_of_both_images_are_pruned():
    pruned = tuple(image(points, confident_after=1, unmatchable=tuple(SCENE)) for points in (SCENE, SHUFFLED))
    ours, theirs, pixels = run_both(transparent_model(1.0, 0.99), [pruned])
    with pytest.raises(RuntimeError):
        theirs(pixels)
    assert ours.matches.tolist() == [[[-1] * 12] * 2]


def test_9_external_keypoints_are_ignored_and_detected_again():
    model = transparent_model()
    given = inputs_of([(image(SCENE, confident_after=1), image(SHUFFLED, confident_after=1))])
    others = inputs_of([(image(SCENE, confident_after=1), image(REVERSED, confident_after=1))])
    theirs, pixels = without_detector(model, others), torch.zeros(1, 2, 1, HEIGHT, WIDTH)
    assert theirs(pixels, **given).matches.tolist() == [
        ground_truth(SCENE, REVERSED)
    ]  # not the given keypoints
    assert theirs.keypoint_detector.calls == 1
    model.keypoint_detector = without_detector(model, others).keypoint_detector
    assert model(pixels, **given).matches.tolist() == [ground_truth(SCENE, SHUFFLED)]
    assert model.keypoint_detector.calls == 0


def test_10_detector_loops_over_images():
    images = torch.stack([noise_pair(seed=0), noise_pair(seed=1)])
    ours = random_model(tiny_config())
    theirs = to_transformers(ours)
    batches: dict[str, list[int]] = {"ours": [], "theirs": []}
    layers = {
        "ours": ours.keypoint_detector.convDb,
        "theirs": theirs.keypoint_detector.descriptor_decoder.conv_descriptor_b,
    }
    for whose, layer in layers.items():
        layer.register_forward_hook(lambda _layer, _in, out, whose=whose: batches[whose].append(len(out)))
    theirs.keypoint_detector(images.flatten(0, 1))
    together = ours(images)
    assert batches == {"ours": [4], "theirs": [1, 1, 1, 1]}
    for pair, pixels in enumerate(images):
        alone = ours(pixels[None])
        for side, mask in enumerate(alone.mask[0].bool()):
            found = together.keypoints[pair, side][together.mask[pair, side].bool()]
            torch.testing.assert_close(found, alone.keypoints[0, side][mask], atol=1e-6, rtol=0)


def test_11_keypoints_are_rounded_in_bfloat16():
    given = inputs_of([(image(SCENE, confident_after=1), image(SCENE, confident_after=1))])
    positions = torch.arange(12)[:, None] * torch.tensor([53.0, 39.0]) + 7
    given["keypoints"] = (positions / torch.tensor([WIDTH, HEIGHT])).expand(1, 2, -1, -1)
    model = transparent_model().bfloat16()
    pixels = torch.zeros(1, 2, 1, HEIGHT, WIDTH, dtype=torch.bfloat16)
    outputs = {"theirs": without_detector(model, given)(pixels), "ours": model(pixels, **given)}
    found = {
        whose: output.keypoints[0, 0].float() * torch.tensor([WIDTH, HEIGHT])
        for whose, output in outputs.items()
    }
    assert float((found["theirs"] - positions).abs().max()) > 0.5
    assert float((found["ours"] - positions).abs().max()) < 1e-3
    assert outputs["ours"].keypoints.dtype == torch.float32
    assert outputs["ours"].matches.tolist() == [ground_truth(SCENE, SCENE)]


def test_12_half_pixel_shift_of_the_resize_is_undone():
    photo = np.zeros((960, 1280), np.uint8)
    photo[300:302, 200:202] = 255  # four pixels with their common corner at the center (200.5, 300.5)
    processor = LightGlueImageProcessor()
    pixels = processor([photo[..., None].repeat(3, axis=2)] * 2, return_tensors="pt").pixel_values[0, 0, 0]
    y, x = divmod(int(pixels.argmax()), WIDTH)
    assert (x, y) == (100, 150)
    output, sizes = one_match(x / WIDTH, y / HEIGHT, (HEIGHT, WIDTH)), [((960, 1280), (960, 1280))]
    (theirs,) = transformers.LightGlueImageProcessor().post_process_keypoint_matching(output, sizes)
    (ours,) = processor.post_process_keypoint_matching(output, sizes)
    assert theirs["keypoints0"].tolist() == [[200, 300]]
    assert ours["keypoints0"].tolist() == [[200.5, 300.5]]


def test_pipeline_supports_neither_batch_size_nor_generator():
    model = transparent_model()
    theirs = to_transformers(model)
    theirs.keypoint_detector = OneKeypoint(relative=True)
    processor = transformers.LightGlueImageProcessor()
    pipeline = transformers.pipeline("keypoint-matching", model=theirs, image_processor=processor)
    pairs = [[PIL.Image.fromarray(np.zeros((48, 64, 3), np.uint8))] * 2] * 3
    with pytest.raises(TypeError):
        pipeline(pairs, batch_size=2)
    with pytest.raises(ValueError, match="Input images must be a one of"):
        pipeline(iter(pairs))
    model.keypoint_detector = OneKeypoint(relative=False)
    ours = KeypointMatchingPipeline(model, LightGlueImageProcessorFast(), batch_size=2)
    assert [len(matches) for matches in ours(pairs)] == [1, 1, 1]
    assert [len(matches) for matches in ours(iter(pairs))] == [1, 1, 1]
