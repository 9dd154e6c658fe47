"""Results of the Hugging Face classes do not depend on torch's ambient state: default device and dtype, autocast."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from tests.helpers.random_networks import random_model, tiny_config

from tiepoint.huggingface import (
    LightGlueForKeypointMatching,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


STATES: dict[str, Callable[[], AbstractContextManager]] = {
    "default device": lambda: torch.device("meta"),
    "default dtype": lambda: default_dtype(torch.float64),
    "autocast": lambda: torch.autocast("cpu"),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    random_model(tiny_config(max_keypoints=60)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[LightGlueImageProcessor, LightGlueImageProcessorFast])
def matching(request, saved) -> tuple[Callable[[], list[torch.Tensor]], list[torch.Tensor]]:
    """Function that loads a processor and the model and matches two images, and its result."""
    first = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    images = [first, np.roll(first, 8, axis=1)]

    def run() -> list[torch.Tensor]:
        processor = request.param(size={"height": 96, "width": 128})
        model = LightGlueForKeypointMatching.from_pretrained(saved)
        outputs = model(**processor(images, return_tensors="pt"))
        (found,) = processor.post_process_keypoint_matching(outputs, [[(96, 128)] * 2])
        return [outputs.matching_scores, outputs.keypoints, *found.values()]

    return run, run()


@pytest.mark.parametrize("state", STATES)
def test_matches_are_the_same(matching, state):
    run, expected = matching
    with STATES[state]():
        actual = run()
    assert len(expected[-1]) > 5
    for mine, other in zip(actual, expected, strict=True):
        assert mine.dtype == other.dtype
        assert torch.equal(mine, other)
