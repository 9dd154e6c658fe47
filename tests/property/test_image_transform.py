"""For all sizes and points: coordinates come back, corners stay inside, sizes keep the aspect ratio."""

import pytest
import torch
from hypothesis import given, strategies as st

from tiepoint.image import Image, ImageTransform

SIDES = st.integers(1, 20_000)
SIZES = st.tuples(SIDES, SIDES)
RESIZES = st.none() | st.integers(1, 5_000)


@pytest.mark.slow
@given(
    size=SIZES, resize=RESIZES, fractions=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=20)
)
def test_points_come_back(
    size: tuple[int, int], resize: int | None, fractions: list[tuple[float, float]]
) -> None:
    transform = ImageTransform.fit(size, resize)
    points = torch.tensor(fractions, dtype=torch.float64).reshape(-1, 2) * (torch.tensor(size) - 1)
    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 0.01)):
        there = transform.to_resized(points.to(dtype))
        back = transform.to_original(there)
        assert there.dtype == back.dtype == dtype
        torch.testing.assert_close(back, points.to(dtype), rtol=0, atol=tolerance)


@given(size=SIZES, resize=RESIZES)
def test_the_edges_of_the_image_map_to_its_edges(size: tuple[int, int], resize: int | None) -> None:
    transform = ImageTransform.fit(size, resize)
    edges = torch.tensor([(0, 0), size], dtype=torch.float64) - 0.5
    expected = torch.tensor([(0, 0), transform.resized_size], dtype=torch.float64) - 0.5
    torch.testing.assert_close(transform.to_resized(edges), expected, rtol=1e-12, atol=1e-9)


@given(size=SIZES, resize=st.integers(1, 5_000))
def test_sizes_keep_the_aspect_ratio(size: tuple[int, int], resize: int) -> None:
    resized = ImageTransform.fit(size, resize).resized_size
    assert max(resized) == resize
    for side, new_side in zip(size, resized, strict=True):
        assert new_side >= 1
        assert abs(new_side - side * resize / max(size)) <= 0.5 or new_side == 1


@pytest.mark.slow
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), resize=st.none() | st.integers(1, 60))
def test_an_even_image_stays_even(size: tuple[int, int], resize: int | None) -> None:
    transform = ImageTransform.fit(size, resize)
    resized = transform.apply(Image(pixels=torch.full((3, size[1], size[0]), 0.25)))
    assert (resized.shape[2], resized.shape[1]) == transform.resized_size
    torch.testing.assert_close(resized, torch.full_like(resized, 0.25))
