"""Records say what measurements depend on, and are read as they were written."""

import sys
from pathlib import Path

import pytest
from benchmarks import records

from tiepoint.bench.machine import Machine

MACHINE = Machine(processor="P", device="cpu", cores=2, threads=1, gemm_gflops=1.0, torch="2", tiepoint="0")


def test_about_has_command_machine_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "describe_machine", lambda: MACHINE)
    monkeypatch.setattr(records, "installed_versions", lambda names: dict.fromkeys(names, "1"))
    monkeypatch.setattr(
        sys, "argv", ["/somewhere/benchmarks/__main__.py", "speed", "--only", "512 keypoints"]
    )
    about = records.about(3)
    assert about["command"] == "python -m benchmarks speed --only '512 keypoints'"
    assert about["runs"] == 3
    assert about["machine"]["processor"] == "P"
    assert set(about["versions"]) == set(records.PACKAGES)


@pytest.mark.parametrize("write", [records.write_record, records.write_column_record])
def test_records_are_read_as_written(write, tmp_path: Path) -> None:
    record = {"about": {"date": "today"}, "columns": {"a": [1, 2], "b": ["x", None]}, "rows": []}
    write(tmp_path / "new", "some.json", record)
    assert records.read_record(tmp_path / "new", "some.json") == record
    assert records.read_record(tmp_path, "some.json") is None


def test_columns_are_lines(tmp_path: Path) -> None:
    records.write_column_record(tmp_path, "some.json", {"columns": {"a": [1, 2], "b": [3, 4]}})
    assert (tmp_path / "some.json").read_text() == '{"columns":{"a":[1,2],\n"b":[3,4]}}\n'
