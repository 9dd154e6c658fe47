"""Pairs and problems are collected while a data set is read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.ground_truth import EvaluationPair, HomographyGroundTruth

SIZE = (64, 48)


def write_image(path: Path, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", SIZE).save(path, exif=exif)
    return path


def pair_of(image0: Path, image1: Path) -> EvaluationPair:
    truth = HomographyGroundTruth(homography=np.eye(3))
    return EvaluationPair(name="s/a-b", scene="s", image0=image0, image1=image1, truth=truth)


def test_pairs_keep_their_order_and_invalid_entries_become_problems(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    builder = DatasetBuilder()
    for line in (1, 2):
        with builder.skip_invalid("list.txt", line):
            builder.add(pair_of(image, image))
    with builder.skip_invalid("list.txt", 3):
        raise OSError("disk failure")
    dataset = builder.dataset("x")
    assert (dataset.name, len(dataset)) == ("x", 1)
    assert dataset.problems[0].startswith("list.txt:2: duplicate pair s/a-b")
    assert dataset.problems[1] == "list.txt:3: disk failure"


def test_the_location_is_not_repeated() -> None:
    builder = DatasetBuilder()
    with builder.skip_invalid("list.txt"):
        raise InvalidInput("list.txt is empty")
    assert builder.problems == ["list.txt is empty"]


def test_other_errors_are_raised() -> None:
    with pytest.raises(KeyError), DatasetBuilder().skip_invalid("list.txt"):
        raise KeyError("x")


@pytest.mark.parametrize(("orientation", "size"), [(1, SIZE), (3, SIZE), (6, SIZE[::-1]), (8, SIZE[::-1])])
def test_sizes_are_those_of_upright_images(orientation: int, size: tuple[int, int], tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.jpg", orientation)
    builder = DatasetBuilder()
    assert builder.image_size(path) == size
    assert builder.exif_orientation(path) == orientation


def test_headers_are_read_once(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    builder = DatasetBuilder()
    builder.image_size(path)
    path.unlink()
    assert builder.image_size(path) == SIZE


def test_missing_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.png"):
        DatasetBuilder().image_size(tmp_path / "absent.png")
