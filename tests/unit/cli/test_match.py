"""`tiepoint match`: options, output and errors; `match_to_files` is replaced by a fake."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from tiepoint import api
from tiepoint.cli import app
from tiepoint.cli.options import VerifyKind
from tiepoint.errors import InvalidInput, TiepointError
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import VERIFIERS
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Camera, Features, TwoViewEstimate

SIZES = (640, 480), (1024, 731)


def known_result(*sources: str) -> MatchResult:
    """3 matches between 5 and 4 keypoints, after 7 layers."""
    both = [
        Features(
            keypoints=torch.arange(2.0 * count).reshape(count, 2),
            scores=torch.ones(count),
            descriptors=torch.ones(count, 4),
            image_size=size,
            source=source,
        )
        for count, size, source in zip(
            (5, 4), SIZES, sources or ("photos/a.jpg", "photos/b.jpg"), strict=True
        )
    ]
    matches = Assignment(
        matches=torch.tensor([[0, 0], [2, 1], [4, 3]]),
        scores=torch.tensor([0.5, 0.75, 1.0]),
        matching_scores0=torch.zeros(5),
        matching_scores1=torch.zeros(4),
        prune0=torch.ones(5, dtype=torch.int64),
        prune1=torch.ones(4, dtype=torch.int64),
        layers_run=7,
    )
    return MatchResult.from_assignment(*both, matches, {"read": 0.12, "extract": 3.45, "match": 6.78})


class Work:
    """Fake of `match_to_files` that records its arguments, and returns `result` or raises `error`."""

    result = known_result()
    estimate: TwoViewEstimate | None = None
    error: Exception | None = None

    def __call__(self, *images: object, **options: Any) -> tuple[MatchResult, TwoViewEstimate | None]:
        self.images, self.options = images, options
        options["stages"].seconds |= self.result.seconds
        if self.error:
            raise self.error
        return self.result, self.estimate


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(api, "match_to_files", work)
    return work


def without_seconds(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seconds"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["match", "a.jpg", "b.jpg", *arguments])


def succeed(*arguments: str) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


class TestOptions:
    def test_the_defaults_are_those_of_the_library(self, work: Work) -> None:
        succeed()
        assert work.images == ("a.jpg", "b.jpg")
        expected = {
            "picture": None,
            "json": None,
            "npz": None,
            "preset": "aliked+lightglue",
            "max_keypoints": 2048,
            "resize": 1024,
            "device": "auto",
            "accept_license": False,
            "verify": None,
        }
        assert {name: work.options[name] for name in expected} == expected

    @pytest.mark.parametrize(
        ("arguments", "name", "value"),
        [
            (["-o", "m.png"], "picture", Path("m.png")),
            (["--output", "m.png"], "picture", Path("m.png")),
            (["--json", "m.json"], "json", "m.json"),
            (["--npz", "m.npz"], "npz", Path("m.npz")),
            (["--npz", "m.npz", "--json", "m.json"], "npz", Path("m.npz")),
            (["--json", "-"], "json", None),
            (["--preset", "disk+lightglue"], "preset", "disk+lightglue"),
            (["--max-keypoints", "512"], "max_keypoints", 512),
            (["--resize", "640"], "resize", 640),
            (["--resize", "0"], "resize", None),
            (["--threshold", "0.3"], "filter_threshold", 0.3),
            (["--min-precision", "0.95"], "min_precision", 0.95),
            (["--no-adaptive"], "adaptive", False),
            (["--max-layers", "3"], "max_layers", 3),
            (["--latency-budget-ms", "150"], "latency_budget_ms", 150.0),
            (["--device", "cpu"], "device", "cpu"),
            (["--matcher-weights", "m.tar"], "matcher_weights", "m.tar"),
            (["--extractor-weights", "e.pth"], "extractor_weights", ["e.pth"]),
            (
                ["--extractor-weights", "a.pth", "--extractor-weights", "b.pth"],
                "extractor_weights",
                ["a.pth", "b.pth"],
            ),
            (["--accept-license"], "accept_license", True),
            (["--quiet"], "progress", False),
        ],
        ids=str,
    )
    def test_each_reaches_the_library(
        self, work: Work, arguments: list[str], name: str, value: object
    ) -> None:
        succeed(*arguments)
        assert work.options[name] == value

    def test_options_of_networks_are_passed_only_if_given(self, work: Work) -> None:
        succeed("--preset", "aliked+nearest")
        unset = {"adaptive", "pruning_min_keypoints", "max_layers", "latency_budget_ms"}
        assert not unset & set(work.options)
        succeed("--adaptive", "--pruning-min-keypoints", "7")
        assert (work.options["adaptive"], work.options["pruning_min_keypoints"]) == (True, 7)

    def test_drawing_options_reach_the_library(self, work: Work) -> None:
        succeed("-o", "m.png", "--max-lines", "50", "--keypoints")
        assert work.options["draw"] == {"max_lines": 50, "keypoints": True}

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--max-keypoints", "0"],
            ["--max-keypoints", "many"],
            ["--resize", "-1"],
            ["--threshold", "2"],
            ["--threshold", "low"],
            ["--max-lines", "0"],
            ["--verify", "essential"],
            ["--verify", "pose", "--max-error-px", "0"],
            ["--intrinsics", "500,320,240"],
            ["--verify", "homography", "--intrinsics", "500,320,240"],
            ["--nonsense"],
            ["c.jpg"],
            ["-o"],
        ],
        ids=str,
    )
    def test_wrong_usage_has_exit_status_2(self, work: Work, arguments: list[str]) -> None:
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr
        assert not hasattr(work, "images")

    def test_two_images_are_required(self, work: Work) -> None:
        assert CliRunner().invoke(app, ["match", "a.jpg"]).exit_code == 2


class TestVerify:
    def estimate(self, **changes: Any) -> TwoViewEstimate:
        matrix, inliers = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([True, False, True])
        given = {"kind": "homography", "matrix": matrix, "inliers": inliers, "method": "poselib"}
        return TwoViewEstimate(**given | {"max_error_px": 3.0} | changes)

    @pytest.mark.parametrize("kind", VERIFIERS)
    def test_the_model_reaches_the_library(self, work: Work, kind: str) -> None:
        succeed("--verify", kind, "--max-error-px", "1.5")
        verify = work.options["verify"]
        assert (verify.func, verify.keywords) == (VERIFIERS[kind], {"max_error_px": 1.5})

    def test_every_model_of_the_library_can_be_chosen(self) -> None:
        assert set(VerifyKind) == set(VERIFIERS)

    def test_intrinsics_reach_the_library(self, work: Work) -> None:
        succeed("--verify", "pose", "--intrinsics", "500,320,240")
        keywords = work.options["verify"].keywords
        assert keywords["max_error_px"] == TWO_VIEW_MAX_ERROR_PX
        for side in (0, 1):
            assert keywords[f"camera{side}"].tolist() == [[500, 0, 320], [0, 500, 240], [0, 0, 1]]

    def test_intrinsics_that_cannot_be_read_are_found_before_the_work(self, work: Work) -> None:
        assert isinstance(run("--verify", "pose", "--intrinsics", "missing.txt").exception, InvalidInput)
        assert not hasattr(work, "images")

    def test_inlier_count_and_median_error_are_printed(self, work: Work) -> None:
        work.estimate = self.estimate()
        assert (
            "homography: 2 of 3 matches are inliers (threshold 3 px, median error 1.41 px)"
            in succeed().stdout
        )

    def test_the_reason_of_a_failure_is_printed(self, work: Work) -> None:
        work.estimate = self.estimate(matrix=None, inliers=np.zeros(3, bool), reason="got 3 matches")
        result = succeed("--json", "-")
        assert "homography: failed, got 3 matches" in result.stderr
        assert json.loads(result.stdout)["estimate"]["reason"] == "got 3 matches"

    def test_a_pose_is_printed_with_its_cameras(self, work: Work) -> None:
        motion = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0.6], [-1, 0, 0, 0.8]])
        cameras = [
            Camera(model="SIMPLE_PINHOLE", image_size=size, params=(600.0, 300.0, 200.0), source=source)
            for size, source in zip(SIZES, ("exif", "default"), strict=True)
        ]
        work.estimate = self.estimate(
            kind="pose", cam1_from_cam0=motion, camera0=cameras[0], camera1=cameras[1]
        )
        text = succeed().stdout
        assert "rotation: 90.00 degrees" in text
        assert "translation: (0.000, 0.600, 0.800)" in text
        assert "camera 0: focal length 600.0 px, from EXIF data" in text
        assert "camera 1: focal length 600.0 px, a default prior" in text

    def test_the_json_holds_the_estimate(self, work: Work) -> None:
        work.estimate = self.estimate()
        printed = json.loads(succeed("--json", "-").stdout)
        assert without_seconds(printed) == without_seconds(
            work.result.to_dict(work.estimate, work.result.verify())
        )
        assert printed["estimate"]["matrix"] == np.eye(3).tolist()


class TestTable:
    def test_sizes_keypoints_matches_and_durations_are_printed(self, work: Work) -> None:
        rows = [line.split() for line in succeed().stdout.splitlines()]
        assert ["size", "640", "x", "480", "1024", "x", "731"] in rows
        assert ["keypoints", "5", "4"] in rows
        assert ["file", "a.jpg", "b.jpg"] in rows
        text = succeed().stdout
        for expected in ("3 matches", "7 layers", "read 0.12 s", "extract 3.45 s", "match 6.78 s"):
            assert expected in text

    def test_the_path_of_the_drawing_is_printed(self, work: Work) -> None:
        assert "out/m.png" in succeed("-o", "out/m.png").stdout
        assert "-o matches.png" in succeed().stdout

    @pytest.mark.parametrize(
        "name", ["img[bold].jpg", "[1].jpg", ":heart:.jpg", "[/b].jpg", "ü ä.jpg", "a" * 200 + ".jpg"]
    )
    def test_names_are_printed_as_they_are(self, work: Work, name: str) -> None:
        work.result = known_result(f"photos/{Path(name).name}", "b.jpg")
        assert Path(name).name in succeed().stdout

    def test_images_without_a_source_have_a_table_too(self, work: Work) -> None:
        nameless = [
            replace(features, source=None) for features in (work.result.features0, work.result.features1)
        ]
        work.result = replace(work.result, features0=nameless[0], features1=nameless[1])
        assert "3 matches" in succeed().stdout

    def test_quiet_prints_nothing(self, work: Work) -> None:
        for arguments in (["--quiet"], ["-q", "-o", "m.png", "--json", "m.json"]):
            result = succeed(*arguments)
            assert (result.stdout, result.stderr) == ("", "")

    def test_quiet_before_the_command_prints_nothing_either(self, work: Work) -> None:
        result = CliRunner().invoke(app, ["-q", "match", "a.jpg", "b.jpg"])
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        assert work.options["progress"] is False


class TestJson:
    def test_standard_output_is_json_and_nothing_else(self, work: Work) -> None:
        result = succeed("--json", "-")
        printed = json.loads(result.stdout)
        expected = work.result.to_dict(verification=work.result.verify())
        assert without_seconds(printed) == without_seconds(expected)
        assert "3 matches" in result.stderr

    def test_the_seconds_of_all_stages_add_up(self, work: Work) -> None:
        seconds = json.loads(succeed("--json", "-").stdout)["seconds"]
        assert list(seconds) == ["start", "load_torch", "read", "extract", "match", "total"]
        assert seconds.pop("total") == pytest.approx(sum(seconds.values()))
        assert seconds["match"] == 6.78

    def test_quiet_json_prints_only_json(self, work: Work) -> None:
        result = succeed("--json", "-", "--quiet")
        assert json.loads(result.stdout)["layers_run"] == 7
        assert result.stderr == ""


def test_errors_are_printed_by_main(work: Work) -> None:
    work.error = InvalidInput("a.jpg does not exist")
    assert isinstance(run().exception, TiepointError)
