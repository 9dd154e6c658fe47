"""Output of `tiepoint find` for a known ranking."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from tiepoint import retrieval
from tiepoint.cli import app
from tiepoint.result import MatchResult
from tiepoint.retrieval import Ranking
from tiepoint.types import Assignment, Features


def known_result(rotation: int) -> MatchResult:
    """Return a result without keypoints, with image 1 rotated."""
    features = Features(
        keypoints=torch.zeros(0, 2),
        scores=torch.zeros(0),
        descriptors=torch.zeros(0, 4),
        image_size=(9, 8),
        source=f"turned by {rotation}.jpg",
    )
    none = torch.zeros(0, dtype=torch.int64)
    matches = Assignment(
        matches=torch.zeros(0, 2, dtype=torch.int64),
        scores=torch.zeros(0),
        matching_scores0=torch.zeros(0),
        matching_scores1=torch.zeros(0),
        prune0=none,
        prune1=none,
    )
    return replace(MatchResult.from_assignment(features, features, matches), rotation1=rotation)


@pytest.fixture(autouse=True)
def work(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_to_files(*given: object, **options: Any) -> Ranking:
        return Ranking(query="q.jpg", results=(known_result(90), known_result(0)), compared=2)

    monkeypatch.setattr(retrieval, "find_to_files", find_to_files)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["find", "q.jpg", "photos", *arguments])


def rows(*arguments: str) -> list[list[str]]:
    _, _, first, second, *_ = run(*arguments).stdout.splitlines()
    return [first.split(), second.split()]


def test_the_table_has_the_rotations_of_both_images() -> None:
    assert "rotation, deg" in run().stdout
    assert [row[4:6] for row in rows()] == [["0", "90"], ["0", "0"]]


def test_upright_results_have_no_columns_of_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    upright = Ranking(query="q.jpg", results=(known_result(0), known_result(0)), compared=2)
    monkeypatch.setattr(retrieval, "find_to_files", lambda *given, **options: upright)
    assert "rotation, deg" not in run().stdout
    assert [row[4:] for row in rows()] == [["turned", "by", "0.jpg"]] * 2


def test_images_in_the_current_folder_are_named_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_to_files(*given: object, **options: Any) -> Ranking:
        results = []
        for path in (tmp_path / "photos" / "a.jpg", tmp_path.parent / "b.jpg"):
            result = known_result(0)
            results.append(replace(result, features1=replace(result.features1, source=str(path))))
        return Ranking(query=str(tmp_path / "q.jpg"), results=tuple(results), compared=2)

    monkeypatch.setattr(retrieval, "find_to_files", find_to_files)
    monkeypatch.chdir(tmp_path)
    output = run().stdout
    assert " photos/a.jpg" in output
    assert "compared with q.jpg" in output
    assert str(tmp_path.parent / "b.jpg")[:20] in output
