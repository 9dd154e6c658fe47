"""Images are written atomically; paths that are not writable fail early."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.visualization import IMAGE_FORMATS, check_image_path, check_image_size, save_image


def noise(width: int = 60, height: int = 40) -> PIL.Image.Image:
    smooth = np.random.default_rng(0).uniform(0, 255, (5, 6, 3)).astype(np.uint8)
    return PIL.Image.fromarray(smooth).resize((width, height), PIL.Image.Resampling.BICUBIC)


@pytest.mark.parametrize("suffix", [*IMAGE_FORMATS, ".JPG", ".PNG"])
def test_every_format_comes_back(suffix: str, tmp_path: Path) -> None:
    path = save_image(noise(), tmp_path / f"p{suffix}")
    with PIL.Image.open(path) as read:
        assert read.size == (60, 40)
        assert np.abs(np.asarray(read).astype(int) - np.asarray(noise())).mean() < 4
    assert [entry.name for entry in tmp_path.iterdir()] == [f"p{suffix}"]


@pytest.mark.parametrize("name", ["p.gif", "p", "p.png.txt"])
def test_an_unsupported_suffix_is_an_error(name: str, tmp_path: Path) -> None:
    for attempt in (check_image_path, lambda path: save_image(noise(), path)):
        with pytest.raises(InvalidInput, match=r"suffixes \.png"):
            attempt(tmp_path / name)


@pytest.mark.parametrize(("suffix", "limit"), [(".webp", "16,383"), (".jpg", "65,500")])
def test_a_side_that_the_format_cannot_hold_is_an_error(suffix: str, limit: str, tmp_path: Path) -> None:
    long = PIL.Image.new("RGB", (65_501, 1))
    with pytest.raises(
        InvalidInput, match=f"65,501 x 1 px, but {suffix} supports at most {limit} px per side; .*png"
    ):
        save_image(long, tmp_path / f"p{suffix}")
    assert list(tmp_path.iterdir()) == []
    save_image(long, tmp_path / "p.png")


def test_sizes_can_be_checked_before_the_work() -> None:
    check_image_size((20_000, 10), "a.png")
    with pytest.raises(InvalidInput, match=r"cannot write a\.webp: the image has 20,000 x 10 px.*use \.png"):
        check_image_size((20_000, 10), "a.webp")
