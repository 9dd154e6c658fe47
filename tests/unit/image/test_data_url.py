"""data: URLs in base64 and percent-encoded; errors that do not repeat the image."""

import base64
import io
import urllib.parse
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.image.data_url import is_data_url

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def png() -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(PICTURE).save(stream, "PNG")
    return stream.getvalue()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64," + in_base64(png()),
        "DATA:image/png;charset=utf-8;BASE64," + in_base64(png()).rstrip("="),
        "data:;base64," + base64.encodebytes(png()).decode(),
        "data:image/png;base64," + urllib.parse.quote(in_base64(png())),
        "data:image/png," + urllib.parse.quote(png()),
    ],
    ids=["base64", "capitals without padding", "lines without a type", "quoted base64", "percent-encoded"],
)
def test_data_urls_are_images(url: str) -> None:
    image = read_image(url)
    assert np.array_equal(image.pixels.permute(1, 2, 0), PICTURE)
    assert image.source is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("data:image/png;base64,iVBOR*w0KGgo=", "the data: URL contains invalid base64"),
        ("data:image/png;base64," + in_base64(png()[:-60]), "the data: URL is truncated"),
        ("data:image/png;base64,", r"the data: URL is empty \(0 bytes\)"),
        ("data:text/plain,hello", "the data: URL is not in a supported image format"),
        ("data:image/png;base64," + "A" * 2_000_000, "the data: URL of 2 MB exceeds the limit of 1 MB"),
    ],
    ids=["alphabet", "truncated", "empty", "text", "too large"],
)
def test_invalid_data_urls_are_explained_in_one_short_line(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}") as caught:
        read_image(url, max_download_mb=1)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_paths_that_begin_like_a_data_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data:a.png").write_bytes(png())
    assert np.array_equal(read_image("data:a.png").pixels.permute(1, 2, 0), PICTURE)
    assert not is_data_url("data:x/y/a,b.png")
    assert not is_data_url("/data:x,y.png")


@pytest.mark.parametrize("location", ["a" * 5000, "ftp://a/" + "a" * 5000, in_base64(png()) * 100])
def test_long_names_are_shortened(location: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_image(location)
    assert location[:100] in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_base64_without_a_scheme_is_pointed_to_data_urls() -> None:
    with pytest.raises(InvalidInput, match=r"is too long for a path.*'data:image/jpeg;base64,…'"):
        read_image(in_base64(png()) * 100)
