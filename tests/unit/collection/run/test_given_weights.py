"""Weights of a run: absolute paths, digests, and the same ones in every run of a folder."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tiepoint.collection.run.given_weights import check_same_weights, digests_of, with_absolute_paths
from tiepoint.errors import InvalidInput
from tiepoint.weights import WEIGHTS


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").write_bytes(b"own")
    return tmp_path / "own.pth"


def test_paths_are_absolute_and_names_are_kept(file: Path) -> None:
    load = with_absolute_paths(
        {"resize": 640, "matcher_weights": Path("own.pth"), "extractor_weights": ["raco", "own.pth"]}
    )
    assert load == {"resize": 640, "matcher_weights": str(file), "extractor_weights": ["raco", str(file)]}
    assert with_absolute_paths({"extractor_weights": "own.pth"}) == {"extractor_weights": str(file)}
    assert with_absolute_paths({"matcher_weights": None}) == {"matcher_weights": None}


def test_digests_of_files_and_names(file: Path) -> None:
    digest = sha256(b"own").hexdigest()
    found = digests_of({"matcher_weights": str(file), "extractor_weights": ["aliked-n16", str(file)]})
    assert found == {
        "matcher_weights": [digest],
        "extractor_weights": [WEIGHTS["aliked-n16"].sha256, digest],
    }
    assert digests_of({"resize": 640}) == {}


def run_options(preset: str = "aliked+lightglue", **files: str) -> dict[str, Any]:
    weights = {name: [file * 16] for name, file in files.items()}
    return {
        "preset": preset,
        "load": {name: f"{file}.pth" for name, file in files.items()},
        "weights": weights,
    }


@pytest.mark.parametrize(
    ("previous", "options", "message"),
    [
        ({"matcher_weights": "a"}, {"matcher_weights": "b"}, r"matcher_weights were a\.pth \(SHA-256 a{12}\), got b\.pth"),
        ({}, {"extractor_weights": "b"}, r"extractor_weights were the preset's, got b\.pth"),
        ({"matcher_weights": "a"}, {}, r"matcher_weights were a\.pth .*, got the preset's; give the same ones"),
    ],
    ids=["other", "given", "left out"],
)  # fmt: skip
def test_other_weights_are_refused(
    previous: dict[str, str], options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_same_weights(tmp_path, run_options(**previous), run_options(**options))


def test_the_same_weights_of_another_path_and_other_presets_are_accepted(tmp_path: Path) -> None:
    previous, moved = run_options(matcher_weights="a"), run_options(matcher_weights="a")
    moved["load"]["matcher_weights"] = "elsewhere.pth"
    check_same_weights(tmp_path, previous, moved)
    check_same_weights(tmp_path, previous, run_options("disk+lightglue"))
    without_digests = {name: value for name, value in previous.items() if name != "weights"}
    check_same_weights(tmp_path, without_digests, run_options())
