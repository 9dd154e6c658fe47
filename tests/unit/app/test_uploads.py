"""Uploads: names without paths, formats as everywhere, limits, and nothing left behind."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tests.helpers.app_server import png

from tiepoint.app.messages import RequestError
from tiepoint.app.settings import Limits
from tiepoint.app.uploads import Uploads, clean_name
from tiepoint.errors import InvalidInput

SMALL = png(np.zeros((8, 12, 3), np.uint8))


def encode(image: PIL.Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path, Limits(max_upload_mb=1, max_megapixels=1, max_storage_mb=1.5, keep_s=100))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        (r"C:\photos\a.jpg", "a.jpg"),
        ("/", "image"),
        ("", "image"),
        ("..", ".."),
        ("a\0\n\x1b.jpg", "a.jpg"),
        ("x" * 500 + ".jpg", "x" * 116 + ".jpg"),
        ("äöü 漢字.jpg", "äöü 漢字.jpg"),
    ],
)
def test_names_have_no_folders(name: str, expected: str) -> None:
    assert clean_name(name) == expected


def test_an_upload_is_kept_until_it_is_removed(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.add(SMALL, "../a.png")
    assert upload.to_dict() == {"id": upload.id, "name": "a.png", "width": 12, "height": 8, "note": ""}
    assert upload.path.parent == tmp_path
    assert uploads.read(uploads.get(upload.id)).source == "a.png"
    assert uploads.stored_bytes == len(SMALL)
    uploads.remove(upload.id)
    assert list(tmp_path.iterdir()) == []
    assert uploads.stored_bytes == 0
    with pytest.raises(RequestError, match="no longer on the server") as error:
        uploads.get(upload.id)
    assert error.value.status == 410


@pytest.mark.parametrize("upload_id", [None, 3, "", "../a", {"a": 1}])
def test_unknown_ids(uploads: Uploads, upload_id: object) -> None:
    with pytest.raises(RequestError, match="choose it again"):
        uploads.get(upload_id)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'a.jpg' is empty"),
        (b"just text", "'a.jpg' is not in a supported image format"),
        (SMALL[:40], "'a.jpg' is (truncated|damaged)"),
        (SMALL[:20] + bytes(100), "'a.jpg' is (truncated|damaged)"),
        (
            png(np.zeros((1001, 1000), np.uint8)),
            r"'a.jpg' has 1000 x 1001 px .* exceeds the limit of 1; resize it$",
        ),
    ],
)
def test_files_that_are_no_images_leave_nothing(
    uploads: Uploads, tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        uploads.add(content, "a.jpg")
    assert str(tmp_path) not in str(error.value)
    assert "max_megapixels" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert uploads.stored_bytes == 0


def test_limits_of_bytes(uploads: Uploads) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 600, 3), np.uint8)
    with pytest.raises(RequestError, match=r"'a.png' has 1.4 MB, which exceeds the limit of 1 MB") as error:
        uploads.add(encode(PIL.Image.fromarray(noise[:, :500]), "BMP") + bytes(650_000), "a.png")
    assert error.value.status == 413
    content = png(noise[:, :500])
    uploads.add(content, "a.png")
    with pytest.raises(RequestError, match="storage of the server is full") as error:
        uploads.add(content, "b.png")
    assert error.value.status == 507


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("I;16", "PNG"), ("I;16", "TIFF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "PNG"), ("P", "GIF"), ("RGBA", "PNG"), ("1", "PNG")],
)  # fmt: skip
def test_formats(uploads: Uploads, mode: str, file_format: str) -> None:
    image = PIL.Image.new("L", (20, 10), 200)
    image = (
        PIL.Image.fromarray(np.full((10, 20), 30_000, np.uint16)) if mode == "I;16" else image.convert(mode)
    )
    upload = uploads.add(encode(image, file_format), "a")
    assert upload.image_size == (20, 10)
    assert uploads.preview(upload)[:3] == b"\xff\xd8\xff"


def test_heic(uploads: Uploads) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.new("RGB", (64, 32), "red")).save(file)
    assert uploads.add(file.getvalue(), "a.heic").image_size == (64, 32)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_used_and_said(uploads: Uploads, file_format: str) -> None:
    frames = [PIL.Image.new("RGB", (16, 8), color) for color in ("red", "green", "blue")]
    content = encode(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
    upload = uploads.add(content, "a")
    assert upload.note == "first of 3 frames"
    pixel = uploads.read(upload).pixels[:, 4, 8]
    assert pixel[0] > 200
    assert pixel[1] < 60


def test_exif_orientation_is_applied(uploads: Uploads) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    upload = uploads.add(encode(PIL.Image.new("RGB", (20, 10)), "JPEG", exif=exif), "a.jpg")
    assert upload.image_size == (10, 20)


def test_a_file_below_the_root_stays(uploads: Uploads, tmp_path: Path) -> None:
    path = tmp_path / "root.png"
    path.write_bytes(SMALL)
    upload = uploads.add_file(path, "sub/root.png")
    assert (upload.name, uploads.stored_bytes) == ("sub/root.png", 0)
    uploads.remove(upload.id)
    assert path.is_file()
    path.write_bytes(bytes(1_100_000))
    with pytest.raises(RequestError, match="exceeds the limit of 1 MB"):
        uploads.add_file(path, "sub/root.png")


def test_unused_uploads_are_removed(uploads: Uploads, tmp_path: Path) -> None:
    old, new = uploads.add(SMALL, "a"), uploads.add(SMALL, "b")
    old.last_used -= 101
    uploads.remove_unused()
    assert uploads.get(new.id) is new
    with pytest.raises(RequestError):
        uploads.get(old.id)
    assert len(list(tmp_path.iterdir())) == 1


def test_no_permission(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/secret/place")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(RequestError, match="no space or no permission on the server") as error:
        uploads.add(SMALL, "a")
    assert "secret" not in str(error.value)
    assert uploads.stored_bytes == 0
