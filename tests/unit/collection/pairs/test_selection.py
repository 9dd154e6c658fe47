"""Pair selection by every method except retrieval and lists, which have their own files."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import (
    LOOPS_PER_IMAGE,
    METHODS,
    SelectedPairs,
    parse_pair_selection,
    select_pairs,
)
from tiepoint.errors import InvalidInput
from tiepoint.image.exif import GPSPosition


def collection(*names: str) -> list[ImageRecord]:
    return [
        ImageRecord(name=name, path=Path(name), digest=f"{index:016x}", image_size=(8, 6))
        for index, name in enumerate(names)
    ]


LETTERS = collection(*"abcde")


def selected(text: str, images: list[ImageRecord] = LETTERS) -> SelectedPairs:
    return select_pairs(parse_pair_selection(text), images)


@pytest.mark.parametrize(
    "text",
    [
        "exhaustive",
        "sequential:3",
        "sequential:10+loops",
        "retrieval:20",
        "spatial:5",
        "covisible:out/colmap/sparse/0",
        "list:a.txt",
        "list:C:/a b:c.txt",
    ],
)
def test_parsing_round_trip(text: str):
    assert str(parse_pair_selection(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all",
        "exhaustive:",
        "exhaustive:3",
        "sequential",
        "retrieval",
        "list",
        "Sequential:3",
        ":3",
    ],
)
def test_unknown_selections_are_refused(text: str):
    with pytest.raises(InvalidInput, match="unknown pair selection"):
        parse_pair_selection(text)


@pytest.mark.parametrize("count", ["", "0", "-1", "1.5", "three", "²"])
@pytest.mark.parametrize("method", ["sequential", "retrieval", "spatial"])
def test_count_must_be_a_positive_integer(method: str, count: str):
    with pytest.raises(InvalidInput, match=f"{method}:K"):
        parse_pair_selection(f"{method}:{count}")


def test_list_without_a_file_is_refused():
    with pytest.raises(InvalidInput, match="list:FILE"):
        parse_pair_selection("list:")


def test_exhaustive():
    assert list(selected("exhaustive")) == list(combinations("abcde", 2))


def test_sequential():
    assert list(selected("sequential:1")) == [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    assert list(selected("sequential:3"))[:3] == [("a", "b"), ("a", "c"), ("a", "d")]
    assert list(selected("sequential:99")) == list(combinations("abcde", 2))


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("text", ["exhaustive", "sequential:3", "spatial:3"])
def test_fewer_than_two_images_give_no_pair(text: str, count: int):
    found = selected(text, LETTERS[:count])
    assert (len(found), list(found)) == (0, [])


@pytest.mark.parametrize("text", ["exhaustive", "sequential:1", "sequential:7", "sequential:299"])
def test_blocks_and_count_agree(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.collection.pairs.selection.BLOCK", 50)
    found = selected(text, collection(*map(str, range(300))))
    blocks = list(found.blocks())
    assert len(blocks) > 1
    assert sum(map(len, blocks)) == len(found)
    assert {block.dtype for block in blocks} == {np.dtype(np.int32)}


def test_pairs_can_be_iterated_repeatedly():
    found = selected("exhaustive")
    assert list(found) == list(found)


def test_list_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert str(parse_pair_selection("list:a b.txt").absolute()) == f"list:{tmp_path / 'a b.txt'}"
    assert str(parse_pair_selection("list:~/a.txt").absolute()) == f"list:{Path.home() / 'a.txt'}"
    assert str(parse_pair_selection("sequential:3").absolute()) == "sequential:3"


def placed(*longitudes: float | None) -> list[ImageRecord]:
    return [
        ImageRecord(
            name=f"{index}",
            path=Path("a.jpg"),
            digest="0" * 16,
            image_size=(8, 6),
            position=None if longitude is None else GPSPosition(48.0, longitude),
        )
        for index, longitude in enumerate(longitudes)
    ]


def test_spatial_pairs():
    found = selected("spatial:1", placed(0.0, 0.9, 0.2, 5.0))
    assert list(found) == [("0", "2"), ("1", "2"), ("1", "3")]


def test_images_without_a_position_are_problems():
    found = selected("spatial:2", placed(0.0, None, 0.1))
    assert list(found) == [("0", "2")]
    (problem,) = found.problems
    assert problem.startswith("1: no GPS position")


def test_no_image_has_a_position():
    found = selected("spatial:2", placed(None, None))
    assert (list(found), len(found.problems)) == ([], 2)


def test_retrieval_needs_features():
    with pytest.raises(InvalidInput, match="read_features"):
        selected("retrieval:2")


def test_every_method_has_a_form():
    assert set(METHODS) == {"exhaustive", "sequential", "retrieval", "spatial", "covisible", "list"}


@pytest.mark.parametrize("text", ["sequential:+loops", "sequential:0+loops", "spatial:3+loops"])
def test_loops_need_a_sequence(text: str):
    with pytest.raises(InvalidInput, match="positive number of neighbors K"):
        parse_pair_selection(text)


def test_loops_are_similar_images_elsewhere_in_the_sequence(monkeypatch: pytest.MonkeyPatch):
    """Image i looks most like i + 1, then like i + 10, which comes back to the same place."""
    total = 20
    calls = []

    def similar(read_descriptors: object, num_images: int, count: int) -> np.ndarray:
        calls.append((num_images, count))
        rows = [[(i + step) % num_images for step in (1, 10, 11, 9, 12, 8, 13)] for i in range(num_images)]
        return np.array(rows, np.int32)

    monkeypatch.setattr("tiepoint.collection.pairs.selection.most_similar_images", similar)
    images = collection(*(f"{number:02}.jpg" for number in range(total)))
    read_features = lambda _: pytest.fail("not read here")  # noqa: E731
    plain = set(select_pairs(parse_pair_selection("sequential:2"), images))
    found = select_pairs(parse_pair_selection("sequential:2+loops"), images, read_features=read_features)
    assert calls == [(total, LOOPS_PER_IMAGE + 4)]
    assert plain < set(found)
    assert len(found) == len(set(found))
    assert ("00.jpg", "10.jpg") in set(found)
    steps = {int(b[:2]) - int(a[:2]) for a, b in set(found) - plain}
    assert min(steps) > 2
    assert not any(step in steps for step in (7, 13))  # the sixth loop of an image, and its mirror
    with pytest.raises(InvalidInput, match="compares features"):
        select_pairs(parse_pair_selection("sequential:2+loops"), images)
