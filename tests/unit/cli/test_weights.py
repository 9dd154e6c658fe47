"""tiepoint weights, on a table of one permissive and one restricted row that lie in the cache."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.lightglue_files import family_files, tensors, write_file
from typer.testing import CliRunner

from tiepoint.cli.weights import app
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.weights import WEIGHTS, UrlFile, Weights

CONTENT = b"tensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, with two small files and a third that isn't there."""
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path))
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for name in list(WEIGHTS):
        monkeypatch.delitem(WEIGHTS, name)
    for name, commercial in (("free", True), ("restricted", False), ("absent", True)):
        row = Weights(
            name=name,
            filename=f"{name}.pth",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            license="MIT" if commercial else "research only",
            commercial=commercial,
            shape="1/2/3/4",
            sources=(UrlFile("https://example.invalid/weights.pth"),),
        )
        monkeypatch.setitem(WEIGHTS, name, row)
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("free", "restricted"):
        (weights / f"{name}.pth").write_bytes(CONTENT)
    return weights


def run(*arguments: str) -> str:
    """Standard output of the command; its own errors are raised as they are."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list(folder: Path):
    text = run("list")
    assert "research only" in text
    assert "1/2/3/4" in text
    places = {words[0]: words[-1] for line in text.splitlines() if (words := line.split())}
    assert (places["free"], places["restricted"], places["absent"]) == ("cache", "cache", "download")


def test_list_json(folder: Path):
    records = json.loads(run("list", "--json"))
    assert [record["name"] for record in records] == ["free", "restricted", "absent"]
    assert [record["path"] for record in records] == [
        str(folder / "free.pth"),
        str(folder / "restricted.pth"),
        None,
    ]
    assert records[1]["commercial"] is False
    assert records[0]["sources"] == ["https://example.invalid/weights.pth"]


def test_download(folder: Path):
    assert run("download", "free") == f"free: {folder / 'free.pth'}\n"
    assert json.loads(run("download", "free", "--json")) == {"free": str(folder / "free.pth")}


def test_download_asks_for_consent(folder: Path):
    with pytest.raises(WeightsError, match="accept_license=True"):
        run("download", "restricted")
    assert "restricted.pth" in run("download", "restricted", "--accept-license")


def test_download_all_takes_the_permissive_ones_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(WEIGHTS, "absent")
    assert list(json.loads(run("download", "--all", "--json"))) == ["free"]


@pytest.mark.parametrize("arguments", [[], ["free", "--all"]])
def test_download_wants_names_or_all(arguments: list[str]):
    result = CliRunner().invoke(app, ["download", *arguments])
    assert result.exit_code == 2
    assert "--all" in result.output


def test_download_checks_every_name_first(folder: Path):
    with pytest.raises(InvalidInput, match="did you mean 'free'"):
        run("download", "absent", "fre")


def test_path(folder: Path):
    assert run("path", "free") == f"{folder / 'free.pth'}\n"
    assert json.loads(run("path", "free", "--json"))["path"] == str(folder / "free.pth")
    with pytest.raises(WeightsError, match="tiepoint weights download absent"):
        run("path", "absent")


def test_verify_is_content_with_what_is_here(folder: Path):
    states = {record["name"]: record["state"] for record in json.loads(run("verify", "--json"))}
    assert states == {"free": "ok", "restricted": "ok", "absent": "not found"}
    with pytest.raises(WeightsError, match="absent"):
        run("verify", "free", "absent")


def test_verify_finds_damage(folder: Path):
    (folder / "free.pth").write_bytes(b"tensorz")
    with pytest.raises(WeightsError, match=r"free \(its sha256 is .*tiepoint weights download free"):
        run("verify")
    result = CliRunner().invoke(app, ["verify", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["state"].startswith("its sha256 is")


def test_inspect_and_convert(tmp_path: Path):
    source = write_file(tmp_path, family_files()["gim"][2])
    text = run("inspect", str(source))
    assert "family: gim" in text
    assert "size_order: hw" in text
    assert "ignored: superpoint. (5)" in text
    assert "note:" not in text
    target = tmp_path / "gim.safetensors"
    assert "gim" in run("convert", str(source), "--to", "safetensors", "-o", str(target))
    assert json.loads(run("inspect", str(target), "--json"))["family"] == "gim"
    with pytest.raises(WeightsError, match="unknown format 'onnx'"):
        run("convert", str(source), "--to", "onnx", "-o", str(target))


def test_inspect_asks_for_a_kind(tmp_path: Path):
    shape = LightGlueShape(input_dim=256, dim=32, layers=2, heads=2)
    source = str(write_file(tmp_path, tensors(shape)))
    assert "minima, dedode, rdd have the same tensors; if it is one of these, pass --kind" in run(
        "inspect", source
    )
    assert "family: minima" in run("inspect", source, "--kind", "minima")


def test_a_file_that_must_be_brought(folder: Path, monkeypatch: pytest.MonkeyPatch):
    row = replace(WEIGHTS["free"], name="own", filename="own.pth", sources=())
    monkeypatch.setitem(WEIGHTS, "own", row)
    assert "bring the file" in run("list")
    with pytest.raises(WeightsError, match=r"no address.*own\.pth"):
        run("download", "own")
