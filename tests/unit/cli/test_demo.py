"""`tiepoint demo`: prints the share of right matches and where the picture is."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tiepoint import demo
from tiepoint.cli import app
from tiepoint.demo import DemoReport


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the library was asked; it reports 76 right of 80 checked of 100 matches."""
    asked: dict[str, Any] = {}

    def match_motorcycle(picture: Path, **options: Any) -> DemoReport:
        asked.update(options, picture=picture)
        counts = {"matches": 100, "checked": 80, "right": 76}
        return DemoReport(**counts, max_error_px=3.0, picture=str(picture), seconds={"total": 9.5})

    monkeypatch.setattr(demo, "match_motorcycle", match_motorcycle)
    return asked


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", *arguments], catch_exceptions=False)


def test_it_prints_the_share_and_the_picture(asked: dict[str, Any]) -> None:
    result = run("-o", "out/moto.png", "--preset", "disk+lightglue")
    assert result.exit_code == 0
    for promised in ("100 matches", "95.0%", "3 px", "out/moto.png", "total 9.50 s"):
        assert promised in result.stdout
    assert (asked["picture"], asked["preset"]) == (Path("out/moto.png"), "disk+lightglue")


def test_without_options_the_picture_lies_here(asked: dict[str, Any]) -> None:
    assert "tiepoint-demo.png" in run().stdout
    assert (asked["picture"], asked["preset"]) == (Path("tiepoint-demo.png"), "aliked+lightglue")


def test_json_is_json_and_nothing_else(asked: dict[str, Any]) -> None:
    report = json.loads(run("--json").stdout)
    assert (report["share"], report["matches"], report["picture"]) == (0.95, 100, "tiepoint-demo.png")
    assert asked["progress"] is False
