"""Calibration: what is measured, and the file in $TIEPOINT_HOME/latency. Times come from a fake clock."""

import json
import logging
import os
import stat
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from tests.helpers.colored_dots import make_matcher
from tests.helpers.cost_models import costs
from tests.helpers.fake_networks import IdentityDetector

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.io.home import home_folder
from tiepoint.matching.latency import calibration
from tiepoint.matching.latency.calibration import (
    CalibrationKey,
    calibrate,
    calibration_key,
    load_costs,
    measure_costs,
    read_costs,
    write_costs,
)
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

KEY = CalibrationKey(
    processor="Fast", device="cpu", cores=2, threads=1, versions={"torch": "2"}, preset="a-b"
)


@pytest.fixture(autouse=True)
def idle_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs run beside the tests."""
    monkeypatch.setattr(calibration, "waiting_seconds", lambda: 0.0)


def extractor(**settings: object) -> NeuralExtractor:
    options = {"kind": "identity@0", "max_keypoints": 80, "resize": 64} | settings
    return NeuralExtractor(IdentityDetector(), ExtractionSettings(**options))  # type: ignore[arg-type]


def matcher(layers: int = 3) -> LightGlueMatcher:
    shape = LightGlueShape(input_dim=2, dim=8, layers=layers, heads=1)
    return LightGlueMatcher(LightGlue(shape).requires_grad_(False), kind="identity@0")


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_a_preset_with_layers_is_measured(layers: int) -> None:
    found = measure_costs(extractor(), matcher(layers), runs=1)
    assert found.layers == layers
    assert found.extraction.seconds(*extraction_of(64)) > 0
    assert found.layer.seconds(160) > 0
    assert found.matching_seconds(160, layers) > found.matching_seconds(160, 1) * (layers > 1)


def extraction_of(side: int) -> tuple:
    from tiepoint.image import ImageTransform

    return ImageTransform((side, side), (side, side)), 10


def test_nearest_neighbors_have_no_layers() -> None:
    dots = make_matcher(None, resize=64)
    found = measure_costs(dots.extractor, dots.matcher, runs=1)
    assert (found.layers, found.layer.seconds(100)) == (0, 0)
    assert found.assignment.seconds(100) > 0


@pytest.mark.parametrize("resize", [64, None])
def test_images_that_keep_their_size_are_not_resized(
    resize: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "DEFAULT_SIDE", 64)
    found = measure_costs(extractor(resize=resize), matcher(), runs=1)
    if resize is None:
        assert found.extraction.per_resized_pixel == 0


def test_times_of_the_clock_become_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run takes one second; so a layer takes none, and the rest all of it."""
    ticks = count()
    monkeypatch.setattr(calibration, "perf_counter", lambda: float(next(ticks)))
    found = measure_costs(extractor(), matcher(), runs=2)
    assert found.matching_seconds(100, 3) == pytest.approx(1.0, abs=1e-4)
    assert found.extraction.seconds(*extraction_of(64)) == pytest.approx(1.0)


def test_the_settings_of_the_matcher_are_kept() -> None:
    given = matcher()
    before = given.settings, given.fingerprint
    measure_costs(extractor(), given, runs=1)
    assert (given.settings, given.fingerprint) == before


class TestFile:
    def test_it_is_measured_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = load_costs(extractor(), matcher())
        monkeypatch.setattr(calibration, "measure_costs", None)
        assert load_costs(extractor(), matcher()) == first
        assert len(list((home_folder() / "latency").glob("*.json"))) == 1

    def test_a_disturbed_measurement_is_not_kept(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        ticks = count()
        monkeypatch.setattr(calibration, "waiting_seconds", lambda: 1000.0 * next(ticks))
        assert load_costs(extractor(), matcher()).layers == 3
        assert not (home_folder() / "latency").exists()
        assert "idle" in caplog.text

    def test_tuning_measures_again(self) -> None:
        write_costs(calibration_key(extractor(), matcher()), costs())
        again = calibrate(extractor(), matcher(), runs=1)
        assert again != costs()
        assert load_costs(extractor(), matcher()) == again

    def test_machine_and_preset_have_a_file_each(self) -> None:
        keys = [
            KEY,
            *(
                replace(KEY, **change)
                for change in (
                    {"processor": "Slow"},
                    {"device": "GPU"},
                    {"cores": 3},
                    {"threads": 2},
                    {"versions": {"torch": "3"}},
                    {"preset": "a-c"},
                )
            ),
        ]
        assert len({key.path for key in keys}) == len(keys)

    def test_the_key_names_threads_and_preset(self) -> None:
        key = calibration_key(extractor(), matcher())
        assert key.threads == torch.get_num_threads()
        assert key.preset == f"{extractor().fingerprint}-{matcher().fingerprint}"
        assert set(key.versions) == {"tiepoint", "torch"}

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 0, "key": {}, "costs": {}}'])
    def test_a_damaged_or_old_file_is_measured_again_with_a_warning(
        self, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        key = calibration_key(extractor(), matcher())
        write_costs(key, costs())
        assert read_costs(key) == costs()
        key.path.write_text(text)
        with caplog.at_level(logging.WARNING):
            assert load_costs(extractor(), matcher()) != costs()
        (record,) = caplog.records
        assert str(key.path) in record.getMessage()
        assert read_costs(key) is not None

    def test_negative_times_are_damage(self) -> None:
        write_costs(KEY, costs())
        values = json.loads(KEY.path.read_text())
        values["costs"]["layer"]["per_token"] = -1.0
        KEY.path.write_text(json.dumps(values))
        assert read_costs(KEY) is None

    def test_the_file_of_another_machine_is_not_used(self) -> None:
        write_costs(KEY, costs())
        other = replace(KEY, processor="Slow")
        other.path.write_bytes(KEY.path.read_bytes())
        assert read_costs(other) is None

    def test_a_home_that_is_a_file_only_costs_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        blocked = tmp_path / "home"
        blocked.write_text("")
        monkeypatch.setenv("TIEPOINT_HOME", str(blocked))
        assert load_costs(extractor(), matcher()).layers == 3
        assert "cannot keep" in caplog.text

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_home_only_costs_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path))
        assert load_costs(extractor(), matcher()).layers == 3
        assert "cannot keep" in caplog.text

    def test_nothing_but_the_file_is_left(self) -> None:
        write_costs(KEY, costs())
        assert list(KEY.path.parent.iterdir()) == [KEY.path]
