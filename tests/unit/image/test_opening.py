"""Opening of image files without Pillow's global limits, and files that are not images."""

import sys
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.image.listing import find_images

HEIGHT, WIDTH = 48, 64


def picture() -> np.ndarray:
    """A smooth picture without symmetry, which JPEG keeps nearly as it is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([4 * x, 5 * y, 255 - 2 * x - 2 * y]).clip(0, 255).astype(np.uint8)


def test_images_beyond_pillows_limit_need_no_global(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow warns above its limit and fails above twice the limit; warnings are errors in these tests."""
    PIL.Image.new("RGB", (64, 200)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 5000)
    with pytest.raises(PIL.Image.DecompressionBombError):
        PIL.Image.open(tmp_path / "a.jpg")
    filters = list(warnings.filters)
    assert read_image(tmp_path / "a.jpg").image_size == (64, 200)
    assert PIL.Image.MAX_IMAGE_PIXELS == 5000
    assert warnings.filters == filters


def refusal(source: str | Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_image(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty (0 bytes)"),
        (b"P", "it starts with b'P'"),
        (
            b"Dear diary, today I took a photo\n",
            "it starts with b'Dear diary, toda'; convert it to JPEG or PNG",
        ),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not in a supported image format"),
        (b"\xff\xd8\xff\xe0 and no more", "'a.jpg' is "),
        (b"II*\0\x08\0\0\0\0\0", "'a.jpg' is "),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "'a.jpg' is "),
        (b"BM not a bitmap at all", "'a.jpg' is truncated"),
        (b"P6\n10 ten\n255\n", "'a.jpg' is damaged"),
        (b"GIF89a", "'a.jpg' is damaged"),
    ],
)
def test_files_without_an_image_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, text: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert text in refusal("a.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "bmp", "ppm", "webp", "gif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_errors_not_gray(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    message = refusal(path)
    assert path.name in message
    assert "again" in message
    if suffix in ("jpg", "png", "bmp", "ppm"):
        assert "is truncated: the file ends before the image does" in message


def test_pil_images_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(picture()).save(path)
    path.write_bytes(path.read_bytes()[:700])
    with PIL.Image.open(path) as opened:
        assert "is truncated" in refusal(opened)


class TestHEIC:
    """With pillow-heif installed; without it, the error names the extra."""

    @pytest.fixture(autouse=True)
    def unregistered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Undo the registration by other libraries, for example imageio."""
        monkeypatch.setattr(PIL.Image, "OPEN", {k: v for k, v in PIL.Image.OPEN.items() if k != "HEIF"})
        monkeypatch.setattr(PIL.Image, "ID", [name for name in PIL.Image.ID if name != "HEIF"])

    def test_without_pillow_heif(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
        with pytest.raises(InvalidInput, match=r"HEIC photo.*pip install 'tiepoint\[heic\]'"):
            read_image(tmp_path / "a.heic")

    @pytest.mark.parametrize(("name", "mode"), [("a.heic", "RGB"), ("b.HIF", "L"), ("c.heif", "RGBA")])
    def test_it_is_read_without_registering_it(self, tmp_path: Path, name: str, mode: str) -> None:
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(PIL.Image.new(mode, (64, 48), 200 if mode == "L" else (200, 20, 20))).save(
            tmp_path / name
        )
        image = read_image(find_images(tmp_path)[0])
        assert image.image_size == (64, 48)
        assert abs(int(image.pixels[0, 24, 32]) - 200) < 8
        assert "HEIF" not in PIL.Image.OPEN

    def test_a_damaged_one(self, tmp_path: Path) -> None:
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(PIL.Image.effect_noise((256, 256), 90)).save(tmp_path / "a.heic")
        (tmp_path / "a.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:-500])
        with pytest.raises(InvalidInput, match=r"a\.heic' is truncated"):
            read_image(tmp_path / "a.heic")
