"""Output paths, and links to images."""

from pathlib import Path

import pytest

from tiepoint.collection.export.output_paths import link_image, make_output_folder, output_file
from tiepoint.errors import InvalidInput


def test_default_paths_are_created(tmp_path: Path) -> None:
    assert make_output_folder(None, tmp_path / "a" / "b").is_dir()
    assert output_file(None, tmp_path / "c" / "file.ply").parent.is_dir()
    assert output_file(tmp_path / "none" / "file.ply", tmp_path) == tmp_path / "none" / "file.ply"


def test_images_are_linked_or_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"pixels")
    link_image(source, tmp_path / "new" / "a.jpg")
    assert source.samefile(tmp_path / "new" / "a.jpg")

    def refuse(*_: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr("os.link", refuse)
    link_image(source, tmp_path / "copy" / "a.jpg")
    assert (tmp_path / "copy" / "a.jpg").read_bytes() == b"pixels"
    source.unlink()
    with pytest.raises(InvalidInput, match="is not there any more"):
        link_image(source, tmp_path / "gone.jpg")
