"""read_image: sources of every type."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("source", [None, 42, [RGB, RGB]])
@pytest.mark.usefixtures("without_type_checker")
def test_other_types_are_refused(source: object) -> None:
    with pytest.raises(InvalidInput, match=rf"path, URL, encoded image .* got {type(source).__name__}"):
        read_image(source)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="path of the image is empty"):
        read_image(" ")


def test_the_megapixel_limit_holds_for_arrays() -> None:
    array = np.zeros((100, 200), np.uint8)
    assert read_image(array, max_megapixels=0.02).image_size == (200, 100)
    with pytest.raises(InvalidInput, match=r"200 x 100 px = 0\.0 megapixels.* limit of 0\.019"):
        read_image(array, max_megapixels=0.019)


def test_an_image_passes_unchanged() -> None:
    image = read_image(RGB)
    assert read_image(image) is image


def encoded(format_: str = "PNG") -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(RGB).save(stream, format_)
    return stream.getvalue()


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview, io.BytesIO])
@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF"])
def test_encoded_images_in_memory(convert: Any, format_: str) -> None:
    image = read_image(convert(encoded(format_)))
    assert torch.equal(image.pixels, torch.from_numpy(RGB).permute(2, 0, 1))
    assert image.source is None


def test_file_objects_are_read_from_their_beginning_every_time(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded())
    with path.open("rb") as file:
        file.read(5)
        first, second = read_image(file), read_image(file)
    assert torch.equal(first.pixels, second.pixels)
    assert first.source == str(path)


def test_streams_that_cannot_seek() -> None:
    class Pipe(io.RawIOBase):
        content = encoded()

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part, self.content = self.content[: len(buffer)], self.content[len(buffer) :]
            buffer[: len(part)] = part
            return len(part)

    assert read_image(Pipe()).image_size == (7, 5)


@pytest.mark.usefixtures("without_type_checker")
def test_streams_without_an_image_are_named(tmp_path: Path) -> None:
    closed = io.BytesIO(encoded())
    closed.close()
    (tmp_path / "a.png").write_text("text")
    with (tmp_path / "a.png").open() as text:
        cases = {
            closed: "closed",
            io.StringIO("text"): "mode 'rb'",
            text: "a.png.*mode 'rb'",
            io.BytesIO(): "empty",
        }
        for source, message in cases.items():
            with pytest.raises(InvalidInput, match=message):
                read_image(source)
    with pytest.raises(InvalidInput, match="in memory is truncated"):
        read_image(encoded("JPEG")[:-200])


def test_a_stretch_makes_any_range_an_image() -> None:
    kelvin = 280.0 + np.arange(2000, dtype=np.float32).reshape(40, 50) / 100
    for source, stretch in (
        (kelvin, "auto"),
        (torch.from_numpy(kelvin), 0),
        (kelvin.astype(np.int32) - 400, 1.5),
    ):
        pixels = read_image(source, stretch=stretch).pixels
        assert pixels.dtype == torch.float32
        assert (float(pixels.min()), float(pixels.max())) == (0, 1)
        assert bool((pixels.flatten(1).diff(dim=1) >= 0).all())


def test_an_image_is_stretched_once() -> None:
    deep = read_image((RGB.astype(np.uint16) << 2)[..., 0])
    stretched = read_image(deep, stretch="auto")
    assert float(deep.pixels.max()) < 0.016
    assert float(stretched.pixels.max()) == 1
    assert read_image(stretched, stretch=2) is stretched
    with pytest.raises(InvalidInput, match=r"stretch: expected 'auto', None, or a percentage .* got 80"):
        read_image(RGB, stretch=80)
