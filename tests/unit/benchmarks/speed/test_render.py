"""The speed tables and plots show the values of the records."""

import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from benchmarks.programs import run
from benchmarks.speed.plot import batch_curves

ABOUT = {
    "command": "python -m benchmarks speed",
    "date": "2026-11-22",
    "runs": 3,
    "machine": {"processor": "Fast One", "threads": 2},
    "versions": {"torch": "2.9"},
}


def timing(name: str, seconds: dict[str, list[float]], **facts: Any) -> dict[str, Any]:
    found = dict.fromkeys(seconds, 100)
    return {"group": "matching", "name": name, "facts": facts, "found": found, "seconds": seconds}


MINIMUM_WORK = {"gemm_flop": 100_000_000_000, "exponentials": 2_000_000_000}
RATES = [
    {"gemm_gflops": 250.0, "exponentials_per_second": 1e10, "copied_gb_per_second": 20.0},
    {"gemm_gflops": 90.0, "exponentials_per_second": 2e10, "copied_gb_per_second": 3.0},
]
SPEED = {
    "about": ABOUT,
    "timings": [
        timing(
            "2048 keypoints",
            {"tiepoint": [1.0, 0.9, 1.1], "peer": [4.0, 3.6, 5.5]},
            keypoints=2048,
            least=MINIMUM_WORK,
            bytes_moved={"tiepoint": 4_000_000_000},
        )
        | {"rates": RATES},
        timing("512 keypoints", {"tiepoint": [1.0, 1.0, 1.0], "other": [0.5, 0.5, 0.5]}),
    ],
}
SCALING = {
    "about": ABOUT,
    "growth": [
        {"library": "tiepoint", "keypoints": 1024, "seconds": 0.25, "bytes_above_model": 50 * 2**20},
        {"library": "tiepoint", "keypoints": 16384, "seconds": 60.0, "bytes_above_model": 500 * 2**20},
        {"library": "kornia", "keypoints": 1024, "seconds": 1.0, "bytes_above_model": 200 * 2**20},
    ],
    "batches": [
        timing(
            f"512 keypoints, batches of {size}, {mode}",
            seconds,
            keypoints=512,
            pairs=4,
            batch=size,
            mode=mode,
        )
        for size in (1, 2)
        for mode, seconds in (
            ("all layers", {"tiepoint": [2.0], "transformers": [4.0]}),
            ("adaptive", {"tiepoint": [1.0]}),
        )
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with records, and a page to be updated."""
    (tmp_path / "page.md").write_text("before\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nafter\n")
    for name, record in (("speed.json", SPEED), ("scaling.json", SCALING)):
        (tmp_path / name).write_text(json.dumps(record))
    return tmp_path


def render(folder: Path, *options: str) -> str:
    run(["speed", "render", "--records", str(folder), "--page", str(folder / "page.md"), *options])
    return (folder / "page.md").read_text()


def rows(page: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]


def test_page_has_the_origin_of_the_records(folder: Path) -> None:
    page = render(folder)
    assert page.startswith("before\n<!-- speed: begin -->\n")
    assert page.endswith("<!-- speed: end -->\nafter\n")
    assert "`python -m benchmarks speed`, 2026-11-22, Fast One, threads: 2, runs: 3; torch 2.9." in page


def test_other_implementations_have_ratio_and_quartiles(folder: Path) -> None:
    found = rows(render(folder))
    assert ["work", "tiepoint, s", "peer, s", "other, s"] in found
    assert ["2048 keypoints", "1.000", "4.000, **× 4.00** (4.00 to 4.50)", "–"] in found
    assert ["512 keypoints", "1.000", "–", "0.500, **× 0.50** (0.50 to 0.50)"] in found


def test_deviating_count_is_marked(folder: Path) -> None:
    record = json.loads(json.dumps(SPEED))
    record["timings"][0]["found"]["peer"] = 7
    (folder / "speed.json").write_text(json.dumps(record))
    assert "4.000, **× 4.00** (4.00 to 4.50), finds 7 instead of 100" in render(folder)


def test_fraction_of_the_limit_is_a_column(folder: Path) -> None:
    (row,) = (row for row in rows(render(folder)) if row[0] == "2048")
    #       keypoints GFLOP at    exp     at       limit    time     fraction   GEMM rate copies moved
    assert row == ["2048", "100", "250", "2.00", "20.00", "0.500", "1.000", "**50%**", "40%", "20", "4.0"]


def test_scaling_and_batches(folder: Path) -> None:
    page = render(folder)
    found = rows(page)
    assert ["16,384", "60.00 s, 500 MiB", "–"] in found
    assert ["512 keypoints, batches of 2, all layers", "2.00", "1.00"] in found
    assert ["512 keypoints, batches of 2, adaptive", "4.00", "–"] in found
    for name in ("scaling.png", "batches.png"):
        assert f"](images/{name})" in page
        with PIL.Image.open(folder / "images" / name) as picture:
            assert min(picture.size) >= 400
        assert (folder / "images" / name).stat().st_size < 200_000


def test_curves_are_pairs_per_second() -> None:
    assert {name: (sizes, rates) for name, sizes, rates in batch_curves(SCALING["batches"])} == {
        "tiepoint, all layers": ([1, 2], [2.0, 2.0]),
        "transformers, all layers": ([1, 2], [1.0, 1.0]),
        "tiepoint, adaptive": ([1, 2], [4.0, 4.0]),
    }


def test_check_finds_an_outdated_page(folder: Path) -> None:
    with pytest.raises(SystemExit, match="make bench"):
        render(folder, "--check")
    render(folder)
    render(folder, "--check")
