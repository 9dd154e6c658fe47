"""Every example begins with a summary and its command, and runs, with files and with the built-in images."""

import re
import runpy
import sys
from pathlib import Path

import PIL.Image
import pytest
from skimage.data import stereo_motorcycle
from tests.helpers import paths

EXAMPLES = sorted(paths.EXAMPLES.glob("*.py"))
EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two small image files in the current folder."""
    for name, image in zip("ab", stereo_motorcycle(), strict=False):
        PIL.Image.fromarray(image).resize((371, 250)).save(tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return ["a.jpg", "b.jpg"]


def run(example: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(example), *arguments])
    runpy.run_path(str(example), run_name="__main__")


@EACH
def test_it_begins_with_a_summary_and_its_command(example: Path):
    text = example.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert f"    python examples/{example.name} A.jpg B.jpg" in text
    assert len(text.splitlines()) < 60


def test_numbers_are_consecutive():
    assert [path.name[:3] for path in EXAMPLES] == [f"{k:02}_" for k in range(1, len(EXAMPLES) + 1)]
    assert len(EXAMPLES) >= 4


@pytest.mark.weights
@EACH
@pytest.mark.parametrize("with_files", [True, False], ids=["files", "built-in images"])
def test_it_finds_many_matches(example: Path, with_files: bool, files, monkeypatch, capsys):
    run(example, files if with_files else [], monkeypatch)
    printed = capsys.readouterr().out
    assert max(int(number) for number in re.findall(r"(\d+) matches", printed)) > 50, printed
    if "matches.png" in example.read_text(encoding="utf-8"):
        with PIL.Image.open("matches.png") as picture:
            assert picture.width > 700
