"""`tiepoint register`: options and output; the functions that work are replaced by fakes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.registration import register as module

ALIGNMENT = SimpleNamespace(
    estimate=SimpleNamespace(kind="affine", num_inliers=90, max_error_px=3.0),
    matches=range(100),
    rms_px=0.5,
    deformation=None,
    reason_not_deformed="",
    to_dict=lambda: {"model": "affine", "num_inliers": 90},
)


class Work:
    """Fake of `register` and `register_many`."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.error: Exception | None = None

    def one(self, *given: Any, **options: Any) -> Any:
        self.calls.append((given, options))
        if self.error:
            raise self.error
        return ALIGNMENT

    def many(self, images: list[Path], *given: Any, **options: Any) -> Any:
        self.calls.append(((images, *given), options))
        yield images[0], SimpleNamespace(alignment=ALIGNMENT, output=Path("out/a.tif"), reason="")
        yield images[1], SimpleNamespace(alignment=None, output=Path("out/b.tif"), reason="")
        yield (
            images[2],
            SimpleNamespace(alignment=None, output=None, reason="cannot register 'c.tif': no overlap"),
        )


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(module, "register", work.one)
    monkeypatch.setattr(module, "register_many", work.many)
    return work


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["register", *arguments])


def test_the_defaults(work: Work) -> None:
    result = run("a.tif", "b.tif")
    assert result.exit_code == 0, result.output
    ((given, options),) = work.calls
    assert given == (Path("a.tif"), Path("b.tif"), Path("aligned.tif"))
    assert options["align_settings"].model == "auto"
    assert options["align_settings"].max_error_px is None
    assert options["warp_settings"].interpolation == "cubic"
    assert options["stretch"] == "auto"
    assert "affine: 90 of 100 matches are inliers" in result.output
    assert "RMS residual 0.50 px" in result.output


@pytest.mark.parametrize(
    ("deformation", "reason", "line"),
    [
        (
            SimpleNamespace(
                is_control_point=np.array([True, False, True]), held_out_rms_px=0.41, model_rms_px=1.8
            ),
            "",
            "deformation: 2 control points, RMS error of held-out ones 0.41 px, without the deformation 1.80 px",
        ),
        (None, "too few matches", "no deformation: too few matches"),
    ],
)
def test_the_deformation_is_reported(
    work: Work, monkeypatch: pytest.MonkeyPatch, deformation: SimpleNamespace | None, reason: str, line: str
) -> None:
    monkeypatch.setattr(ALIGNMENT, "deformation", deformation)
    monkeypatch.setattr(ALIGNMENT, "reason_not_deformed", reason)
    assert line in run("a.tif", "b.tif", "--piecewise").output
    ((_, options),) = work.calls
    assert options["align_settings"].piecewise


def test_options_reach_the_library(work: Work) -> None:
    result = run(
        *(
            "a.tif",
            "b.tif",
            "-o",
            "c.tif",
            "--model",
            "affine",
            "--interpolation",
            "nearest",
            "--nodata",
            "-9999",
        ),
        *("--bands", "4,3,2", "--fixed-bands", "1", "--mask-output", "m.png", "--control-points", "p.points"),
        *("--html", "s.html", "--max-error-px", "1.5", "--force", "--json", "-", "--preset", "fast"),
    )
    assert result.exit_code == 0, result.output
    ((_, options),) = work.calls
    align, warp, extras = options["align_settings"], options["warp_settings"], options["extras"]
    assert (align.model, align.max_error_px, align.bands, align.fixed_bands) == (
        "affine",
        1.5,
        [4, 3, 2],
        [1],
    )
    assert (warp.interpolation, warp.nodata, warp.force) == ("nearest", -9999, True)
    assert (extras.mask, extras.control_points, extras.html) == (
        Path("m.png"),
        Path("p.points"),
        Path("s.html"),
    )
    assert options["preset"] == "fast"
    values = json.loads(result.stdout)
    assert (values["model"], values["output"]) == ("affine", "c.tif")
    assert values["seconds"]["total"] >= 0


def test_json_files_are_written_by_the_library(work: Work) -> None:
    assert run("a.tif", "b.tif", "--json", "r.json").exit_code == 0
    ((_, options),) = work.calls
    assert options["extras"].json == Path("r.json")


def test_many(work: Work) -> None:
    result = run("a.tif", "b.tif", "c.tif", "--to", "f.tif", "-o", "out")
    assert result.exit_code == 1
    ((given, _),) = work.calls
    assert given == ([Path("a.tif"), Path("b.tif"), Path("c.tif")], Path("f.tif"), Path("out"))
    assert "a.tif: affine: 90 of 100" in result.output
    assert "b.tif: exists, skipped" in result.output
    assert "no overlap" in result.stderr
    assert "1 of 3 images were not registered" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.tif"], "expected MOVING and FIXED, got 1 images"),
        (["a.tif", "b.tif", "c.tif"], "use --to FIXED"),
        (["a.tif", "b.tif", "--bands", "red"], "expected numbers such as 4,3,2"),
        (["a.tif", "--to", "b.tif", "--html", "s.html"], "need one moving image"),
        (["a.tif", "b.tif", "--model", "tps"], "tps"),
    ],
)
def test_wrong_arguments(work: Work, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not work.calls


def test_errors_are_one_line(work: Work) -> None:
    work.error = InvalidInput("cannot register 'a.tif' to 'b.tif': no overlap")
    result = run("a.tif", "b.tif", "-q")
    assert isinstance(result.exception, InvalidInput) or result.exit_code == 1
