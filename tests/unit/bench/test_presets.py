"""`bench_presets`: one report per preset that can be loaded, from the fastest to the slowest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tiepoint.bench import presets as module
from tiepoint.bench.machine import Machine
from tiepoint.bench.presets import bench_presets
from tiepoint.bench.stages import PairReport
from tiepoint.bench.timing import Seconds
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.presets import PRESETS

MACHINE = Machine(
    processor="Fast One", device="cpu", cores=2, threads=2, gemm_gflops=100.0, torch="2.9", tiepoint="0.1"
)
TIMES = dict(zip(PRESETS, range(len(PRESETS), 0, -1), strict=True))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Options with which each preset was loaded; "disk+lightglue" has no weights."""
    loaded: dict[str, dict[str, Any]] = {}

    def load(preset: str, **options: Any) -> None:
        if preset == "disk+lightglue":
            raise WeightsError("weights disk not found\nsecond line")
        loaded[preset] = options

    def measure_pair(
        matcher: None, files: Any, *, preset: str, runs: int, machine: Machine | None
    ) -> PairReport:
        return PairReport(
            machine=machine or MACHINE,
            preset=preset,
            images=("a.png", "b.png"),
            keypoints=(1, 1),
            matches=1,
            layers_run=0,
            stages={name: Seconds((0.1,) * runs) for name in ("read", "extract", "match")},
            pair=Seconds((TIMES[preset],) * runs),
            peak_memory_bytes=1,
        )

    monkeypatch.setattr(module, "load", load)
    monkeypatch.setattr(module, "measure_pair", measure_pair)
    return loaded


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.png", tmp_path / "b.png"
    for path in paths:
        PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return paths


def test_from_the_fastest_to_the_slowest(loaded: dict[str, Any], images: tuple[Path, Path]) -> None:
    report = bench_presets(*images, runs=2)
    assert [pair.preset for pair in report.pairs] == [name for name in reversed(PRESETS) if name in loaded]
    assert report.skipped == {"disk+lightglue": "weights disk not found"}


def test_options_reach_the_presets_that_support_them(
    loaded: dict[str, Any], images: tuple[Path, Path]
) -> None:
    bench_presets(*images, runs=1, adaptive=False, max_keypoints=7)
    for name, options in loaded.items():
        assert options["max_keypoints"] == 7
        assert ("adaptive" in options) == (PRESETS[name].matcher == "lightglue")


def test_the_report_is_written(loaded: dict[str, Any], images: tuple[Path, Path], tmp_path: Path) -> None:
    report = bench_presets(*images, runs=1, json=tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text()) == json.loads(json.dumps(report.to_dict()))


def test_invalid_input_is_found_before_anything_is_loaded(loaded: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.png"):
        bench_presets(tmp_path / "missing.png", tmp_path / "missing.png")
    with pytest.raises(InvalidInput, match="runs"):
        bench_presets(runs=0)
    assert loaded == {}
