"""`tiepoint export`: mistakes end before any work starts."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.errors import InvalidInput


@pytest.mark.parametrize(
    "arguments", [["--to", "tensorrt"], ["--image-size", "640"], ["--form", "half"], ["--max-keypoints", "0"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["export", "fast", *arguments]).exit_code == 2


def test_other_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    result = CliRunner().invoke(app, ["export", "fast", "-o", str(tmp_path)])
    assert isinstance(result.exception, InvalidInput)
    assert "is not a bundle" in str(result.exception)


def test_unknown_preset(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", "fats", "-o", str(tmp_path / "bundle")])
    assert isinstance(result.exception, InvalidInput)
    assert "did you mean 'fast'?" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_weights_reach_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def export(preset: str, output: str, options: object, **load_options: Any) -> None:
        given.update(load_options, preset=preset)
        raise InvalidInput("stop")

    monkeypatch.setattr("tiepoint.exporting.bundle.export_bundle", export)
    weights = [
        "--extractor-weights",
        "dad.pt",
        "--extractor-weights",
        "dedode.pt",
        "--matcher-weights",
        "loma.pt",
    ]
    CliRunner().invoke(app, ["export", "loma-b128", *weights])
    assert given["extractor_weights"] == ["dad.pt", "dedode.pt"]
    assert (given["preset"], given["matcher_weights"]) == ("loma-b128", "loma.pt")
