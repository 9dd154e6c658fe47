"""Each part of detection against a slow and obvious implementation."""

import pytest
import torch
import torch.nn.functional as F

from tiepoint.errors import InvalidInput
from tiepoint.models.keypoints import (
    MIN_CONTRAST,
    apply_mask,
    bicubic_neighbors,
    bilinear_corners,
    flatten_spatial,
    has_contrast,
    keep_inside_mask,
    pixel_coordinates,
    remove_border,
    sample_bilinear,
    simple_nms,
    soft_argmax,
    strict_maxima,
    top_k,
    weighted_row_sum,
    window_maximum,
    window_offsets,
)

SIZES = [(1, 1), (1, 9), (3, 5), (4, 4), (5, 5), (13, 17)]


def few_valued(*shape: int, seed: int = 0) -> torch.Tensor:
    """Scores with many ties."""
    return torch.randint(0, 6, shape, generator=torch.Generator().manual_seed(seed)).float() / 5


def window(scores: torch.Tensor, y: int, x: int, radius: int) -> torch.Tensor:
    return scores[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]


def each_pixel(scores: torch.Tensor, rule) -> torch.Tensor:
    height, width = scores.shape
    return torch.tensor([[rule(y, x) for x in range(width)] for y in range(height)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1, 2, 4])
def test_window_maximum_is_the_maximum_of_each_window(size, radius):
    scores = few_valued(*size) - 2
    expected = each_pixel(scores, lambda y, x: window(scores, y, x, radius).max())
    assert torch.equal(window_maximum(scores, radius), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1, 2, 4])
def test_strict_maxima_exceed_every_other_pixel_of_a_full_window(size, radius):
    height, width = size
    scores = torch.rand(size, generator=torch.Generator().manual_seed(1)).mul(30).round()

    def is_strict(y: int, x: int) -> bool:
        inside = radius <= y < height - radius and radius <= x < width - radius
        return inside and int((window(scores, y, x, radius) >= scores[y, x]).sum()) == 1

    assert torch.equal(strict_maxima(scores, radius), each_pixel(scores, is_strict))


def test_strict_maxima_of_a_plateau_are_none():
    assert not strict_maxima(torch.ones(9, 9), 2).any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1, 2])
def test_simple_nms_reconsiders_neighbors_of_suppressed_pixels(size, radius):
    scores = few_valued(*size, seed=2)
    kept = torch.zeros(size, dtype=torch.bool)
    allowed = torch.ones(size, dtype=torch.bool)
    for _ in range(3):
        left = scores * allowed
        found = each_pixel(left, lambda y, x, left=left: left[y, x] == window(left, y, x, radius).max())
        kept |= found & allowed
        allowed = each_pixel(kept, lambda y, x, kept=kept: not window(kept, y, x, radius).any())
    assert torch.equal(simple_nms(scores, radius), scores * kept)


def test_batched_maps_are_processed_independently():
    scores = few_valued(3, 12, 15)
    for function in (window_maximum, simple_nms, strict_maxima, remove_border):
        assert torch.equal(function(scores, 2), torch.stack([function(one, 2) for one in scores]))


@pytest.mark.parametrize("size", SIZES)
def test_remove_border_keeps_the_inside_only(size):
    height, width = size
    kept = remove_border(torch.ones(size), 2)
    inside = each_pixel(kept, lambda y, x: float(2 <= y < height - 2 and 2 <= x < width - 2))
    assert torch.equal(kept, inside)


def test_top_k_sorts_by_score_and_ties_by_index():
    scores = torch.tensor([[0.5, 0.0, 0.9], [0.5, 0.9, 0.1]])
    assert top_k(scores.flatten(), None).tolist() == [2, 4, 0, 3, 5]
    assert top_k(scores.flatten(), 3).tolist() == [2, 4, 0]
    assert top_k(scores.flatten(), 0).tolist() == []


def test_top_k_excludes_zeros_and_scores_at_or_below_the_threshold():
    scores = torch.tensor([[0.5, 0.0, 0.9], [-0.5, 0.2, 0.1]])
    assert top_k(scores.flatten(), None, threshold=0.2).tolist() == [2, 0]
    assert top_k(scores.flatten(), None, threshold=-1.0).tolist() == [2, 0, 4, 5]
    assert top_k(torch.zeros(9), 100).shape == (0,)


def test_top_k_rejects_a_negative_number():
    with pytest.raises(InvalidInput, match=r"max_keypoints must be .*-1"):
        top_k(torch.ones(4), -1)


def test_soft_argmax_is_the_weighted_mean_of_the_window():
    scores = torch.rand(11, 14, generator=torch.Generator().manual_seed(3))
    indices = torch.tensor([2 * 14 + 2, 5 * 14 + 7, 8 * 14 + 11])
    refined = soft_argmax(scores, indices, radius=2, temperature=0.1)
    for (x, y), result in zip(pixel_coordinates(indices, 14).tolist(), refined, strict=True):
        weights = (window(scores, y, x, 2) / 0.1).exp()
        ys, xs = torch.meshgrid(torch.arange(y - 2.0, y + 3), torch.arange(x - 2.0, x + 3), indexing="ij")
        expected = torch.stack([(xs * weights).sum(), (ys * weights).sum()]) / weights.sum()
        torch.testing.assert_close(result, expected)


