import pytest
import torch

from tiepoint.compat.lightglue.preprocessing import ImagePreprocessor
from tiepoint.errors import InvalidInput


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (30, 50)),
        ({"resize": 20}, (12, 20)),
        ({"resize": 21}, (12, 21)),  # 12.6 is rounded down
        ({"resize": 20, "side": "short"}, (20, 33)),
        ({"resize": 15, "side": "vert"}, (15, 25)),
        ({"resize": 25, "side": "horz"}, (15, 25)),
        ({"resize": (7, 9)}, (7, 9)),
        ({"resize": 100}, (60, 100)),
    ],
)
def test_sizes(options: dict, shape: tuple[int, int]) -> None:
    resized, scale = ImagePreprocessor(**options)(torch.rand(2, 3, 30, 50))
    assert resized.shape == (2, 3, *shape)
    assert scale.tolist() == pytest.approx([shape[1] / 50, shape[0] / 30])


def test_portrait_images() -> None:
    resized, _ = ImagePreprocessor(resize=20)(torch.rand(1, 50, 30))
    assert resized.shape == (1, 20, 12)


def test_a_reduction_keeps_the_mean_and_smooths() -> None:
    image = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    smooth, _ = ImagePreprocessor(resize=50)(image)
    sharp, _ = ImagePreprocessor(resize=50, antialias=False)(image)
    assert float(smooth.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(smooth.std()) < float(sharp.std())


def test_one_row_is_not_blurred_vertically() -> None:
    resized, _ = ImagePreprocessor(resize=(1, 10))(torch.full((1, 1, 1, 40), 0.25))
    torch.testing.assert_close(resized, torch.full((1, 1, 1, 10), 0.25))


@pytest.mark.parametrize(
    "options", [{"side": "longest"}, {"interpolation": "bicubic"}, {"resize": 0}, {"resize": (0, 3)}]
)
def test_invalid_options(options: dict) -> None:
    with pytest.raises(InvalidInput, match=str(next(iter(options)))):
        ImagePreprocessor(**options)
