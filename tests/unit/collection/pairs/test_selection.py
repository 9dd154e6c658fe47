"""Pairs of images by every method but retrieval, which has a file of its own."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import (
    METHODS,
    PairSelection,
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


def chosen(text: str, images: list[ImageRecord] = LETTERS) -> SelectedPairs:
    return select_pairs(parse_pair_selection(text), images)


@pytest.mark.parametrize(
    "text", ["exhaustive", "sequential:3", "retrieval:20", "spatial:5", "list:a.txt", "list:C:/a b:c.txt"]
)
def test_choices_are_read_and_written(text: str):
    assert str(parse_pair_selection(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "all", "exhaustive:", "exhaustive:3", "sequential", "retrieval", "list", "Sequential:3", ":3"],
)
def test_what_is_no_choice(text: str):
    with pytest.raises(InvalidInput, match="unknown pair selection"):
        parse_pair_selection(text)


@pytest.mark.parametrize("count", ["", "0", "-1", "1.5", "three", "²"])
@pytest.mark.parametrize("method", ["sequential", "retrieval", "spatial"])
def test_how_many_must_be_a_number_above_0(method: str, count: str):
    with pytest.raises(InvalidInput, match=f"{method}:K"):
        parse_pair_selection(f"{method}:{count}")


def test_a_list_needs_a_file():
    with pytest.raises(InvalidInput, match="list:FILE"):
        parse_pair_selection("list:")


def test_exhaustive():
    assert list(chosen("exhaustive")) == list(combinations("abcde", 2))


def test_sequential():
    assert list(chosen("sequential:1")) == [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    assert list(chosen("sequential:3"))[:3] == [("a", "b"), ("a", "c"), ("a", "d")]
    assert list(chosen("sequential:99")) == list(combinations("abcde", 2))


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("text", ["exhaustive", "sequential:3", "spatial:3"])
def test_no_pair_without_two_images(text: str, count: int):
    found = chosen(text, LETTERS[:count])
    assert (len(found), list(found)) == (0, [])


@pytest.mark.parametrize("text", ["exhaustive", "sequential:1", "sequential:7", "sequential:299"])
def test_blocks_and_count_agree(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.collection.pairs.selection.BLOCK", 50)
    found = chosen(text, collection(*map(str, range(300))))
    blocks = list(found.blocks())
    assert len(blocks) > 1
    assert sum(map(len, blocks)) == len(found)
    assert {block.dtype for block in blocks} == {np.dtype(np.int32)}


def test_pairs_can_be_streamed_again():
    found = chosen("exhaustive")
    assert list(found) == list(found)


@pytest.fixture
def listed(tmp_path: Path):
    names = ["1.jpg", "2.jpg", "a b/ö.jpg", "#1.jpg", "# 2 b.jpg", "l'eau.jpg", 'say "hi".jpg']

    def choose(*lines: str, end: str = "\n") -> SelectedPairs:
        path = tmp_path / "pairs.txt"
        path.write_text(end.join(lines), encoding="utf-8", newline="")
        return select_pairs(PairSelection("list", str(path)), collection(*names))

    return choose


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("1.jpg 2.jpg", ("1.jpg", "2.jpg")),
        ("2.jpg   1.jpg ", ("1.jpg", "2.jpg")),
        ("2.jpg\ta b/ö.jpg", ("2.jpg", "a b/ö.jpg")),
        ('"a b/ö.jpg" 1.jpg', ("1.jpg", "a b/ö.jpg")),
        ('1.jpg "#1.jpg"', ("1.jpg", "#1.jpg")),
        ("#1.jpg 1.jpg", ("1.jpg", "#1.jpg")),
        ("#1.jpg\t2.jpg", ("2.jpg", "#1.jpg")),
        ('"#1.jpg" 1.jpg', ("1.jpg", "#1.jpg")),
        ("# 2 b.jpg\t2.jpg", ("2.jpg", "# 2 b.jpg")),
        ("l'eau.jpg 1.jpg", ("1.jpg", "l'eau.jpg")),
        ('"say ""hi"".jpg" 1.jpg', ("1.jpg", 'say "hi".jpg')),
        ("\ufeff1.jpg 2.jpg", ("1.jpg", "2.jpg")),
    ],
    ids=[
        "spaces",
        "other-order",
        "tab",
        "quotes",
        "second-hash",
        "hash",
        "hash-tab",
        "hash-quotes",
        "hash-spaces",
        "apostrophe",
        "quoted-quotes",
        "bom",
    ],
)
def test_a_line_of_a_list(listed, line: str, pair: tuple[str, str]):
    found = listed(line)
    assert (list(found), found.problems) == ([pair], ())


def test_a_list_has_each_pair_once_and_in_order(listed):
    found = listed("2.jpg\ta b/ö.jpg", "2.jpg 1.jpg", "", "# 1.jpg 2.jpg", "1.jpg 2.jpg", end="\r\n")
    assert list(found) == [("1.jpg", "2.jpg"), ("2.jpg", "a b/ö.jpg")]
    assert (len(found), found.problems) == (2, ())


def test_lines_that_cannot_be_used_are_named(listed):
    found = listed("1.jpg 2.jpg", "1.jpg 3.jpg", "", "1.jpg", "1.jpg 1.jpg", "x y z", "4.jpg 5.jpg")
    assert list(found) == [("1.jpg", "2.jpg")]
    places = [line.partition("pairs.txt:")[2] for line in found.problems]
    assert [place.partition(":")[0] for place in places] == ["2", "4", "5", "6", "7"]
    assert "'3.jpg' not found" in found.problems[0]
    assert "got 1; separate" in found.problems[1]
    assert "paired with itself" in found.problems[2]
    assert "'4.jpg' and '5.jpg'" in found.problems[4]


@pytest.mark.parametrize(
    "line", ["#", "# a comment", "#2.jpg 1.jpg", '#"1.jpg" 2.jpg', '# "', "#\t1.jpg\t2.jpg", "## 1.jpg"]
)
def test_a_line_with_a_hash_is_a_comment_unless_a_image_is_called_so(listed, line: str):
    found = listed("1.jpg 2.jpg", line)
    assert (list(found), found.problems) == ([("1.jpg", "2.jpg")], ())


def test_what_follows_a_image_with_a_hash_must_be_one(listed):
    found = listed("#1.jpg 9.jpg", "#1.jpg is blurred")
    assert list(found) == []
    assert "'9.jpg' not found" in found.problems[0]
    assert "got 3" in found.problems[1]


def test_only_some_of_many_bad_lines_are_named(listed):
    found = listed(*["x y"] * 250)
    assert len(found.problems) == 101
    assert found.problems[-1].endswith("150 more invalid lines")


def test_an_empty_list(listed):
    assert list(listed("")) == []


LONG = "x" * 131_073
"""One character more than Python's csv takes in a word."""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LONG, "got 1; separate"),
        (f"1.jpg\t{LONG}", f"'{'x' * 255}'… (131,073 characters) not found among the 7 images"),
        (f'1.jpg "{LONG}', f"""'"{"x" * 254}'… (131,074 characters) not found among the 7 images"""),
    ],
    ids=["one-word", "tab", "open-quotes"],
)
def test_a_line_that_is_too_long_is_named(listed, line: str, reason: str):
    found = listed("1.jpg 2.jpg", line, "2.jpg a")
    assert list(found) == [("1.jpg", "2.jpg")]
    assert len(found.problems) == 2
    assert found.problems[0].endswith(reason) or reason in found.problems[0]
    assert "pairs.txt:2: " in found.problems[0]
    assert len(found.problems[0]) < 1000


