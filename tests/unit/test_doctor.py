"""`diagnose`: packages, cache and weights of this installation; the self-test says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tiepoint import doctor
from tiepoint.doctor import diagnose, missing_packages, run_self_test
from tiepoint.errors import WeightsError
from tiepoint.presets import PRESETS
from tiepoint.weights import WEIGHTS


def test_it_describes_without_a_self_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.pth").write_bytes(bytes(123))
    found = diagnose(self_test=False)
    assert found.versions["torch"] == torch.__version__.partition("+")[0]
    assert found.cache == {str(tmp_path / "weights"): 123}
    assert found.environment["TIEPOINT_HOME"] == str(tmp_path)
    assert set(found.weights) == set(WEIGHTS)
    assert found.weights["aliked_lightglue_small"] is not None, "it is in our own package"
    assert found.tests == []
    assert json.loads(json.dumps(found.to_dict()))["passed"] is True


def test_the_cache_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path / "missing"))
    assert diagnose(self_test=False).cache == {}


def test_missing_packages_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"numpy": "1", "h5py": "1", "pycolmap": "1"}
    monkeypatch.setattr(doctor, "_version", installed.get)
    missing = missing_packages()
    assert missing["find"] == []
    assert missing["video"] == ["av"]
    assert "faiss-cpu" in missing["collection"]
    assert not {"all", "test", "check", "bench"} & set(missing), "extras for development"


def test_a_failure_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(preset: str) -> Any:
        raise WeightsError("cannot load weights\nand more")

    monkeypatch.setattr(doctor, "load", load)
    failed = run_self_test("aliked+lightglue")
    assert (failed.passed, failed.reason) == (False, "cannot load weights")


def test_only_presets_with_weights_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_location", lambda name: "here" if "xfeat" in name else None)
    monkeypatch.setattr(doctor, "run_self_test", lambda name: doctor.SelfTest(preset=name, passed=False))
    found = diagnose()
    assert [test.preset for test in found.tests] == ["xfeat+lighterglue"]
    assert not found.passed


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("preset", doctor.SELF_TEST_PRESETS)
def test_real_weights_pass(preset: str) -> None:
    assert preset in PRESETS
    found = run_self_test(preset)
    assert found.passed, found
    assert found.correct > 100
