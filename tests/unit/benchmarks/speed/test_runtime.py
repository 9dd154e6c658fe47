"""The benchmark of tiepoint-runtime: bundles that exist are used, and the table names both."""

import sys
from pathlib import Path

import pytest
from benchmarks.speed import runtime
from benchmarks.speed.render import paragraphs

ABOUT = {
    "command": "c",
    "date": "2026-11-30",
    "runs": 2,
    "machine": {"processor": "CPU", "threads": 2, "device": "cpu"},
    "versions": {"torch": "2.14.1"},
}


def test_bundles_that_exist_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported = []
    monkeypatch.setattr(runtime, "export_bundle", lambda preset, folder, options: exported.append(folder))
    folder = tmp_path / "a-b"
    assert runtime.export("a+b", tmp_path) == folder
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    runtime.export("a+b", tmp_path)
    assert exported == [folder]


def test_presets_with_local_weights_and_a_network_can_be_exported() -> None:
    names = runtime.exportable()
    assert {"aliked+lightglue", "xfeat+nearest", "disk+lightglue"} <= set(names)
    assert not {"sift+nearest", "loma-b"} & set(names)


def test_no_environment_no_start() -> None:
    assert runtime.measure_start(None, Path("bundle"), (Path("a"), Path("b"))) == {}


def test_failed_starts_are_errors(tmp_path: Path) -> None:
    with pytest.raises(runtime.subprocess.CalledProcessError):
        runtime.measure_start(Path(sys.executable), tmp_path, (tmp_path / "a", tmp_path / "b"))


def test_the_table_of_the_record() -> None:
    timing = {
        "group": "extraction",
        "name": "XFeat",
        "facts": {},
        "found": {"tiepoint": 100, "tiepoint-runtime": 100},
        "seconds": {"tiepoint": [0.1, 0.1], "tiepoint-runtime": [0.2, 0.2]},
        "rates": [],
    }
    start = {"bundle": "xfeat-lighterglue", "megabytes": 200.4, "seconds": [1.0, 2.0, 3.0]}
    record = {"about": ABOUT, "timings": [timing], "environment": [start]}
    heading, _, table, size = paragraphs(None, None, None, record)
    assert heading == "### Without PyTorch"
    assert "**× 2.00**" in table
    assert "200 MB" in size
    assert "takes 2.00 s" in size