def test_window_indices_run_row_by_row():
    assert window_offsets(1, 10, torch.device("cpu")).tolist() == [-11, -10, -9, -1, 0, 1, 9, 10, 11]


def test_sample_bilinear_is_grid_sample_with_zeros_outside():
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(5, 6, 9, generator=generator)
    positions = torch.rand(500, 2, generator=generator) * torch.tensor([30.0, 20.0]) - 10
    whole = torch.tensor([[0.0, 0.0], [8.0, 5.0], [-1.0, 3.0], [9.0, 6.0], [8.0, -0.5], [1e9, -1e9]])
    positions = torch.cat([positions, whole])
    grid = (2 * positions / torch.tensor([8.0, 5.0]) - 1).view(1, 1, -1, 2)
    expected = F.grid_sample(image[None], grid, align_corners=True)[0, :, 0].T
    torch.testing.assert_close(
        sample_bilinear(flatten_spatial(image), positions, 9, 6), expected, atol=1e-5, rtol=0
    )


def test_bilinear_corners_stay_inside_even_for_positions_that_are_not_numbers():
    positions = torch.tensor([[torch.nan, 0.0], [torch.inf, -torch.inf]])
    indices, _ = bilinear_corners(*positions.unbind(dim=1), 4, 3)
    assert int(indices.min()) >= 0
    assert int(indices.max()) < 12


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6, 9)])
def test_bicubic_sampling_is_grid_sample_with_zeros_outside(size):
    height, width = size
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(5, height, width, generator=generator, dtype=torch.float64)
    positions = torch.rand(500, 2, generator=generator, dtype=torch.float64) * 20 - 5
    whole = torch.tensor([[0.0, 0.0], [8.0, 5.0], [-1.0, 3.0], [9.0, 6.0], [8.0, -0.5], [-0.5, -0.5]])
    positions = torch.cat([positions, whole.double()])
    grid = ((2 * positions + 1) / torch.tensor([width, height]) - 1).view(1, 1, -1, 2)
    expected = F.grid_sample(image[None], grid, mode="bicubic", align_corners=False)[0, :, 0].T
    neighbors = bicubic_neighbors(positions, width, height)
    torch.testing.assert_close(weighted_row_sum(flatten_spatial(image), *neighbors), expected)


def test_bicubic_weights_inside_sum_to_one_and_pixels_are_kept():
    positions = torch.tensor([[3.0, 4.0], [3.3, 4.8]], dtype=torch.float64)
    indices, weights = bicubic_neighbors(positions, 8, 9)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, dtype=torch.float64))
    assert indices[0][weights[0].argmax()] == 4 * 8 + 3
    assert (weights[0] != 0).sum() == 1


def test_bicubic_neighbors_stay_inside_even_for_positions_that_are_not_numbers():
    indices, _ = bicubic_neighbors(torch.tensor([[torch.nan, 0.0], [torch.inf, -torch.inf]]), 4, 3)
    assert indices.shape == (2, 16)
    assert int(indices.min()) >= 0
    assert int(indices.max()) < 12


def test_sampling_passes_gradients_to_the_map_and_to_the_positions():
    image = torch.rand(12, 2, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor([[0.4, 1.3], [2.6, 0.2], [-0.5, 1.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda rows, at: sample_bilinear(rows, at, 4, 3), (image, positions))


def test_weighted_row_sum():
    rows = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    result = weighted_row_sum(rows, torch.tensor([[0, 1], [1, 1]]), torch.tensor([[1.0, 0.5], [0.0, 2.0]]))
    assert result.tolist() == [[6.0, 12.0], [20.0, 40.0]]


def test_contrast_is_per_image_in_any_channel():
    images = torch.full((4, 3, 5, 6), 0.5)
    images[1, 2, 3, 3] += 1 / 255
    images[2] += torch.rand(3, 5, 6) * MIN_CONTRAST
    images[3] += torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    assert has_contrast(images).tolist() == [False, True, False, False]


def test_contrast_of_bytes():
    images = torch.full((2, 3, 5, 6), 77, dtype=torch.uint8)
    images[1, 0, 2, 2] += 1
    assert has_contrast(images).tolist() == [False, True]


def test_masked_scores_are_zero_where_the_mask_forbids():
    scores, mask = torch.rand(4, 6), torch.rand(5, 9) < 0.5
    expected = torch.where(mask[:4, :6], scores, 0)
    assert torch.equal(apply_mask(scores, mask), expected)
    assert apply_mask(scores, None) is scores


def test_positions_refined_out_of_the_mask_return_to_their_pixel():
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[:, 4:] = False
    indices = torch.tensor([2 * 7 + 3, 2 * 7 + 3, 1 * 7 + 2])
    positions = torch.tensor([[3.4, 2.2], [3.6, 2.2], [1.1, 1.8]])
    kept = keep_inside_mask(positions, indices, mask)
    torch.testing.assert_close(kept, torch.tensor([[3.4, 2.2], [3.0, 2.0], [1.1, 1.8]]))
