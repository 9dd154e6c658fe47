"""Arithmetic of forecasts, and rates of a run."""

import json
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.pairs.selection import parse_pair_selection, select_pairs
from tiepoint.collection.run.forecast import Rates, count_pairs, forecast, measure_rates
from tiepoint.errors import InvalidInput

RATES = Rates(
    seconds={"features": 0.5, "matches": 0.1, "verified": 0.01},
    size_bytes={"features": 300_000.0, "matches": 4_000.0, "verified": 500.0},
)


@pytest.mark.parametrize("pairs", ["exhaustive", "sequential:3", "sequential:100"])
def test_pairs_are_counted_like_the_selection(pairs: str, tmp_path: Path) -> None:
    images = make_collection(tmp_path, PLAIN_NAMES)[0].images
    selection = parse_pair_selection(pairs)
    assert count_pairs(selection, len(images)) == len(select_pairs(selection, images))


def test_pairs_of_other_selections(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("# first\na b\n\nc d\n")
    assert count_pairs(parse_pair_selection(f"list:{tmp_path / 'pairs.txt'}"), 10) == 2
    assert count_pairs(parse_pair_selection("retrieval:20"), 1_000_000) == 20_000_000
    assert count_pairs(parse_pair_selection("spatial:20"), 5) == 10
    assert count_pairs(parse_pair_selection("covisible:model"), 1000) == 20_000
    assert count_pairs(parse_pair_selection("sequential:10+loops"), 1000) == 9_945 + 5_000


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"pairs\.txt"):
        count_pairs(parse_pair_selection(f"list:{tmp_path / 'pairs.txt'}"), 10)


def test_a_million_images() -> None:
    found = forecast(1_000_000, "retrieval:20", RATES, workers=100)
    extract, match, verify = found.stages
    assert (extract.name, extract.records, extract.tasks) == ("extract", 1_000_000, 62_500)
    assert (match.name, match.records, match.tasks) == ("match", 20_000_000, 156_250)
    assert extract.seconds == pytest.approx(5_000)
    assert match.seconds == pytest.approx(20_000)
    assert verify.seconds == pytest.approx(2_000)
    assert found.seconds == pytest.approx(27_000)
    assert found.size_bytes == pytest.approx(3e11 + 8e10 + 1e10)
    assert (extract.reads, extract.requests) == (0, 62_500 + 63)
    assert match.requests == match.reads + 156_250 + 157
    assert verify.reads == match.reads + verify.tasks
    assert 1 < match.reads / match.tasks < 128


def test_few_images_are_cut_into_small_tasks_and_workers_without_a_task_do_not_help() -> None:
    (extract, match, _) = forecast(6, "exhaustive", RATES, workers=100).stages
    assert (extract.tasks, match.tasks) == (6, 2)
    assert match.seconds == pytest.approx(15 * 0.1 / 2)
    assert match.reads <= 2 * 6


def test_rates_of_a_run(tmp_path: Path) -> None:
    folder = make_collection(tmp_path, PLAIN_NAMES[:3])[0].folder
    state = json.loads((folder / "collection.json").read_text())
    state["options"]["verify"] = True
    (folder / "collection.json").write_text(json.dumps(state))
    with pytest.raises(InvalidInput, match="no report of a finished run"):
        measure_rates(folder)
    report = {"new": {"features": 3, "matches": 3, "verified": 3}}
    work = {"read": 1.0, "extract": 2.0, "match": 0.6, "verify": 0.3, "write": 0.9}
    (folder / "report.json").write_text(json.dumps(report | {"work_seconds": work}))
    found = measure_rates(folder)
    assert found.seconds == pytest.approx({"features": 1.1, "matches": 0.3, "verified": 0.2})
    assert all(1_000 < found.size_bytes[kind] < 200_000 for kind in found.seconds)
    report["new"]["matches"] = 0
    (folder / "report.json").write_text(json.dumps(report | {"work_seconds": work}))
    with pytest.raises(InvalidInput, match="computed no matches"):
        measure_rates(folder)


def test_invalid_numbers() -> None:
    for images, workers in ((0, 1), (5, 0)):
        with pytest.raises(InvalidInput, match="expected positive numbers"):
            forecast(images, "exhaustive", RATES, workers=workers)
