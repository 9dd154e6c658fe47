"""Model outputs to matched points in px of the original images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.helpers.image_processors import both_processors

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueImageProcessor


def outputs(sizes: list | None = None) -> SimpleNamespace:
    """Two pairs: pair 0 has matches 0-1 (0.9) and 1-0 (0.5); pair 1 has one keypoint per image, padded with -1 and 0."""
    return SimpleNamespace(
        matches=torch.tensor([[[1, 0, -1], [1, 0, -1]], [[0, -1, 0], [0, -1, -1]]]),
        matching_scores=torch.tensor(
            [[[0.9, 0.5, 0.0], [0.5, 0.9, 0.0]], [[0.2, 0.0, 0.9], [0.2, 0.0, 0.0]]]
        ),
        keypoints=torch.tensor(
            [
                [[[0.0, 0.0], [0.5, 0.25], [0.9, 0.9]], [[0.25, 0.75], [0.5, 0.5], [0.0, 0.0]]],
                [[[0.75, 0.5], [0.0, 0.0], [0.0, 0.0]], [[0.1, 0.2], [0.0, 0.0], [0.0, 0.0]]],
            ]
        ),
        mask=torch.tensor([[[1, 1, 1], [1, 1, 0]], [[1, 0, 0], [1, 0, 0]]]),
        **({} if sizes is None else {"image_sizes": torch.tensor(sizes)}),
    )


TARGETS = [[(400, 1000), (400, 1000)], [(480, 640), (960, 1280)]]
PROCESSED = [[[480, 640], [480, 640]], [[480, 640], [480, 640]]]


@both_processors
@pytest.mark.parametrize(
    "form", [list, torch.tensor, np.array, lambda sizes: [tuple(pair) for pair in sizes]]
)
def test_matches_are_in_px_of_the_original_images(processor, form):
    first, second = processor.post_process_keypoint_matching(outputs(PROCESSED), form(TARGETS))
    # x W0 + (W0 / W - 1) / 2: half a pixel of the processed image is W0 / W / 2 = 0.78125 px of the original
    x, y = (1000 / 640 - 1) / 2, (400 / 480 - 1) / 2
    assert torch.allclose(first["keypoints0"], torch.tensor([[x, y], [500 + x, 100 + y]]), atol=1e-4)
    assert torch.allclose(
        first["keypoints1"], torch.tensor([[500 + x, 200 + y], [250 + x, 300 + y]]), atol=1e-4
    )
    assert torch.equal(first["matching_scores"], torch.tensor([0.9, 0.5]))
    assert torch.allclose(second["keypoints0"], torch.tensor([[480.0, 240.0]]))
    assert torch.allclose(second["keypoints1"], torch.tensor([[128.5, 192.5]]))
    assert all(value.dtype == torch.float32 for value in first.values())


def test_without_processed_sizes_keypoints_are_only_scaled():
    first, second = LightGlueImageProcessor().post_process_keypoint_matching(outputs(), TARGETS)
    assert torch.allclose(first["keypoints0"], torch.tensor([[0.0, 0.0], [500.0, 100.0]]))
    assert torch.allclose(second["keypoints1"], torch.tensor([[128.0, 192.0]]))


@pytest.mark.parametrize(
    ("threshold", "counts"), [(0.0, [2, 1]), (0.2, [2, 0]), (0.5, [1, 0]), (0.49, [2, 0]), (1.0, [0, 0])]
)
def test_scores_must_be_above_the_threshold(threshold, counts):
    scored = outputs(PROCESSED)
    scored.matching_scores = scored.matching_scores.double().mul(10).round().div(10)
    found = LightGlueImageProcessor().post_process_keypoint_matching(scored, TARGETS, threshold=threshold)
    assert [len(pair["matching_scores"]) for pair in found] == counts
    assert [tuple(pair["keypoints1"].shape) for pair in found] == [(count, 2) for count in counts]


def test_results_convert_to_numpy_from_half_precision_with_gradients():
    made = outputs(PROCESSED)
    made.matching_scores = made.matching_scores.bfloat16().requires_grad_()
    made.keypoints.requires_grad_()
    first, _ = LightGlueImageProcessor().post_process_keypoint_matching(made, TARGETS)
    assert all(value.numpy().dtype == np.float32 for value in first.values())


COUNT = "^Make sure that you pass in as many target sizes as the batch dimension of the mask"
FORM = r"^Each element of target_sizes must contain the size \(h, w\) of each image of the batch"


@both_processors
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([], COUNT),
        (TARGETS[:1], COUNT),
        (TARGETS * 2, COUNT),
        (torch.ones(3, 2, 2), COUNT),
        ([(480, 640), (480, 640)], FORM),
        ([[(480, 640)], [(480, 640)]], FORM),
        ([[(480, 640)] * 3, [(480, 640)] * 3], FORM),
        ([[(480, 640, 3)] * 2] * 2, FORM),
        ([[(480, 0)] * 2] * 2, FORM),
        ([[(480, None)] * 2] * 2, FORM),
        (torch.ones(2, 2), FORM),
        (torch.ones(2, 2, 3), FORM),
        (torch.ones(2, 3, 2), FORM),
        (None, FORM),
        (480, FORM),
        ("ab", FORM),
    ],
    ids=str,
)
def test_invalid_target_sizes_are_rejected(processor, sizes, message):
    for error in (InvalidInput, ValueError):
        with pytest.raises(error, match=message) as caught:
            processor.post_process_keypoint_matching(outputs(PROCESSED), sizes)
        assert "\n" not in str(caught.value)