def test_a_long_comment_is_a_comment(listed):
    assert listed(f"# {LONG}", "1.jpg 2.jpg").problems == ()


def test_a_list_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert str(parse_pair_selection("list:a b.txt").absolute()) == f"list:{tmp_path / 'a b.txt'}"
    assert str(parse_pair_selection("list:~/a.txt").absolute()) == f"list:{Path.home() / 'a.txt'}"
    assert str(parse_pair_selection("sequential:3").absolute()) == "sequential:3"


def test_the_content_of_a_list_has_a_digest(tmp_path: Path):
    (tmp_path / "a.txt").write_text("1.jpg 2.jpg\n")
    (tmp_path / "b.txt").write_text("1.jpg 3.jpg\n")
    digests = {PairSelection("list", str(tmp_path / name)).list_digest() for name in ("a.txt", "b.txt")}
    assert len(digests) == 2
    assert {len(digest) for digest in digests} == {16}
    assert PairSelection("exhaustive").list_digest() == ""
    with pytest.raises(InvalidInput, match=r"cannot read .*gone\.txt"):
        PairSelection("list", str(tmp_path / "gone.txt")).list_digest()


@pytest.mark.parametrize("place", ["missing.txt", "."])
def test_a_list_that_cannot_be_read(tmp_path: Path, place: str):
    with pytest.raises(InvalidInput, match="cannot read"):
        select_pairs(PairSelection("list", str(tmp_path / place)), LETTERS)


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


def test_spatial_pairs_are_the_nearest_of_each():
    found = chosen("spatial:1", placed(0.0, 0.9, 0.2, 5.0))
    assert list(found) == [("0", "2"), ("1", "2"), ("1", "3")]


def test_images_without_a_position_are_named():
    found = chosen("spatial:2", placed(0.0, None, 0.1))
    assert list(found) == [("0", "2")]
    (problem,) = found.problems
    assert problem.startswith("1: no GPS position")


def test_no_image_has_a_position():
    found = chosen("spatial:2", placed(None, None))
    assert (list(found), len(found.problems)) == ([], 2)


def test_retrieval_needs_features():
    with pytest.raises(InvalidInput, match="read_features"):
        chosen("retrieval:2")


def test_every_method_can_be_asked_for():
    assert set(METHODS) == {"exhaustive", "sequential", "retrieval", "spatial", "list"}
