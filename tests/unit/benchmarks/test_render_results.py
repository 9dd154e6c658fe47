"""The page's tables say what the records say, and the page in docs/ is up to date."""

import json
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

import pages
import plots
import render_results

ABOUT = {
    "command": "python benchmarks/speed.py",
    "date": "2026-11-22",
    "runs": 3,
    "machine": {"processor": "Fast One", "threads": 2},
    "versions": {"torch": "2.9"},
}


def timing(name: str, seconds: dict[str, list[float]], **facts: Any) -> dict[str, Any]:
    found = dict.fromkeys(seconds, 100)
    return {"group": "matching", "name": name, "facts": facts, "found": found, "seconds": seconds}


LEAST = {"gemm_flop": 100_000_000_000, "exponentials": 2_000_000_000}
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
            least=LEAST,
            bytes_moved={"tiepoint": 4_000_000_000},
        )
        | {"rates": RATES},
        timing("512 keypoints", {"tiepoint": [1.0, 1.0, 1.0], "other": [0.5, 0.5, 0.5]}),
    ],
}
GROWTH = {
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
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page and records of its own, that the program is told of."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nafter\n")
    for name, record in (("speed.json", SPEED), ("growth.json", GROWTH)):
        (tmp_path / name).write_text(json.dumps(record))
    monkeypatch.setattr(sys, "argv", ["render_results.py", "--records", str(tmp_path), "--page", str(page)])
    return page


def rows(page: Path) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("|")]


def test_only_the_part_between_the_marks_changes(page: Path) -> None:
    render_results.main()
    text = page.read_text()
    assert text.startswith("before\n<!-- speed: begin -->\n")
    assert text.endswith("<!-- speed: end -->\nafter\n")
    assert "old" not in text
    assert "`python benchmarks/speed.py`, 2026-11-22, Fast One, threads: 2, runs: 3; torch 2.9." in text


def test_peers_stand_beside_us_with_ratio_and_quartiles(page: Path) -> None:
    render_results.main()
    found = rows(page)
    assert ["work", "tiepoint, s", "peer, s", "other, s"] in found
    assert ["2048 keypoints", "1.000", "4.000, **× 4.00** (4.00 to 4.50)", "–"] in found
    assert ["512 keypoints", "1.000", "–", "0.500, **× 0.50** (0.50 to 0.50)"] in found


def test_a_peer_that_found_something_else_is_marked(page: Path, tmp_path: Path) -> None:
    record = json.loads(json.dumps(SPEED))
    record["timings"][0]["found"]["peer"] = 7
    (tmp_path / "speed.json").write_text(json.dumps(record))
    render_results.main()
    assert "4.000, **× 4.00** (4.00 to 4.50), finds 7 instead of 100" in page.read_text()


def test_the_share_of_the_limit_is_a_column(page: Path) -> None:
    render_results.main()
    (row,) = (row for row in rows(page) if row[0] == "2048")
    #       keypoints GFLOP at    exp     at       limit    time     share      GEMM rate copies moved
    assert row == ["2048", "100", "250", "2.00", "20.00", "0.500", "1.000", "**50%**", "40%", "20", "4.0"]


def test_growth_and_batches(page: Path, tmp_path: Path) -> None:
    render_results.main()
    found = rows(page)
    assert ["16,384", "60.00 s, 500 MiB", "–"] in found
    assert ["512 keypoints, batches of 2, all layers", "2.00", "1.00"] in found
    assert ["512 keypoints, batches of 2, adaptive", "4.00", "–"] in found
    for name in ("growth.png", "batches.png"):
        assert f"](images/{name})" in page.read_text()
        with PIL.Image.open(tmp_path / "images" / name) as picture:
            assert min(picture.size) >= 400
        assert (tmp_path / "images" / name).stat().st_size < 200_000


def test_lines_are_pairs_a_second(page: Path) -> None:
    assert {name: (sizes, rates) for name, sizes, rates in plots.lines(GROWTH["batches"])} == {
        "tiepoint, all layers": ([1, 2], [2.0, 2.0]),
        "transformers, all layers": ([1, 2], [1.0, 1.0]),
        "tiepoint, adaptive": ([1, 2], [4.0, 4.0]),
    }


def test_check_tells_an_old_page_and_writes_nothing(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = page.read_text()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--check"])
    with pytest.raises(SystemExit, match="run make bench"):
        render_results.main()
    assert page.read_text() == before
    page.write_text(pages.replaced(before, "speed", render_results.sections(SPEED, GROWTH)))
    with pytest.raises(SystemExit) as end:
        render_results.main()
    assert not end.value.code


def test_the_page_in_docs_is_what_the_records_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["render_results.py", "--check"])
    with pytest.raises(SystemExit) as end:
        render_results.main()
    assert not end.value.code, end.value.code
