"""Matches of evaluated pairs, read again from store and data set, or the reason why not."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.shift_dataset import COUNT, SIZE, ShiftPredictor, shifted_dataset

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.evaluate import evaluate
from tiepoint.evaluation.pair_matches import read_pair_matches
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.report import PairResult, Report, read_report


def evaluated(folder: Path, store: Path | None, *, rotations: int = 0) -> Report:
    data = shifted_dataset(folder)
    if rotations:
        pairs = [replace(pair, num_rotations0=rotations, num_rotations1=rotations) for pair in data.pairs]
        data = replace(data, pairs=tuple(pairs))
    return evaluate(data, lambda prediction: ShiftPredictor(), PROTOCOLS["tiepoint"], store=store)


def reason(row: PairResult) -> str:
    with pytest.raises(InvalidInput) as error:
        read_pair_matches(row)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_matches_and_images_are_those_of_the_evaluation(tmp_path: Path) -> None:
    report = evaluated(tmp_path, tmp_path / "store")
    report.save(tmp_path / "report.json")
    row = read_report(tmp_path / "report.json").rows[1]
    found = read_pair_matches(row)
    assert len(found.result) == COUNT
    np.testing.assert_allclose(found.result.points1 - found.result.points0, [[5, 0]] * COUNT, atol=1e-4)
    assert [image.image_size for image in found.images] == [SIZE, SIZE]
    assert found.result.features1.source == str(tmp_path / "2.png")


def test_rotated_images_are_rotated_again(tmp_path: Path) -> None:
    row = evaluated(tmp_path, tmp_path / "store", rotations=1).rows[0]
    assert [image.image_size for image in read_pair_matches(row).images] == [SIZE[::-1]] * 2


def test_without_a_store_there_are_no_matches(tmp_path: Path) -> None:
    assert "--store" in reason(evaluated(tmp_path, None).rows[0])


def test_a_store_or_an_image_that_is_gone_is_named(tmp_path: Path) -> None:
    row = evaluated(tmp_path, tmp_path / "store").rows[0]
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    assert "1.png has changed" in reason(row)
    (tmp_path / "1.png").unlink()
    assert "1.png" in reason(row)
    shutil.rmtree(tmp_path / "store")
    assert "store" in reason(replace(row, matches={**row.matches, "store": str(tmp_path / "elsewhere")}))
