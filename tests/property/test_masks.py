"""Whatever the mask, the resize and the border: no keypoint outside, and none of the budget lost to what is forbidden."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st
from tests.helpers.fake_networks import IdentityDetector
from torch import Tensor, nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.masks import allowed_at, read_mask, resize_mask
from tiepoint.image import Image, ImageTransform
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig

WIDTH, HEIGHT = 61, 47
EVERYTHING = ExtractionSettings(kind="", max_keypoints=None, resize=None)


def aliked() -> nn.Module:
    """Refines positions, by up to 2 px of what it sees."""
    torch.manual_seed(0)
    return ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4))


EXTRACTORS = {"aliked": aliked(), "echo": IdentityDetector()}


@st.composite
def masks(draw: st.DrawFn) -> Tensor:
    """Blocks and single pixels, allowed or not."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    block = draw(st.sampled_from([1, 3, 10, 30]))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    rows, columns = -(-HEIGHT // block), -(-WIDTH // block)
    coarse = torch.rand(rows, columns, generator=generator) < share
    return coarse.repeat_interleave(block, 0).repeat_interleave(block, 1)[:HEIGHT, :WIDTH].contiguous()


def noise(seed: int) -> Image:
    pixels = torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(seed))
    return Image(pixels=pixels.to(torch.uint8))


def rounded(keypoints: Tensor) -> Tensor:
    """(x, y) of the pixels that keypoints lie in; resizing back may put one up to half a pixel outside."""
    return keypoints.round().long().clamp(min=0).minimum(torch.tensor([WIDTH - 1, HEIGHT - 1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRACTORS)
@settings(max_examples=25)
@given(mask=masks(), resize=st.sampled_from([None, 20, 33, 61, 90, 122]), seed=st.integers(0, 9))
def test_no_keypoint_lies_outside(name: str, mask: Tensor, resize: int | None, seed: int) -> None:
    extractor = NeuralExtractor(EXTRACTORS[name], replace(EVERYTHING, resize=resize))
    columns, rows = rounded(extractor.extract(noise(seed), mask).keypoints).unbind(dim=1)
    assert bool(mask[rows, columns].all())


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRACTORS)
@settings(max_examples=25)
@given(mask=masks(), budget=st.integers(1, 60), seed=st.integers(0, 9))
def test_the_budget_is_spent_inside(name: str, mask: Tensor, budget: int, seed: int) -> None:
    everything = NeuralExtractor(EXTRACTORS[name], EVERYTHING).extract(noise(seed), mask)
    some = NeuralExtractor(EXTRACTORS[name], replace(EVERYTHING, max_keypoints=budget)).extract(
        noise(seed), mask
    )
    assert len(some) == min(budget, len(everything))
    torch.testing.assert_close(some.keypoints, everything.keypoints[: len(some)])


@pytest.mark.slow
@settings(max_examples=25)
@given(mask=masks(), border=st.integers(0, 30), resize=st.sampled_from([None, 40, 100]))
def test_no_keypoint_lies_in_the_border(mask: Tensor, border: int, resize: int | None) -> None:
    extractor = NeuralExtractor(IdentityDetector(), replace(EVERYTHING, resize=resize, border=border))
    pixels = rounded(extractor.extract(noise(0), mask).keypoints)
    assert bool((pixels >= border).all())
    assert bool((pixels < torch.tensor([WIDTH, HEIGHT]) - border).all())
    assert bool(mask[pixels[:, 1], pixels[:, 0]].all())


@settings(max_examples=50)
@given(mask=masks(), resize=st.integers(1, 200), seed=st.integers(0, 10**6))
def test_wherever_in_an_allowed_resized_pixel_the_original_pixel_is_allowed(
    mask: Tensor, resize: int, seed: int
) -> None:
    transform = ImageTransform.fit((WIDTH, HEIGHT), resize)
    allowed = resize_mask(mask, transform).nonzero().flip(1)
    inside = torch.rand(allowed.shape, generator=torch.Generator().manual_seed(seed)) * 0.999 - 0.4995
    assert bool(allowed_at(mask, transform.to_original(allowed + inside)).all())


@settings(max_examples=25)
@given(mask=masks())
def test_a_mask_read_as_an_array_is_itself(mask: Tensor) -> None:
    assert torch.equal(read_mask(mask.numpy(), noise(0)), mask)
    assert torch.equal(read_mask(mask, noise(0)), mask)
