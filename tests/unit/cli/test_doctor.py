"""`tiepoint doctor`: text for people, JSON for programs, and the exit status."""

import json

import pytest
from typer.testing import CliRunner, Result

from tiepoint import doctor
from tiepoint.cli import app
from tiepoint.doctor import Diagnosis, SelfTest


def diagnosis(*tests: SelfTest) -> Diagnosis:
    return Diagnosis(
        versions={"tiepoint": "0.1.0"},
        machine={"cores": "2"},
        extras={"find": [], "video": ["av"]},
        environment={},
        cache={"/cache/weights": 1_500_000},
        weights={"aliked-n16": "/cache/a.pth", "superpoint": None},
        tests=list(tests),
    )


PASSED = SelfTest(preset="fast one", passed=True, matches=30, correct=29, seconds=1.25)
FAILED = SelfTest(preset="slow one", passed=False, matches=3, correct=0, reason="too few correct matches")


def run(monkeypatch: pytest.MonkeyPatch, found: Diagnosis, *arguments: str) -> Result:
    monkeypatch.setattr(doctor, "diagnose", lambda *, self_test: found)
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, diagnosis(PASSED))
    assert result.exit_code == 0
    for line in (
        "  tiepoint: 0.1.0",
        "  find: complete",
        "  video: missing av; run: pip install 'tiepoint[video]'",
        "  no variable set",
        "  /cache/weights: 1.5 MB",
        "  here: aliked-n16",
        "  not here: superpoint",
        "  fast one: passed, 29 of 30 matches correct in 1.2 s",
    ):
        assert line in result.stdout.splitlines()


def test_a_failed_self_test_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, diagnosis(PASSED, FAILED))
    assert result.exit_code == 1
    assert "  slow one: FAILED, too few correct matches (0 of 3 matches correct in 0.0 s)" in result.stdout


def test_without_weights_it_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, diagnosis())
    assert result.exit_code == 0
    assert "tiepoint demo" in result.stdout


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, diagnosis(FAILED), "--json")
    record = json.loads(result.stdout)
    assert (record["passed"], record["tests"][0]["preset"], result.exit_code) == (False, "slow one", 1)
