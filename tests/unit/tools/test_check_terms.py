"""The check of terms: patterns, exceptions by line and by file, and the list itself."""

import subprocess
import sys

import pytest
from tests.helpers.paths import REPOSITORY

sys.path.append(str(REPOSITORY / "tools"))
import check_terms

ROWS = {term.pattern.pattern: term for term in check_terms.read_terms()}


def find(row: str, text: str, file: str = "src/a.py") -> list[str]:
    return list(check_terms.find_terms(text, file, [check_terms.parse_term(row)]))


def test_a_finding_names_place_term_and_replacement() -> None:
    assert find("\\bwhole numbers?\\b\tinteger\t-\t-", "a\nthree Whole numbers") == [
        "src/a.py:2: 'Whole numbers': write integer"
    ]


def test_one_finding_per_line_and_term() -> None:
    assert len(find("anew\tagain\t-\t-", "anew and anew\nanew")) == 2


def test_patterns_with_capitals_distinguish_case() -> None:
    assert find("\\bMOST_[A-Z]\tMAX_\t-\t-", "most_common") == []
    assert len(find("\\bMOST_[A-Z]\tMAX_\t-\t-", "MOST_PAIRS")) == 1


def test_lines_in_which_the_term_is_right() -> None:
    row = "\\bphotograph\timage\texif\t-"
    assert find(row, "EXIF of the photograph") == []
    assert len(find(row, "the photograph")) == 1


def test_files_in_which_the_term_is_right() -> None:
    row = "\\bphotograph\timage\t-\tdocs/*.md src/b.py"
    assert find(row, "photograph", "docs/faq.md") == find(row, "photograph", "src/b.py") == []
    assert len(find(row, "photograph", "src/a.py")) == 1


@pytest.mark.parametrize("row", ["one\ttwo\tthree", "one\ttwo\tthree\tfour\tfive"])
def test_rows_have_four_columns(row: str) -> None:
    with pytest.raises(ValueError, match="4 columns"):
        check_terms.parse_term(row)


@pytest.mark.parametrize(
    "text",
    [
        "Likewise for image 1.",
        "        keypoints: Of image 1.",
        "expected 2 dimensions, but 3 came",
        "    Descriptors can't be read",
        "keypoints an image",
        "the whole number",
        "FEWEST_INLIERS = 3",
        "it goes on where it stopped",
    ],
)
def test_the_list_finds(text: str) -> None:
    assert list(check_terms.find_terms(text, "src/tiepoint/a.py", ROWS.values()))


@pytest.mark.parametrize(
    "text",
    [
        "    keypoints: Keypoint coordinates (x, y) in px.",
        "cannot read 'x': truncated JPEG; re-export it",
        "expected shape (n, 2), got (2, n)",
        "keypoints per image, pairs per second",
        "surely measured",
        "for pairs, an image is read once",
        "MAX_KEYPOINTS = 3",
    ],
)
def test_the_list_accepts(text: str) -> None:
    assert list(check_terms.find_terms(text, "src/tiepoint/a.py", ROWS.values())) == []


def test_patterns_are_unique() -> None:
    assert len(ROWS) == len(check_terms.read_terms()) > 20


def test_it_fails_on_a_file_with_a_finding(tmp_path) -> None:
    path = tmp_path / "a.md"
    path.write_text("Likewise.\n")
    command = [sys.executable, str(REPOSITORY / "tools" / "check_terms.py"), str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "a.md:1: 'Likewise'" in found.stdout
    path.write_text("As before.\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
