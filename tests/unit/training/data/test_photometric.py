"""Every augmentation preserves shape and type, has an effect, and depends on the generator only."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.training.data.photometric import (
    AUGMENTATIONS,
    Augmentation,
    add_shading,
    adjust_contrast,
    adjust_saturation,
    augment,
    gaussian_blur,
)

STANDARD = AUGMENTATIONS["standard"]


@pytest.fixture
def pixels() -> Tensor:
    return torch.rand(3, 40, 56, generator=torch.Generator().manual_seed(0))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("row", STANDARD, ids=lambda row: row.apply.__name__)
@pytest.mark.parametrize("end", ["low", "high"])
def test_shape_and_type_are_preserved(row: Augmentation, end: str, pixels: Tensor):
    before = pixels.clone()
    changed = row.apply(pixels, getattr(row, end), rng())
    assert changed.shape == pixels.shape
    assert changed.dtype == torch.float32
    assert bool(changed.isfinite().all())
    torch.testing.assert_close(pixels, before)


@pytest.mark.parametrize("row", STANDARD, ids=lambda row: row.apply.__name__)
def test_strength_has_an_effect(row: Augmentation, pixels: Tensor):
    low, high = (row.apply(pixels, strength, rng()) for strength in (row.low, row.high))
    assert float((low - high).abs().mean()) > 1e-3


def test_blur_preserves_flat_images_and_lowers_contrast(pixels: Tensor):
    flat = torch.full((3, 20, 20), 0.4)
    torch.testing.assert_close(gaussian_blur(flat, 1.5, rng()), flat)
    assert float(gaussian_blur(pixels, 1.5, rng()).std()) < 0.5 * float(pixels.std())


def test_blur_of_a_tiny_image():
    assert gaussian_blur(torch.rand(3, 2, 9), 1.5, rng()).shape == (3, 2, 9)


def test_no_saturation_is_gray_and_no_contrast_is_flat(pixels: Tensor):
    gray = adjust_saturation(pixels, 0.0, rng())
    torch.testing.assert_close(gray[0], gray[2])
    assert float(adjust_contrast(pixels, 0.0, rng()).std()) < 1e-6


def test_shading_only_darkens_up_to_its_strength():
    shaded = add_shading(torch.ones(3, 30, 30), 0.6, rng(4))
    assert 0.4 - 1e-6 <= float(shaded.min()) < 0.6
    assert 0.85 < float(shaded.max()) <= 1 + 1e-6


def test_augmentation_depends_on_the_generator_only(pixels: Tensor):
    first, again, other = (augment(pixels, "standard", rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1


def test_none_is_the_identity(pixels: Tensor):
    assert torch.equal(augment(pixels, "none", rng()), pixels)


def test_unknown_name_is_refused(pixels: Tensor):
    with pytest.raises(InvalidInput, match=r"augmentation 'dark'.*none, standard"):
        augment(pixels, "dark", rng())
