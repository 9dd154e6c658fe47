"""`bench` with a matcher without weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiepoint.bench import bench, report
from tiepoint.errors import InvalidInput


def test_the_report_is_written(loaded: dict[str, Any], photos: tuple[Path, Path], tmp_path: Path) -> None:
    found = bench(*photos, runs=2, json=tmp_path / "bench.json")
    record = json.loads((tmp_path / "bench.json").read_text())
    assert record == json.loads(json.dumps(found.to_dict()))
    assert record["machine"]["gemm_gflops"] == 100.0
    assert {len(seconds["runs"]) for seconds in record["seconds"].values()} == {2}
    assert record["tuning"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "bright.png", "dark.png"]


def test_tuning_depends_on_the_matcher(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    assert [tuning.option for tuning in bench(*photos, runs=1, tune=True).tunings] == ["threads"]


def test_threads_are_set_during_the_run_only(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    before = torch.get_num_threads()
    bench(*photos, runs=1, threads=before + 1)
    assert loaded["matcher"].threads == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": "missing/bench.json"}, "missing"),
        ({"runs": 0}, "runs must be"),
        ({"threads": 0}, "threads must be"),
        ({"image1": None}, "two images, or none"),
        ({"image1": "nowhere.png"}, "nowhere.png"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_input_fails_before_weights_are_loaded(
    options: dict[str, Any], message: str, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "load", lambda *arguments, **others: pytest.fail("loaded"))
    with pytest.raises(InvalidInput, match=message):
        bench(**{"image0": photos[0], "image1": photos[1], **options})
