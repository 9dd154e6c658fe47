"""Pair lists: separators, quotes, comments, invalid lines, digests."""

from pathlib import Path

import pytest

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import (
    PairSelection,
    SelectedPairs,
    select_pairs,
)
from tiepoint.errors import InvalidInput


def collection(*names: str) -> list[ImageRecord]:
    return [
        ImageRecord(name=name, path=Path(name), digest=f"{index:016x}", image_size=(8, 6))
        for index, name in enumerate(names)
    ]


LETTERS = collection(*"abcde")


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
def test_line(listed, line: str, pair: tuple[str, str]):
    found = listed(line)
    assert (list(found), found.problems) == ([pair], ())


def test_pairs_are_distinct_and_ordered(listed):
    found = listed("2.jpg\ta b/ö.jpg", "2.jpg 1.jpg", "", "# 1.jpg 2.jpg", "1.jpg 2.jpg", end="\r\n")
    assert list(found) == [("1.jpg", "2.jpg"), ("2.jpg", "a b/ö.jpg")]
    assert (len(found), found.problems) == (2, ())


def test_invalid_lines_are_problems(listed):
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
def test_line_with_hash_is_a_comment_unless_an_image_has_the_name(listed, line: str):
    found = listed("1.jpg 2.jpg", line)
    assert (list(found), found.problems) == ([("1.jpg", "2.jpg")], ())


def test_second_name_after_an_image_with_hash_must_be_an_image(listed):
    found = listed("#1.jpg 9.jpg", "#1.jpg is blurred")
    assert list(found) == []
    assert "'9.jpg' not found" in found.problems[0]
    assert "got 3" in found.problems[1]


def test_number_of_reported_lines_is_limited(listed):
    found = listed(*["x y"] * 250)
    assert len(found.problems) == 101
    assert found.problems[-1].endswith("150 more invalid lines")


def test_empty_list(listed):
    assert list(listed("")) == []


LONG = "x" * 131_073
"""One character more than the field limit of Python's csv module."""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LONG, "got 1; separate"),
        (f"1.jpg\t{LONG}", f"'{'x' * 255}'… (131,073 characters) not found among the 7 images"),
        (f'1.jpg "{LONG}', f"""'"{"x" * 254}'… (131,074 characters) not found among the 7 images"""),
    ],
    ids=["one-word", "tab", "open-quotes"],
)
def test_overlong_line_is_a_problem(listed, line: str, reason: str):
    found = listed("1.jpg 2.jpg", line, "2.jpg a")
    assert list(found) == [("1.jpg", "2.jpg")]
    assert len(found.problems) == 2
    assert found.problems[0].endswith(reason) or reason in found.problems[0]
    assert "pairs.txt:2: " in found.problems[0]
    assert len(found.problems[0]) < 1000


def test_long_comment(listed):
    assert listed(f"# {LONG}", "1.jpg 2.jpg").problems == ()


def test_list_digest(tmp_path: Path):
    (tmp_path / "a.txt").write_text("1.jpg 2.jpg\n")
    (tmp_path / "b.txt").write_text("1.jpg 3.jpg\n")
    digests = {PairSelection("list", str(tmp_path / name)).list_digest() for name in ("a.txt", "b.txt")}
    assert len(digests) == 2
    assert {len(digest) for digest in digests} == {16}
    assert PairSelection("exhaustive").list_digest() == ""
    with pytest.raises(InvalidInput, match=r"cannot read .*gone\.txt"):
        PairSelection("list", str(tmp_path / "gone.txt")).list_digest()


@pytest.mark.parametrize("place", ["missing.txt", "."])
def test_unreadable_list(tmp_path: Path, place: str):
    with pytest.raises(InvalidInput, match="cannot read"):
        select_pairs(PairSelection("list", str(tmp_path / place)), LETTERS)
