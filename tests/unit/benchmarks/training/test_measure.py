"""The parts of the training benchmark are commands of `tiepoint train`."""

import argparse
from pathlib import Path

import pytest
from benchmarks.training.measure import PARTS, add_arguments, check_arguments, training_command

from tiepoint.cli import app


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_a_valid_command(part: str, tmp_path: Path) -> None:
    words = list(training_command(part, parse("--work", str(tmp_path), "--minutes", "1")))
    options = words[words.index("train") + 1 :]
    assert options[1] == str(tmp_path / part)
    assert options[-2:] == ["--minutes", "1"]
    with pytest.raises(SystemExit) as caught:
        app([*("train", *options), "--help"])
    assert caught.value.code == 0


def test_trials_need_their_own_folders(tmp_path: Path) -> None:
    folders = ("--work", str(tmp_path), "--records", str(tmp_path))
    check_arguments(parse("--minutes", "1", *folders))
    check_arguments(parse())
    for incomplete in ((), folders[:2], folders[2:]):
        with pytest.raises(SystemExit, match="--work and --records"):
            check_arguments(parse("--minutes", "1", *incomplete))
