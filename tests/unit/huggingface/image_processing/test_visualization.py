"""Pairs drawn side by side with their matches."""

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.image_processors import ACCEPTED, PAIR, both_processors
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueImageProcessor


def matches(points0: list, points1: list, scores: list[float]) -> dict[str, Tensor]:
    return {
        "keypoints0": torch.tensor(points0).reshape(-1, 2),
        "keypoints1": torch.tensor(points1).reshape(-1, 2),
        "matching_scores": torch.tensor(scores),
    }


@both_processors
def test_pairs_are_drawn_side_by_side(processor):
    white, gray = PIL.Image.new("RGB", (60, 40), "white"), np.full((20, 50, 1), 100, np.uint8)
    confident = matches([[10.4, 10.0]], [[30.0, 9.6]], [1.0])
    unconfident = matches([[10.0, 30.0]], [[30.0, 15.0]], [0.0])
    first, second = processor.visualize_keypoint_matching(
        [[white, gray], [white, gray]], [confident, unconfident]
    )
    assert (first.size, first.mode) == ((110, 40), "RGB")
    assert first.getpixel((100, 30)) == (0, 0, 0)  # no image there
    assert first.getpixel((100, 3)) == (100, 100, 100)
    assert [first.getpixel((x, 10)) for x in (10, 12, 90, 88)] == [(0, 0, 0)] * 4
    assert [first.getpixel((50, y)) for y in (8, 9, 10, 11, 12)] == [
        (255, 255, 255),
        *[(0, 255, 0)] * 3,
        (255, 255, 255),
    ]
    assert (255, 0, 0) in {second.getpixel((50, y)) for y in range(40)}


def test_no_matches_and_wrong_number_of_pairs():
    processor = LightGlueImageProcessor()
    (bare,) = processor.visualize_keypoint_matching(PAIR, [matches([], [], [])])
    assert np.array_equal(np.asarray(bare), np.hstack([np.asarray(image) for image in PAIR]))
    with pytest.raises(InvalidInput, match="1 image pairs and matches of 2"):
        processor.visualize_keypoint_matching(PAIR, [matches([], [], [])] * 2)
    with pytest.raises(InvalidInput, match=ACCEPTED):
        processor.visualize_keypoint_matching(PAIR[0], [matches([], [], [])])
