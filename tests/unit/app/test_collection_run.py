"""Reports of runs: numbers, pages and models, without paths of the server."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tiepoint.app.collection_run import find_report, read_page, zip_model
from tiepoint.app.messages import RequestError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "secret & place" / "out"
    (folder / "colmap" / "sparse" / "0").mkdir(parents=True)
    return folder


def test_a_report_has_no_paths(out: Path) -> None:
    report = {
        "files": 3,
        "images": 2,
        "out": str(out),
        "problems": [f"{out.parent / 'images' / 'a.png'} is damaged"],
    }
    (out / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (out / "colmap" / "reconstruction.json").write_text(
        json.dumps({"registered": 2, "folder": str(out)}), encoding="utf-8"
    )
    found = find_report(out)
    assert (found["files"], found["problems"], found["model"]["registered"]) == (3, ["a.png is damaged"], 2)
    assert "secret" not in json.dumps(found)


def test_without_a_run_there_is_no_report(out: Path) -> None:
    assert find_report(out) == {}
    for name in ("report", "view", "other", "../report"):
        with pytest.raises(RequestError, match="there is no such page"):
            read_page(out, name)
    with pytest.raises(RequestError, match="there is no model"):
        zip_model(out)


def test_pages_have_no_paths(out: Path) -> None:
    escaped = str(out).replace("&", "&amp;")
    (out / "report.html").write_text(f"<p>{escaped}/x {out.parent}/images/b.png</p>", encoding="utf-8")
    assert read_page(out, "report") == "<p>x b.png</p>"


def test_a_model_is_a_zip_file(out: Path) -> None:
    (out / "colmap" / "sparse" / "0" / "cameras.bin").write_bytes(b"1")
    (out / "colmap" / "sparse" / "0" / "other.txt").write_bytes(b"2")
    assert zipfile.ZipFile(io.BytesIO(zip_model(out))).namelist() == ["sparse/0/cameras.bin"]
